"""JPEG compression and pixelation, as Pillow does them."""

import math
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image

from ipmix.core.compiling import compiled
from ipmix.corruptions.task import Task

PRECISION = 22
"""Bits after the point in Pillow's 8-bit resampling."""


def jpeg_compression(task: Task) -> None:
    """Write as JPEG of quality c and read again (three channels as color, any other number channel by
    channel)."""
    (quality,) = task.constants()
    for image, out in zip(task.images, task.out):
        if task.channels == 3:
            out[...] = _through_jpeg(image, round(quality))
        else:
            for c in range(task.channels):
                out[..., c] = _through_jpeg(image[..., c], round(quality))


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file, formats=["JPEG"]))


def pixelate(task: Task) -> None:
    """Shrink to a share c of the side with a box filter, and enlarge again."""
    (share,) = task.constants()
    height, width = max(int(task.height * share), 1), max(int(task.width * share), 1)
    down = box_weights(task.height, height), box_weights(task.width, width)
    up = box_weights(height, task.height), box_weights(width, task.width)
    small = np.empty((height, width, task.channels), np.uint8)
    shrink_and_enlarge(task.images, task.out, small, *down[0], *down[1], *up[0], *up[1])


@lru_cache(maxsize=256)
def box_weights(before: int, after: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pillow's box filter from ``before`` to ``after`` pixels: first pixels, counts, int64[after, n]
    weights."""
    scale = before / after
    stretch = max(scale, 1.0)
    first, count = np.empty(after, np.int64), np.empty(after, np.int64)
    weights = np.zeros((after, math.ceil(0.5 * stretch) * 2 + 1), np.int64)
    for target in range(after):
        centre = (target + 0.5) * scale
        low = max(int(centre - 0.5 * stretch + 0.5), 0)
        high = min(int(centre + 0.5 * stretch + 0.5), before)
        distance = (np.arange(low, high) - centre + 0.5) / stretch
        weight = ((distance > -0.5) & (distance <= 0.5)).astype(np.float64)
        weight /= weight.sum()
        first[target], count[target] = low, high - low
        weights[target, : high - low] = (weight * (1 << PRECISION) + 0.5).astype(np.int64)
    return first, count, weights


@compiled
def _resize(image, rows, out, y_first, y_count, y_weights, x_first, x_count, x_weights):
    # Across first, then down, with 8-bit values in between, as Pillow does; a pass that changes nothing is
    # exact.
    channels = image.shape[2]
    half = np.int64(1) << (PRECISION - 1)
    for y in range(image.shape[0]):
        for x in range(out.shape[1]):
            for c in range(channels):
                total = half
                for k in range(x_count[x]):
                    total += image[y, x_first[x] + k, c] * x_weights[x, k]
                rows[y, x, c] = min(total >> PRECISION, 255)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for c in range(channels):
                total = half
                for k in range(y_count[y]):
                    total += rows[y_first[y] + k, x, c] * y_weights[y, k]
                out[y, x, c] = min(total >> PRECISION, 255)


@compiled
def shrink_and_enlarge(images, out, small, a, b, c, d, e, f, g, h, i, j, k, l):  # noqa: E741
    """Pixelate every image; ``small`` is room for the small image, then the weights down and up (y, x
    each)."""
    rows_down = np.empty((images.shape[1], small.shape[1], small.shape[2]), np.uint8)
    rows_up = np.empty((small.shape[0], images.shape[2], small.shape[2]), np.uint8)
    for n in range(images.shape[0]):
        _resize(images[n], rows_down, small, a, b, c, d, e, f)
        _resize(small, rows_up, out[n], g, h, i, j, k, l)
