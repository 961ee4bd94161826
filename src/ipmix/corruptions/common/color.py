"""Brightness, saturation and contrast.

The public code goes through hue, saturation and value. A change of value alone multiplies a pixel's
channels by one factor, and a change of saturation alone scales their distances from the largest channel, so
that no hue is ever computed here; both forms hold for any number of channels.
"""

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.corruptions.common.noise import LEVELS, truncated
from ipmix.corruptions.task import Task


def brightness(task: Task) -> None:
    """Value + c, clipped to [0, 1]; value is a pixel's largest channel."""
    (offset,) = task.constants()
    brighten(_pixels(task.images), _pixels(task.out), *brightness_tables(offset))


def saturate(task: Task) -> None:
    """Saturation times a plus b, clipped to [0, 1]."""
    factor, offset = task.constants()
    change_saturation(_pixels(task.images), _pixels(task.out), factor, offset, truncated(LEVELS))


def contrast(task: Task) -> None:
    """(x - mean) c + mean, with the mean of each channel over the image."""
    (factor,) = task.constants()
    count = len(task.images)
    shape = (count, -1, task.channels)
    flatten_contrast(task.images.reshape(shape), task.out.reshape(shape), factor, LEVELS)


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, images.shape[3])


def brightness_tables(offset: float) -> tuple[np.ndarray, np.ndarray]:
    """For each largest channel: the level it becomes (uint8[256]), and its ratio to that before
    (float64[256])."""
    value = np.clip(LEVELS + offset, 0, 1)
    ratio = value / np.where(LEVELS == 0, 1, LEVELS)
    return truncated(value), ratio


@compiled
def brighten(pixels, out, level, ratio):
    """Scale each pixel (uint8[n, C]) so that its largest channel v becomes level[v]; ratio[v] is the
    factor."""
    count, channels = pixels.shape
    for i in range(count):
        value = pixels[i, 0]
        for c in range(1, channels):
            value = max(value, pixels[i, c])
        for c in range(channels):
            # The largest channels take the exact level; 0 stays black unless the whole pixel is black.
            out[i, c] = level[value] if pixels[i, c] == value else np.uint8(pixels[i, c] * ratio[value])


@compiled
def change_saturation(pixels, out, factor, offset, same):
    """Change each pixel's saturation (uint8[n, C]); ``same`` (uint8[256]) is what an unchanged level
    becomes."""
    count, channels = pixels.shape
    for i in range(count):
        value, least = pixels[i, 0], pixels[i, 0]
        for c in range(1, channels):
            value = max(value, pixels[i, c])
            least = min(least, pixels[i, c])
        if value == least:
            # No hue: the public code takes hue 0, so that an offset tints a grey pixel red.
            out[i, 0] = same[value]
            for c in range(1, channels):
                out[i, c] = np.uint8(value * (1.0 - min(max(offset, 0.0), 1.0)) + 1e-6)
            continue
        saturation = (np.float64(value) - np.float64(least)) / np.float64(value)
        changed = min(max(saturation * factor + offset, 0.0), 1.0)
        scale = changed / saturation
        for c in range(channels):
            distance = (np.float64(value) - np.float64(pixels[i, c])) * scale
            out[i, c] = same[value] if distance == 0.0 else np.uint8(max(value - distance, 0.0) + 1e-6)


@compiled
def flatten_contrast(images, out, factor, levels):
    """Pull each channel towards its mean: uint8[n, pixels, C], one table of 256 levels per channel."""
    count, size, channels = images.shape
    table = np.empty((channels, 256), np.uint8)
    for i in range(count):
        for c in range(channels):
            total = 0
            for p in range(size):
                total += images[i, p, c]
            mean = total / 255.0 / size
            for v in range(256):
                changed = (levels[v] - mean) * factor + mean
                table[c, v] = np.uint8(min(max(changed, 0.0), 1.0) * 255)
        for p in range(size):
            for c in range(channels):
                out[i, p, c] = table[c, images[i, p, c]]
