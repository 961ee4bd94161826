"""Frost grown by a procedure, for where the public photographs can't be had. Not comparable with published
results."""

import math

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import start, uniform

PLUMES = 70
"""Feathers of ice in one image."""


def grow(height: int, width: int, seed: int) -> np.ndarray:
    """An image of frost, uint8[height, width, 3]: feathers of ice over a dim blue ground, a function of
    the seed."""
    ice = np.zeros((height, width))
    draw_plumes(ice, np.int64(seed), np.int64(PLUMES))
    grain = np.zeros((height, width))
    add_grain(grain, np.int64(seed))
    light = 1.0 - np.exp(-(0.55 * ice + 0.35 * grain))
    ground, bright = np.array([38.0, 62.0, 96.0]), np.array([232.0, 243.0, 252.0])
    image: np.ndarray = (ground + light[..., None] * (bright - ground)).round().astype(np.uint8)
    return image


@compiled
def _stroke(ice, y, x, angle, length, strength):
    # One straight needle that thins out towards its tip; places wrap around.
    height, width = ice.shape
    for step in range(int(length)):
        light = strength * (1.0 - step / length)
        row, column = int(y + step * math.sin(angle)), int(x + step * math.cos(angle))
        for k in range(-1, 2):
            share = 1.0 if k == 0 else 0.35
            ice[(row + k) % height, column % width] += light * share
            if k != 0:
                ice[row % height, (column + k) % width] += light * share


@compiled
def draw_plumes(ice, seed, count):
    """Draw feathers: a bent spine with needles on both sides at 60 degrees, as ice crystals grow."""
    height, width = ice.shape
    state = np.empty(1, np.uint64)
    start(state, seed, 0, 0, 0xF205)
    for _ in range(count):
        y, x = height * uniform(state), width * uniform(state)
        angle = 2.0 * math.pi * uniform(state)
        bend = 0.004 * (uniform(state) - 0.5)
        length = min(height, width) * (0.25 + 0.5 * uniform(state))
        for step in range(int(length)):
            left = 1.0 - step / length
            ice[int(y) % height, int(x) % width] += 0.5 * left + 0.2
            if step % 3 == 0:
                needle = 4.0 + 0.28 * length * left * (0.4 + 0.6 * uniform(state))
                _stroke(ice, y, x, angle + math.pi / 3.0 + 0.1 * (uniform(state) - 0.5), needle, 0.45)
                _stroke(ice, y, x, angle - math.pi / 3.0 + 0.1 * (uniform(state) - 0.5), needle, 0.45)
            angle += bend
            y += math.sin(angle)
            x += math.cos(angle)


@compiled
def add_grain(field, seed):
    """Fill with smooth noise of five octaves (values on lattices, cosine in between), about 0 .. 1.5."""
    height, width = field.shape
    state = np.empty(1, np.uint64)
    for octave in range(5):
        start(state, seed, octave, 0, 0xF206)
        cell = 96 >> octave
        rows, columns = height // cell + 2, width // cell + 2
        lattice = np.empty((rows, columns))
        for r in range(rows):
            for c in range(columns):
                lattice[r, c] = uniform(state)
        for y in range(height):
            r = y // cell
            share_y = 0.5 - 0.5 * math.cos(math.pi * (y - r * cell) / cell)
            for x in range(width):
                c = x // cell
                share_x = 0.5 - 0.5 * math.cos(math.pi * (x - c * cell) / cell)
                upper = lattice[r, c] * (1.0 - share_x) + lattice[r, c + 1] * share_x
                lower = lattice[r + 1, c] * (1.0 - share_x) + lattice[r + 1, c + 1] * share_x
                field[y, x] += (upper * (1.0 - share_y) + lower * share_y) * 0.75 ** (octave + 1)
