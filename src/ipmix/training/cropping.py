"""Flip and random crop, drawn from each image's key: the transforms that come before any augmentation."""

import math
from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache

import numpy as np
from PIL import Image

from ipmix.core.compiling import compiled
from ipmix.core.randomness import SHARED_VIEW, Key, below, between, start
from ipmix.core.recycling import recycled_array
from ipmix.data.datasets import FileDataset
from ipmix.data.decoding import pixels_of
from ipmix.data.parts import open_part

CROP_SALT = 0x63726F70
SMALLEST_AREA = 0.08
WIDEST = 4.0 / 3.0
ATTEMPTS = 10


def pad_and_crop(images: np.ndarray, indices: np.ndarray, *, seed: int, epoch: int, flip: bool, pad: int) -> np.ndarray:
    """Gather images uint8[N, H, W, C] -> uint8[B, H, W, C], flipped and cropped.

    Each is mirrored with probability 1/2 if ``flip``, then shifted by up to ``pad`` pixels either way, with
    zeros where nothing is (the paper's "random crop with zero padding").
    """
    if not flip and not pad:
        plain: np.ndarray = images[indices]
        return plain
    out = np.empty((len(indices), *images.shape[1:]), np.uint8)
    _gather(images, indices, seed ^ CROP_SALT, epoch, flip, pad, out)
    return out


def resized_crops(
    files: FileDataset,
    indices: np.ndarray,
    *,
    size: int,
    seed: int,
    epoch: int,
    flip: bool,
    pool: Executor | None = None,
) -> np.ndarray:
    """Decode images and bring a random part of each to ``size``: uint8[B, size, size, C].

    A part of 8 to 100% of the image's area, its sides' ratio 3/4 to 4/3 (Szegedy et al., 2015; the
    authors' ImageNet code), bilinear with anti-aliasing; mirrored with probability 1/2 if ``flip``. ``pool``
    decodes several at a time. JPEG files much larger than needed are decoded at a part of their size
    (:func:`~ipmix.data.parts.open_part`). The part is cut out and then resized, as torchvision's RandomResizedCrop
    does; where ``files.decoding.exact``, Pillow resizes, and looks at the pixels around the part as well.
    """
    exact = files.decoding.exact

    def one(index: int) -> tuple[np.ndarray, bool]:
        stream = Key(seed ^ CROP_SALT, epoch, index, SHARED_VIEW).stream()
        mirrored = below(stream, 2) == 1 and flip
        image, box = open_part(
            files.paths[index], files.decoding, size, lambda width, height: random_part(stream, width, height)
        )
        return _resized(image, box, size, exact), mirrored

    places = [int(index) for index in indices]
    crops = map(one, places) if pool is None else pool.map(one, places)
    out = recycled_array((len(places), size, size, 1 if files.decoding.grey else 3), np.uint8)
    for row, (crop, mirrored) in enumerate(crops):
        _place(crop, mirrored, out[row])
    return out


def _resized(
    image: Image.Image | np.ndarray, box: tuple[float, float, float, float], size: int, exact: bool
) -> np.ndarray:
    """A part as uint8[size, size, C]."""
    left, top, right, bottom = map(int, box)
    if isinstance(image, Image.Image):
        if exact or (left, top, right, bottom) != box:  # fractions of pixels of an image that was decoded smaller
            return np.array(pixels_of(image.resize((size, size), Image.Resampling.BILINEAR, box=box)))
        part = np.array(image.crop((left, top, right, bottom)))
        part = part if part.ndim == 3 else part[:, :, None]
    else:
        part = image[top:bottom, left:right]
    return _resizer()(part, size)


@cache
def _resizer() -> Callable[[np.ndarray, int], np.ndarray]:
    """Torch's resizing of bytes, which uses the processor's lanes; where torch is missing Pillow's, in twice the time.

    The same filter: some results lie one level beside Pillow's.
    """
    try:
        import torch
        from torch.nn.functional import interpolate
    except ImportError:
        return _by_pillow

    def by_torch(part: np.ndarray, size: int) -> np.ndarray:
        # Copied by NumPy: torch would start threads for that, two for one loader thread's sake.
        whole = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None]
        resized = interpolate(whole, (size, size), mode="bilinear", antialias=True)
        pixels: np.ndarray = resized[0].permute(1, 2, 0).numpy()
        return pixels

    return by_torch


def _by_pillow(part: np.ndarray, size: int) -> np.ndarray:
    image = Image.fromarray(part if part.shape[2] == 3 else part[:, :, 0])
    return np.array(pixels_of(image.resize((size, size), Image.Resampling.BILINEAR)))


def random_part(stream: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, width, height) of a random part of an image of this size.

    After ten draws that don't fit, the largest centred part whose sides' ratio is allowed.
    """
    for _ in range(ATTEMPTS):
        area = width * height * between(stream, SMALLEST_AREA, 1.0)
        ratio = math.exp(between(stream, -math.log(WIDEST), math.log(WIDEST)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(below(stream, width - w + 1)), int(below(stream, height - h + 1)), w, h
    w, h = min(width, round(height * WIDEST)), min(height, round(width * WIDEST))
    return (width - w) // 2, (height - h) // 2, w, h


@compiled
def _gather(source, indices, seed, epoch, flip, pad, out):
    height, width, channels = source.shape[1:]
    line = width * channels
    state = np.empty(1, np.uint64)
    for row in range(indices.size):
        image = source[indices[row]].ravel()
        target = out[row].ravel()
        start(state, np.int64(seed), np.int64(epoch), np.int64(indices[row]), np.int64(SHARED_VIEW))
        mirrored = below(state, 2) == 1 and flip
        top = below(state, 2 * pad + 1) - pad
        left = below(state, 2 * pad + 1) - pad
        # Pixel (y, x) comes from (y + top, x + left) of the mirrored image, where that lies inside.
        begin, end = min(max(0, -left), width) * channels, max(width - max(0, left), 0) * channels
        for y in range(height):
            to = y * line
            if not 0 <= y + top < height:
                target[to : to + line] = 0
                continue
            target[to : to + begin] = 0
            target[to + end : to + line] = 0
            base = (y + top) * line
            if mirrored:
                for x in range(begin // channels, end // channels):
                    place = base + (width - 1 - (x + left)) * channels
                    for c in range(channels):
                        target[np.uintp(to + x * channels + c)] = image[np.uintp(place + c)]
            else:
                shift = base + left * channels
                for i in range(begin, end):
                    target[np.uintp(to + i)] = image[np.uintp(shift + i)]


@compiled
def _place(pixels, mirrored, target):
    """Copy an image, mirrored or not: uint8[H, W, C] both. (NumPy takes 0.2 ms for a mirrored one of 224 pixels.)"""
    height, width, channels = pixels.shape
    source, into = pixels.ravel(), target.ravel()
    for y in range(height):
        row = y * width * channels
        if not mirrored:
            for i in range(row, row + width * channels):
                into[np.uintp(i)] = source[np.uintp(i)]
        elif channels == 3:
            for x in range(width):
                to, at = row + x * 3, row + (width - 1 - x) * 3
                for c in range(3):
                    into[np.uintp(to + c)] = source[np.uintp(at + c)]
        else:
            for x in range(width):
                for c in range(channels):
                    into[np.uintp(row + x * channels + c)] = source[np.uintp(row + (width - 1 - x) * channels + c)]
