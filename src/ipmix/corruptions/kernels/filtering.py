"""Separable filters over interleaved float32 rows: an image of C channels is float32[H, W * C].

A shift by one pixel is a shift by C values, so that every pass is a sum of shifted rows, which the compiler
turns into wide instructions for any number of channels.
"""

import math
from functools import lru_cache

import numpy as np

from ipmix.core.compiling import compiled, inlined

ROUNDING = np.float32(1.0 / 1024.0)
"""Added before a level is cut off: sums in float32 may fall just below the whole number that they stand
for."""


@lru_cache(maxsize=256)
def gaussian_weights(sigma: float, truncate: float = 4.0) -> np.ndarray:
    """One half of a Gaussian kernel, centre first, that sums to 1 with its mirror image: float32[radius +
    1]."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return np.ones(1, np.float32)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    weights /= weights[0] + 2.0 * weights[1:].sum()
    return weights.astype(np.float32)


@inlined
def level(value):
    """A float32 level cut to 0 .. 255 and cut off to uint8."""
    return np.uint8(np.int32(min(max(value + ROUNDING, np.float32(0.0)), np.float32(255.0))))


@inlined
def mirrored(i, n):
    """Index ``i`` in 0 .. n-1, mirrored about the first and last pixel (which are not repeated)."""
    if n == 1:
        return 0
    period = 2 * (n - 1)
    i = abs(i) % period
    return min(i, period - i)


@compiled
def to_rows(image, rows):
    """uint8[H, W, C] -> float32[H, W * C]."""
    height, width, channels = image.shape
    flat = image.reshape(height, width * channels)
    for y in range(height):
        source, target = flat[y], rows[y]
        for x in range(width * channels):
            target[x] = source[x]


@compiled
def to_levels(rows, image):
    """float32[H, W * C] -> uint8[H, W, C], cut off."""
    height, width, channels = image.shape
    flat = image.reshape(height, width * channels)
    for y in range(height):
        source, target = rows[y], flat[y]
        for x in range(width * channels):
            target[x] = level(source[x])


@compiled
def blur_across(rows, out, channels, weights, padded):
    """Filter every row with a symmetric kernel (one half of it, centre first); the edge pixel is repeated.

    rows and out are float32[H, W * C] and may be the same array; ``padded`` is room, float32[(W + 2 radius)
    * C].
    """
    height, width = rows.shape
    radius = weights.size - 1
    margin = radius * channels
    for y in range(height):
        row, target = rows[y], out[y]
        for x in range(margin):
            padded[x] = row[x % channels]
            padded[margin + width + x] = row[width - channels + x % channels]
        padded[margin : margin + width] = row
        centre = padded[margin : margin + width]
        for x in range(width):
            target[x] = weights[0] * centre[x]
        for k in range(1, radius + 1):
            left = padded[margin - k * channels : margin - k * channels + width]
            right = padded[margin + k * channels : margin + k * channels + width]
            weight = weights[k]
            for x in range(width):
                target[x] += weight * (left[x] + right[x])


@compiled
def blur_down(rows, y, weights, total):
    """Row ``y`` of the columns filtered with a symmetric kernel, edge repeated: into float32[W * C]."""
    height, width = rows.shape
    row = rows[y]
    for x in range(width):
        total[x] = weights[0] * row[x]
    for k in range(1, weights.size):
        above, below = rows[max(y - k, 0)], rows[min(y + k, height - 1)]
        weight = weights[k]
        for x in range(width):
            total[x] += weight * (above[x] + below[x])


@compiled
def blur(rows, out, channels, weights):
    """Filter across and down, edge repeated: float32[H, W * C] -> ``out``, another array of that shape."""
    height, width = rows.shape
    if weights.size == 1:
        out[:] = rows
        return
    across = np.empty((height, width), np.float32)
    padded = np.empty(width + 2 * (weights.size - 1) * channels, np.float32)
    blur_across(rows, across, channels, weights, padded)
    for y in range(height):
        blur_down(across, y, weights, out[y])


@lru_cache(maxsize=256)
def scipy_weights(sigma: float, truncate: float = 4.0) -> np.ndarray:
    """:func:`gaussian_weights` to SciPy's last bit, for :func:`blur_as_scipy`: float64[radius + 1]."""
    radius = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    return weights[radius:].copy()


@compiled
def blur_as_scipy(image, out, weights, rows, line, total):
    """``uint8(gaussian_filter(image / 255) * 255)`` bit for bit: uint8[H, W, C] -> ``out``, which may be ``image``.

    float64, first down, then across, the edge pixel repeated; the centre first, then the taps from the farthest
    inwards. Sums of whole numbers that fall just short are so cut to the level below, as in the public code.
    Scratch: rows float64[H, W * C], line float64[(W + 2 radius) * C], total float64[W * C].
    """
    height, values = rows.shape
    channels = image.shape[2]
    radius = weights.size - 1
    margin = radius * channels
    source, target = image.reshape(height, values), out.reshape(height, values)
    for y in range(height):
        row = rows[y]
        for x in range(values):
            row[x] = source[y, x] / 255.0
    centre = line[margin : margin + values]
    for y in range(height):
        row = rows[y]
        for x in range(values):
            centre[x] = row[x] * weights[0]
        for k in range(radius, 0, -1):
            above, below = rows[max(y - k, 0)], rows[min(y + k, height - 1)]
            weight = weights[k]
            for x in range(values):
                centre[x] += (above[x] + below[x]) * weight
        for x in range(margin):
            line[x] = line[margin + x % channels]
            line[margin + values + x] = line[margin + values - channels + x % channels]
        for x in range(values):
            total[x] = centre[x] * weights[0]
        for k in range(radius, 0, -1):
            left = line[margin - k * channels : margin - k * channels + values]
            right = line[margin + k * channels : margin + k * channels + values]
            weight = weights[k]
            for x in range(values):
                total[x] += (left[x] + right[x]) * weight
        row = target[y]
        for x in range(values):
            row[x] = np.uint8(np.int32(total[x] * 255.0))


@lru_cache(maxsize=256)
def motion_weights(radius: float, sigma: float) -> np.ndarray:
    """The half Gaussian of a motion blur, one weight per step: float32[2 radius + 1], sum 1.

    Steps whose weight is below 1e-7 of a level's range are left out.
    """
    steps = np.arange(motion_width(radius))
    weights = np.exp(-0.5 * (steps / max(sigma, 1e-3)) ** 2)
    weights /= weights.sum()
    return weights[weights > 1e-7].astype(np.float32)


def motion_width(radius: float) -> int:
    """How many steps ImageMagick's motion blur takes: the width of its kernel."""
    return 2 * math.ceil(radius) + 1


@compiled
def smear(image, out, channels, weights, degrees, width):
    """Motion blur along a line at an angle, edge repeated: float32[H, W * C] -> ``out`` of that shape.

    As ImageMagick does it: the step ``i`` reads the pixel ``ceil(i x / hypot(x, y) - 0.5)`` to the right and as much
    of y below, where (x, y) is the line's end, ``width`` (from :func:`motion_width`) away. This arithmetic decides
    the ties: at -30 and -150 degrees every other step lies half-way between two pixels.
    """
    height, values = image.shape
    count = weights.size
    margin = count * channels
    turn = math.pi * degrees / 180.0
    end_x, end_y = width * math.cos(turn), width * math.sin(turn)
    length = math.hypot(end_y, end_x)
    padded = np.empty((height, values + 2 * margin), np.float32)
    for y in range(height):
        row, target = image[y], padded[y]
        target[margin : margin + values] = row
        for x in range(margin):
            target[x] = row[x % channels]
            target[margin + values + x] = row[values - channels + x % channels]
    for y in range(height):
        total = out[y]
        total[:] = np.float32(0.0)
        for i in range(count):
            right = math.ceil(i * end_x / length - 0.5) * channels
            below = math.ceil(i * end_y / length - 0.5)
            source = padded[min(max(y + below, 0), height - 1), margin + right : margin + right + values]
            weight = weights[i]
            for x in range(values):
                total[x] += weight * source[x]
