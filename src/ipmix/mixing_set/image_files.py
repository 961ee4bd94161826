"""Writing an image: PNG by the encoder of this package, JPEG and WebP by Pillow."""

import hashlib
import io

import numpy as np
from PIL import Image

from ipmix.mixing_set.png import png

EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}
JPEG_QUALITY = 92
WEBP_QUALITY = 90


def encode(pixels: np.ndarray, files: str) -> bytes:
    """``pixels``, uint8[h, w, 3], as a file of the format ``files``: png (lossless), jpeg or webp."""
    if files == "png":
        return png(pixels)
    out = io.BytesIO()
    if files == "jpeg":
        Image.fromarray(pixels).save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        Image.fromarray(pixels).save(out, "WEBP", quality=WEBP_QUALITY, method=0)
    return out.getvalue()


def digest(pixels: np.ndarray) -> str:
    """The SHA-256 of an image's pixels, uint8[h, w, 3] in C order."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
