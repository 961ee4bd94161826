"""PRIME's three operations in plain NumPy: the definition.

Modas, Rade, Ortiz-Jimenez, Moosavi-Dezfooli, Frossard, "PRIME: A Few Primitives Can Boost Robustness to Common
Corruptions", ECCV 2022 (arXiv 2112.13547), and the authors' public code. Each step draws random numbers of its
own from its seed, so that a recipe stays small; images are in [0, 1] here, and rounded to bytes at the end.
"""

import math

import numpy as np

from ipmix.core.randomness import GOLDEN, mix, stream
from ipmix.recipe.recipe import Step

SALT = 0x7072696D65
"""Keeps these numbers apart from those of the stream that drew the seed."""


def operate(step: Step, image: np.ndarray) -> np.ndarray:
    """Carry out one of the three on a whole image: uint8[H, W, C] -> uint8[H, W, C]."""
    values = OPERATIONS[step.operation](step, image / 255)
    return np.floor(255 * np.clip(values, 0, 1) + 0.5).astype(np.uint8)


class Normals:
    """Standard normal numbers from a seed: two for each two uniform ones (Box and Muller)."""

    def __init__(self, seed: int) -> None:
        self._state = int(stream(SALT, seed, 0, 0)[0])

    def draw(self, count: int) -> np.ndarray:
        """The next ``count`` numbers, float64. An odd count leaves the last one's partner unused."""
        pairs = (count + 1) // 2
        places = np.arange(1, 2 * pairs + 1, dtype=np.uint64)
        uniform = (mix.py_func(np.uint64(self._state) + places * GOLDEN) >> np.uint64(11)) * 2.0**-53
        self._state = (self._state + 2 * pairs * int(GOLDEN)) % 2**64
        radius, angle = np.sqrt(-2 * np.log(1 - uniform[::2])), 2 * np.pi * uniform[1::2]
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:count]


def spectral(step: Step, values: np.ndarray) -> np.ndarray:
    """A random 3x3 filter, the same for all channels, zeros outside of the image.

    The filter is a one in its middle (or ``a`` rows and columns below it: 1 in the authors' code) and ``level``
    times a normal number everywhere.
    """
    kernel = np.float32(step.level) * Normals(step.seed).draw(9).reshape(3, 3)
    kernel[1 + int(step.a), 1 + int(step.a)] += 1
    height, width = values.shape[:2]
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    return sum(kernel[y, x] * padded[y : y + height, x : x + width] for y in range(3) for x in range(3))


def color_curve(step: Step, values: np.ndarray) -> np.ndarray:
    """Each channel through a curve of its own: ``v + sqrt(level) * sum of g_k sin(pi k v)`` for k in a .. b."""
    frequencies = np.arange(int(step.a), int(step.b) + 1)
    normals = Normals(step.seed)
    out = values.copy()
    for channel in range(values.shape[2]):
        amplitudes = math.sqrt(np.float32(step.level)) * normals.draw(len(frequencies))
        before = values[:, :, channel]
        for amplitude, frequency in zip(amplitudes, frequencies):
            out[:, :, channel] += amplitude * np.sin(np.pi * frequency * before)
    return out


def spatial(step: Step, values: np.ndarray) -> np.ndarray:
    """A smooth random displacement of every pixel, at temperature ``level`` with frequencies up to ``a``."""
    height, width = values.shape[:2]
    normals = Normals(step.seed)
    strength = math.sqrt(np.float32(step.level))
    across = strength * width * _field(normals, int(step.a), height, width)
    down = strength * height * _field(normals, int(step.a), height, width)
    y, x = np.mgrid[0:height, 0:width]
    return _bilinear(values, np.clip(y - down, 0, height - 1), np.clip(x - across, 0, width - 1))


def _field(normals: Normals, cut: int, height: int, width: int) -> np.ndarray:
    """``sum of g_ij / r * sin(pi i x) * sin(pi j y)`` over i, j >= 1 with r = |(i, j)| < cut + 1/2; x, y in [0, 1]."""
    i, j = np.mgrid[1 : cut + 1, 1 : cut + 1]
    radius = np.hypot(i, j)
    inside = radius < cut + 0.5
    amplitudes = np.zeros((cut, cut))
    amplitudes[inside] = normals.draw(int(inside.sum())) / radius[inside]
    waves_x = np.sin(np.pi * np.outer(np.arange(1, cut + 1), np.linspace(0, 1, width)))
    waves_y = np.sin(np.pi * np.outer(np.arange(1, cut + 1), np.linspace(0, 1, height)))
    field: np.ndarray = waves_y.T @ amplitudes.T @ waves_x
    return field


def _bilinear(values: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, len(values) - 1), np.minimum(left + 1, values.shape[1] - 1)
    v, u = (y - top)[..., None], (x - left)[..., None]
    upper = (1 - u) * values[top, left] + u * values[top, right]
    lower = (1 - u) * values[below, left] + u * values[below, right]
    blended: np.ndarray = (1 - v) * upper + v * lower
    return blended


OPERATIONS = {"spectral": spectral, "color_curve": color_curve, "spatial": spatial}
"""The seeded operations by name."""
