"""Parts of image files for training's random crops: only as many pixels as are needed, decoded by what is quickest.

Evaluation, corruptions and mixing images never come here: they read whole images (``decoding.py``).
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ipmix.data.decoding import TURNS, DecodeConfig, header, loaded, orientation

SCALES = (8, 4, 2)
"""By what JPEG's decoder can shrink an image."""


def open_part(
    path: str | Path, config: DecodeConfig, size: int, choose: Callable[[int, int], tuple[int, int, int, int]]
) -> tuple[Image.Image | np.ndarray, tuple[float, float, float, float]]:
    """An image for a part of it that is to be brought to ``size``, and where the part lies in it.

    ``choose`` is called with the width and the height of the whole and gives (left, top, width, height). A JPEG file
    whose part is at least twice ``size`` either way is decoded at 1/2, 1/4 or 1/8 of its sides, by the mean of pixels
    that its blocks of waves give without more ado. Other JPEG files are decoded by simplejpeg where it is installed:
    the same bytes, as uint8[H, W, C], without Pillow's copies. Neither where ``config.exact``.

    Returns:
        The image, in Pillow's mode RGB (L where ``config.grey``) or as an array, and (left, top, right, bottom).

    Raises:
        BrokenImage, InputError: as :func:`ipmix.data.decoding.decode`.
    """
    mode = "L" if config.grey else "RGB"
    with header(Path(path)) as (image, file):
        turn = orientation(image) if config.exif else 1
        left, top, width, height = choose(*(image.size[::-1] if turn in (5, 6, 7, 8) else image.size))
        scale = 1
        if image.format == "JPEG" and not config.exact:
            fits = min(width, height) // size
            # Half a pixel at the far end comes to lie at the near one where an image is turned.
            whole = turn not in TURNS
            scale = next((s for s in SCALES if s <= fits and (whole or not any(side % s for side in image.size))), 1)
            if scale > 1:
                image.draft(None, (image.size[0] // scale, image.size[1] // scale))
            elif whole and image.mode == mode and (pixels := _by_simplejpeg(image, file)) is not None:
                return pixels, (left, top, left + width, top + height)
        found = loaded(image, config, mode)
    return found, (left / scale, top / scale, (left + width) / scale, (top + height) / scale)


def _by_simplejpeg(image: Any, file: BinaryIO) -> np.ndarray | None:
    """The whole image, or None where Pillow is to decode it, and to say what is wrong with it."""
    if (library := _simplejpeg()) is None:
        return None
    file.seek(0)
    try:
        pixels: np.ndarray = library.decode_jpeg(file.read(), "GRAY" if image.mode == "L" else "RGB")
    except (ValueError, RuntimeError, OSError):
        return None
    return pixels if pixels.shape[1::-1] == image.size else None


@cache
def _simplejpeg() -> Any:
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg
