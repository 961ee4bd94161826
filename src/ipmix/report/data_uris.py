"""Images inside the page: PNG bytes as data URIs."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

SIDE = 224
"""The longest side an image is embedded at; larger ones are made smaller."""


def data_uri(image: NDArray[np.uint8]) -> str:
    """An image uint8[H, W, C] as ``data:image/png;base64,...``; channels beyond three are left out."""
    from PIL import Image

    channels = image.shape[2]
    pixels = image[:, :, 0] if channels < 3 else image[:, :, :3]
    rendered = Image.fromarray(np.ascontiguousarray(pixels))
    if max(rendered.size) > SIDE:
        rendered.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    rendered.save(buffer, "PNG", optimize=False, compress_level=6)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
