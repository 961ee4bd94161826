"""Operations that blend an image with a degenerate version of itself: color, contrast, sharpness.

As Pillow's ``ImageEnhance``: ``degenerate + factor * (image - degenerate)`` in float32, cut and clipped.
"""

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.pointwise import blend_table

U = np.uintp
F = np.float32


@helper
def _blend(degenerate, value, factor):
    d = F(degenerate)
    return np.uint8(min(max(d + factor * (F(value) - d), F(0)), F(255)))


@helper
def _luma(planes, i):
    """ITU-R 601 luma of three channels as Pillow rounds it."""
    red, green, blue = np.int64(planes[0, i]), np.int64(planes[1, i]), np.int64(planes[2, i])
    return (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16


@helper
def _mean(planes, i):
    """The rounded mean of the channels: what stands for grey where there are not three."""
    total = np.int64(0)
    for c in range(planes.shape[0]):
        total += planes[c, i]
    return (total + planes.shape[0] // 2) // planes.shape[0]


@separate
def color(source, target, first, last, factor):
    """Blend bytes ``first`` to ``last`` of every channel with the image's grey version."""
    f = F(factor)
    if source.shape[0] == 3:
        for i in range(first, last):
            grey = _luma(source, U(i))
            for c in range(3):
                target[c, U(i)] = _blend(grey, source[c, U(i)], f)
    else:
        for i in range(first, last):
            grey = _mean(source, U(i))
            for c in range(source.shape[0]):
                target[c, U(i)] = _blend(grey, source[c, U(i)], f)


@separate
def contrast_table(source, count, factor, table):
    """The table, uint8[C, 256], that blends with the image's mean grey, rounded."""
    total = np.int64(0)
    if source.shape[0] == 3:
        for i in range(count):
            total += _luma(source, U(i))
    else:
        for i in range(count):
            total += _mean(source, U(i))
    mean = np.int64(total / count + 0.5)
    for c in range(table.shape[0]):
        blend_table(mean, factor, table, c)


@helper
def _three(plane, i):
    return np.int32(plane[i - U(1)]) + np.int32(plane[i]) + np.int32(plane[i + U(1)])


@separate
def sharpness(source, target, height, width, top, bottom, factor):
    """Blend with the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13; border pixels are not smoothed."""
    f = F(factor)
    for c in range(source.shape[0]):
        a, b = source[c], target[c]
        for y in range(top, bottom):
            row = y * width
            if y == 0 or y == height - 1 or width < 3:
                for x in range(width):
                    b[U(row + x)] = _blend(a[U(row + x)], a[U(row + x)], f)
                continue
            b[U(row)] = a[U(row)]
            b[U(row + width - 1)] = a[U(row + width - 1)]
            for x in range(1, width - 1):
                i = U(row + x)
                above, below = i - U(width), i + U(width)
                total = 4 * np.int32(a[i]) + _three(a, above) + _three(a, i) + _three(a, below)
                b[i] = _blend((2 * total + 13) // 26, a[i], f)
