"""Clouds behind a fractal: the diamond-square algorithm on a torus, coloured by hue, saturation and value.

Formulas: the public code of Anderson and Farrell, "Improving Fractal Pre-training" (WACV 2022).
"""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.colour import byte, hue_channel
from ipmix.fractals.elementary import exponential
from ipmix.randomness import between, bits, uniform

HEIGHTS = 1024


@compiled
def diamond_square(state, decay, clouds):  # type: ignore[no-untyped-def]
    """Fill ``clouds`` (float64[s, s], s a power of two) with a fractal height field in [0, 1].

    The k-th halving adds noise of +-0.5 exp(decay (1 - k)); edges wrap around.
    """
    side = clouds.shape[0]
    clouds[0, 0] = uniform(state)
    # Every sum below runs over unsigned indices with powers of two for wrapping: a signed index would be
    # tested for being negative at each read.
    wrap = np.uint64(side - 1)
    drawn = np.uint64(0)
    step = side
    k = 1
    while step > 1:
        half = step // 2
        amplitude = 0.5 * exponential(decay * (1.0 - k) * 1.4426950408889634)
        whole = np.uint64(step)
        part = np.uint64(half)
        for row in range(0, side, step):
            y = np.uint64(row)
            down = (y + whole) & wrap
            left = 0
            for column in range(0, side, step):
                # Four steps of 16 bits from one draw: finer than the 1024 heights that are coloured.
                if left == 0:
                    drawn = bits(state)
                    left = 4
                noise = np.float64(np.int64(drawn & np.uint64(0xFFFF))) * (1.0 / 32768.0) - 1.0
                drawn = drawn >> np.uint64(16)
                left -= 1
                x = np.uint64(column)
                right = (x + whole) & wrap
                corners = clouds[y, x] + clouds[y, right] + clouds[down, x] + clouds[down, right]
                clouds[y + part, x + part] = 0.25 * corners + amplitude * noise
        for row in range(0, side, half):
            y = np.uint64(row)
            up = (y - part) & wrap
            down = (y + part) & wrap
            left = 0
            for column in range(half if (row // half) % 2 == 0 else 0, side, step):
                if left == 0:
                    drawn = bits(state)
                    left = 4
                noise = np.float64(np.int64(drawn & np.uint64(0xFFFF))) * (1.0 / 32768.0) - 1.0
                drawn = drawn >> np.uint64(16)
                left -= 1
                x = np.uint64(column)
                sides = clouds[up, x] + clouds[down, x] + clouds[y, (x - part) & wrap] + clouds[y, (x + part) & wrap]
                clouds[y, x] = 0.25 * sides + amplitude * noise
        step = half
        k += 1
    low = clouds.min()
    scale = 1.0 / max(clouds.max() - low, 1e-9)
    for i in range(side):
        for j in range(side):
            clouds[i, j] = (clouds[i, j] - low) * scale


@compiled
def paint_background(state, picture):  # type: ignore[no-untyped-def]
    """Fill ``picture`` (uint8[h, w, 3]) with coloured clouds."""
    height, width, _ = picture.shape
    side = 4
    while side < max(height, width):
        side *= 2
    clouds = np.empty((side, side))
    diamond_square(state, between(state, 0.4, 0.8), clouds)
    hue_scale = between(state, 0.25, 1.0)
    hue_shift = uniform(state)
    saturation_scale = between(state, 0.1, 0.3)
    saturation_shift = between(state, 0.4, 0.6)
    value_scale = between(state, 0.3, 0.6)
    value_shift = between(state, 0.4, 0.6)
    # Every colour is a function of the cloud's height: worked out once per height.
    table = np.empty((HEIGHTS, 3), np.uint8)
    for n in range(HEIGHTS):
        cloud = n / (HEIGHTS - 1.0)
        hue = hue_scale * cloud + hue_shift
        saturation = min(saturation_scale * cloud + saturation_shift, 1.0)
        value = min(value_scale * cloud + value_shift, 1.0)
        for c in range(3):
            table[n, c] = byte(hue_channel(hue, saturation, value, c))
    for y in range(height):
        for x in range(width):
            entry = np.uint64(clouds[y, x] * (HEIGHTS - 1.0) + 0.5)
            picture[y, x, 0] = table[entry, 0]
            picture[y, x, 1] = table[entry, 1]
            picture[y, x, 2] = table[entry, 2]
