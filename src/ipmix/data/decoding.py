"""One image file -> ``uint8[H, W, 3]``, or an error that names the file and what is wrong with it."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ipmix.core.errors import InputError
from ipmix.data.cropping import resize_and_crop

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".gif"))
"""Files with one of these endings (in any case) count as images; others are passed over."""

_EIGHT_BITS = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"))


class BrokenImage(InputError):
    """An image file that can't be read: empty, cut short, or no image at all."""


def is_image_file(path: Path) -> bool:
    """Whether the name says that this is an image: a known ending, not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def decode(path: str | Path) -> np.ndarray:
    """Read an image as ``uint8[H, W, 3]`` (RGB; grey is repeated, transparency dropped).

    Raises:
        BrokenImage: the file is empty, cut short or not an image.
        InputError: it does not exist, or holds 16-bit or float samples.
    """
    return np.asarray(open_rgb(path))


def decode_square(path: str | Path, size: int, crop: float = 1.0) -> np.ndarray:
    """Read an image as ``uint8[size, size, 3]``, by :func:`ipmix.data.cropping.resize_and_crop`.

    An image of that size comes back untouched where ``crop`` is 1. Errors as :func:`decode`.
    """
    return np.asarray(square(open_rgb(path), path, size, crop))


def square(image: Image.Image, path: str | Path, size: int, crop: float = 1.0) -> Image.Image:
    """An opened image resized and cropped; errors name its file."""
    try:
        return resize_and_crop(image, size, crop)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def open_rgb(path: str | Path) -> Image.Image:
    """The decoded image in Pillow's RGB mode; errors as :func:`decode`."""
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise BrokenImage(f"{path} is empty (0 bytes); expected an image. Delete it or copy it again")
        with Image.open(path) as image:
            if image.mode not in _EIGHT_BITS:
                raise InputError(
                    f"{path} holds {_samples(image.mode)} samples (Pillow mode {image.mode!r}); expected "
                    "8 bits a channel. Convert it first: how to scale the values is yours to decide"
                )
            return image.convert("RGB")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected an image") from None
    except UnidentifiedImageError:
        raise BrokenImage(f"{path} is not an image that Pillow can read; delete or replace it") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BrokenImage(
            f"{path} can't be decoded ({error}): it is cut short or damaged. Delete it or copy it again"
        ) from error


def _samples(mode: str) -> str:
    return {"F": "float", "I": "32-bit"}.get(mode, "16-bit" if mode.startswith("I;16") else "unsupported")
