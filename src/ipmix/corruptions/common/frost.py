"""Frost: a crop of an image of frost laid over the image.

The six photographs belong to the public -C code. They are taken from the folder that the environment variable
``IPMIX_FROST_IMAGES`` names, or else from the package ``imagecorruptions`` (on PyPI:
imagecorruptions-imaug) where it is installed; without either, frost is grown by a procedure, and results
are not comparable with published ones: see :func:`comparable`.
"""

import importlib.util
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.compiling import compiled
from ipmix.core.errors import InputError
from ipmix.core.randomness import below, start
from ipmix.corruptions.common.frost_growth import grow
from ipmix.corruptions.severities import LARGE, SMALL, between
from ipmix.corruptions.task import VIEW, Task
from ipmix.data.decoding import open_rgb

FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg")
VARIABLE = "IPMIX_FROST_IMAGES"


def frost(task: Task) -> None:
    """a x + b image, with a random crop of a random image (shrunk to a fifth at 32 pixels).

    Form "original": the sixth image is never chosen, as in the public code; "corrected": all six are.
    """
    weight, amount = task.constants()
    pixels, places = sheet(folder(), task.height, task.width, task.channels)
    lay_all(task.images, task.out, *task.key, weight, amount, pixels, places, np.int64(5 + task.corrected))


def folder() -> Path | None:
    """Where the six photographs are; None where they can't be found."""
    return find_folder(os.environ.get(VARIABLE, ""))


@lru_cache(maxsize=8)
def find_folder(named: str) -> Path | None:
    """The folder that is named, or if none is the package's; looked up once."""
    if named:
        missing = [name for name in FILES if not (Path(named) / name).is_file()]
        if missing:
            raise InputError(
                f"{VARIABLE} names {named}, where {', '.join(missing)} can't be found; "
                "name the folder that holds frost1.png ... frost6.jpg, or unset the variable"
            )
        return Path(named)
    package = importlib.util.find_spec("imagecorruptions")
    for place in (package.submodule_search_locations or []) if package else []:
        if all((Path(place) / "frost" / name).is_file() for name in FILES):
            return Path(place) / "frost"
    return None


def comparable() -> bool:
    """Whether frost is made of the public photographs, so that results may be compared with published ones.

    Where it isn't, mark every result that contains frost as not comparable.
    """
    return folder() is not None


@lru_cache(maxsize=1)
def images(place: Path | None) -> tuple[np.ndarray, ...]:
    """Six images of frost, uint8[h, w, 3]."""
    if place is None:
        return tuple(grow(600, 800, seed) for seed in range(len(FILES)))
    return tuple(np.asarray(open_rgb(place / name)) for name in FILES)


def shrunk(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image at the scale that suits images of this size, and larger than they are.

    A fifth at 32 pixels (every fifth pixel from the third on: the public code's bilinear resize to 0.2
    comes to that) and as it is at 224. Between them the scale follows the rule for numbers; beyond them it
    goes with the side.
    """
    side = min(height, width)
    if side == SMALL:
        scaled = image[2::5, 2::5]
    else:
        scale = between("n", 0.2, 1.0, side) * max(side / LARGE, 1.0) * min(side / SMALL, 1.0)
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        scaled = image if scale == 1.0 else resized(image, *size)
    missing = max((height + 1) / scaled.shape[0], (width + 1) / scaled.shape[1], 1.0)
    if missing > 1.0:
        scaled = resized(image, *(int(np.ceil(length * missing)) for length in scaled.shape[1::-1]))
    return scaled


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image at another size, bilinear, anti-aliased."""
    size = max(width, 1), max(height, 1)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


@lru_cache(maxsize=8)
def sheet(place: Path | None, height: int, width: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """All six at the right scale in one line of uint8, and int64[6, 3]: where each begins, its height and
    width.

    In color for three channels; for any other number their luma, the same in every channel.
    """
    parts, places, begin = [], [], 0
    for image in images(place):
        scaled = shrunk(image, height, width)
        if channels != 3:
            scaled = np.repeat(np.asarray(Image.fromarray(scaled).convert("L"))[..., None], channels, axis=2)
        parts.append(scaled.reshape(-1))
        places.append((begin, *scaled.shape[:2]))
        begin += scaled.size
    return np.concatenate(parts), np.array(places, np.int64)


@compiled
def lay_all(images, out, indices, seed, salt, weight, amount, pixels, places, choices):
    """Frost over uint8[n, H, W, C], from the first ``choices`` images of a :func:`sheet`."""
    count, height, width, channels = images.shape
    state = np.empty(1, np.uint64)
    values = width * channels
    scaled, ice = np.empty(256), np.empty(256)
    for v in range(256):
        scaled[v], ice[v] = weight * v, amount * v
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        begin, image_height, image_width = places[below(state, choices)]
        top = below(state, max(image_height - height, 1))
        left = below(state, max(image_width - width, 1))
        for y in range(height):
            first = begin + ((top + y) * image_width + left) * channels
            crop = pixels[first : first + values]
            source, target = images[i, y].reshape(values), out[i, y].reshape(values)
            for x in range(values):
                target[x] = np.uint8(min(scaled[source[x]] + ice[crop[x]], 255.0))
