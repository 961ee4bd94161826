"""Zoom blur, and the enlargement that it shares with snow."""

import math
from functools import lru_cache

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.corruptions.kernels.filtering import level, to_rows
from ipmix.corruptions.task import Task


def zoom_blur(task: Task) -> None:
    """The mean of the image and of its enlargements by the factors of a range, bilinear, about the centre."""
    end, step = task.constants()
    down = zoom_tables(tuple(np.arange(1, end, step)), task.height, task.corrected)
    across = zoom_tables(tuple(np.arange(1, end, step)), task.width, task.corrected)
    blend_zooms(task.images, task.out, *down, *across)


def zoom_line(factor: float, size: int, corrected: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each of ``size`` pixels comes from when a line is cropped about its centre and enlarged.

    The public code crops ``ceil(size / factor)`` pixels, enlarges them with SciPy's ``zoom`` (order 1: the
    corner pixels keep their centres) and trims the rest. Returns the pixel to the left (int64[size]) and
    the weights of it and of the next one (float32[size] each). SciPy takes a coordinate that rounding has
    put past the last pixel for outside and gives it 0, unless ``corrected``.
    """
    cropped = min(math.ceil(size / factor), size)
    begin = (size - cropped) // 2
    enlarged = max(round(cropped * factor), size)
    trim = (enlarged - size) // 2
    ratio = (cropped - 1) / (enlarged - 1) if enlarged > 1 else 0.0
    place = np.arange(trim, trim + size) * ratio
    outside = place > cropped - 1
    left = np.clip(np.floor(place).astype(np.int64), 0, max(cropped - 2, 0))
    share = np.clip(place - left, 0.0, 1.0)
    keep = 1.0 - share
    if not corrected:
        share[outside], keep[outside] = 0.0, 0.0
    return begin + left, keep.astype(np.float32), share.astype(np.float32)


@lru_cache(maxsize=64)
def zoom_tables(factors: tuple[float, ...], size: int, corrected: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`zoom_line` for each factor, stacked."""
    lines = [zoom_line(factor, size, corrected) for factor in factors]
    left, keep, share = (np.stack([line[k] for line in lines]) for k in range(3))
    return left, keep, share


@compiled
def add_zoomed(rows, out, channels, left_y, keep_y, share_y, left_x, keep_x, share_x):
    """Add one enlargement of float32[H, W * C] to ``out``, from the tables of :func:`zoom_line`."""
    height, values = rows.shape
    width = values // channels
    line = np.zeros(values + channels, np.float32)
    keep, share = np.empty(values, np.float32), np.empty(values, np.float32)
    # Where the distance to the source stays the same, the pixels are one run of plain shifted rows.
    bounds = np.empty(width + 1, np.int64)
    runs = 0
    for x in range(width):
        for c in range(channels):
            keep[x * channels + c], share[x * channels + c] = keep_x[x], share_x[x]
        if x == 0 or left_x[x] != left_x[x - 1] + 1:
            bounds[runs] = x
            runs += 1
    bounds[runs] = width
    begin, end = left_x[0] * channels, min((left_x[width - 1] + 2) * channels, values)
    for y in range(height):
        above, below = rows[left_y[y]], rows[min(left_y[y] + 1, height - 1)]
        for x in range(begin, end):
            line[x] = keep_y[y] * above[x] + share_y[y] * below[x]
        for run in range(runs):
            first, last = bounds[run] * channels, bounds[run + 1] * channels
            at = left_x[bounds[run]] * channels
            near, far = line[at : at + last - first], line[at + channels : at + channels + last - first]
            target, kept, shared = out[y, first:last], keep[first:last], share[first:last]
            for x in range(last - first):
                target[x] += kept[x] * near[x] + shared[x] * far[x]


@compiled
def blend_zooms(images, out, left_y, keep_y, share_y, left_x, keep_x, share_x):
    """Zoom blur of uint8[n, H, W, C]; the tables are those of :func:`zoom_tables`."""
    count, height, width, channels = images.shape
    rows = np.empty((height, width * channels), np.float32)
    total = np.empty_like(rows)
    factors = left_y.shape[0]
    scale = np.float32(1.0 / (factors + 1))
    for i in range(count):
        to_rows(images[i], rows)
        total[:] = rows
        for k in range(factors):
            add_zoomed(rows, total, channels, left_y[k], keep_y[k], share_y[k], left_x[k], keep_x[k], share_x[k])
        target = out[i].reshape(height, width * channels)
        for y in range(height):
            for x in range(width * channels):
                target[y, x] = level(total[y, x] * scale)
