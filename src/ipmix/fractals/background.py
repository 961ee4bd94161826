"""Clouds behind a fractal: the diamond-square algorithm on a torus, coloured by hue, saturation and value.

Formulas: the public code of Anderson and Farrell, "Improving Fractal Pre-training" (WACV 2022).
"""

import numpy as np

from ipmix.compiling import compiled
from ipmix.fractals.colour import byte, hue_channel
from ipmix.fractals.elementary import exponential
from ipmix.randomness import between, uniform


@compiled
def diamond_square(state, decay, clouds):  # type: ignore[no-untyped-def]
    """Fill ``clouds`` (float64[s, s], s a power of two) with a fractal height field in [0, 1].

    The k-th halving adds noise of +-0.5 exp(decay (1 - k)); edges wrap around.
    """
    side = clouds.shape[0]
    clouds[0, 0] = uniform(state)
    step = side
    k = 1
    while step > 1:
        half = step // 2
        amplitude = 0.5 * exponential(decay * (1.0 - k) * 1.4426950408889634)
        for y in range(0, side, step):
            below_it = (y + step) % side
            for x in range(0, side, step):
                right = (x + step) % side
                mean = 0.25 * (
                    clouds[y, x] + clouds[y, right] + clouds[below_it, x] + clouds[below_it, right]
                )
                clouds[y + half, x + half] = mean + amplitude * between(state, -1.0, 1.0)
        for y in range(0, side, half):
            up = (y - half + side) % side
            down = (y + half) % side
            for x in range(half if (y // half) % 2 == 0 else 0, side, step):
                left = (x - half + side) % side
                right = (x + half) % side
                mean = 0.25 * (clouds[up, x] + clouds[down, x] + clouds[y, left] + clouds[y, right])
                clouds[y, x] = mean + amplitude * between(state, -1.0, 1.0)
        step = half
        k += 1
    low = clouds.min()
    scale = 1.0 / max(clouds.max() - low, 1e-9)
    for y in range(side):
        for x in range(side):
            clouds[y, x] = (clouds[y, x] - low) * scale


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
    for y in range(height):
        for x in range(width):
            cloud = clouds[y, x]
            hue = hue_scale * cloud + hue_shift
            saturation = min(saturation_scale * cloud + saturation_shift, 1.0)
            value = min(value_scale * cloud + value_shift, 1.0)
            for c in range(3):
                picture[y, x, c] = byte(hue_channel(hue, saturation, value, c))
