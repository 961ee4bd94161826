"""Is a picture worth keeping? Entropy, largest single colour and detail, measured on its pixels."""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.colour import luma
from ipmix.fractals.elementary import logarithm

LEAST_ENTROPY = 4.0
"""Bits in the histogram of 64 luma levels (at most 6; photographs lie around 5.2)."""

MOST_OF_ONE_COLOUR = 0.5
"""Share of the pixels that may fall into one of 4096 colours (4 bits a channel)."""

LEAST_DETAIL = 2.0
"""Mean absolute luma step between neighbours, in levels."""


@compiled
def measure(picture):  # type: ignore[no-untyped-def]
    """Entropy in bits, largest colour's share and mean luma step of ``picture``, uint8[h, w, 3]."""
    height, width, _ = picture.shape
    levels = np.zeros(64, np.int64)
    colours = np.zeros(4096, np.int64)
    steps = np.int64(0)
    above = np.zeros(width, np.int64)
    for y in range(height):
        left = np.int64(0)
        for x in range(width):
            r = picture[y, x, 0]
            g = picture[y, x, 1]
            b = picture[y, x, 2]
            light = luma(r, g, b)
            levels[light >> 2] += 1
            colours[((np.int64(r) >> 4) << 8) | ((np.int64(g) >> 4) << 4) | (np.int64(b) >> 4)] += 1
            if x > 0:
                steps += abs(light - left)
            if y > 0:
                steps += abs(light - above[x])
            left = light
            above[x] = light
    total = float(height * width)
    entropy = 0.0
    for count in levels:
        if count > 0:
            entropy -= count / total * logarithm(count / total)
    return entropy, colours.max() / total, steps / max(1.0, 2.0 * total)


@compiled
def is_dull(picture):  # type: ignore[no-untyped-def]
    """True for a picture (uint8[h, w, 3]) that is nearly blank, nearly one colour or nearly flat."""
    entropy, largest, detail = measure(picture)
    # A small picture has too few pixels to fill the histogram.
    least = min(LEAST_ENTROPY, 0.7 * logarithm(float(picture.shape[0] * picture.shape[1])) - 1.0)
    return entropy < least or largest > MOST_OF_ONE_COLOUR or detail < LEAST_DETAIL
