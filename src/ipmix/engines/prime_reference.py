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
    """Standard normal numbers from a seed: two for each 64 bits of its stream (Box and Muller).

    The upper 32 bits say the radius, the lower 32 the angle. That is fine enough: the largest number is 6.8, which is
    surpassed once in 10**11.
    """

    def __init__(self, seed: int) -> None:
        self._state = int(stream(SALT, seed, 0, 0)[0])

    def pairs(self, count: int) -> np.ndarray:
        """The next ``count`` pairs, float64[count, 2]."""
        places = np.arange(1, count + 1, dtype=np.uint64)
        bits = mix.py_func(np.uint64(self._state) + places * GOLDEN)
        self._state = (self._state + count * int(GOLDEN)) % 2**64
        radius = np.sqrt(-2 * np.log(((bits >> np.uint64(32)) + 0.5) / 2**32))
        angle = 2 * np.pi * (bits & np.uint64(2**32 - 1)) / 2**32
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    def draw(self, count: int) -> np.ndarray:
        """The next ``count`` numbers, float64. An odd count leaves the last one's partner unused."""
        return self.pairs((count + 1) // 2).ravel()[:count]


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
    strength = math.sqrt(np.float32(step.level))
    across, down = _fields(Normals(step.seed), int(step.a), height, width)
    y, x = np.mgrid[0:height, 0:width]
    y, x = y - strength * height * down, x - strength * width * across
    return _bilinear(values, np.clip(y, 0, height - 1), np.clip(x, 0, width - 1))


def _fields(normals: Normals, cut: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two independent sums of ``g_ij / r * sin(pi i x) * sin(pi j y)``, over i, j >= 1 with r = |(i, j)| < cut + 1/2.

    x and y are the pixels' places in [0, 1]. On them, waves of many frequencies look alike (:func:`variances`): what
    is drawn is one normal number for all of them together, with the sum of their variances.
    """
    spread = np.sqrt(variances(cut, height, width))
    pairs = normals.pairs(spread.size).reshape(*spread.shape, 2)
    waves_x, waves_y = (
        np.sin(np.pi * np.outer(np.arange(1, count + 1), np.linspace(0, 1, side)))
        for count, side in zip(spread.shape[::-1], (width, height))
    )
    across, down = (waves_y.T @ (spread * pairs[:, :, k]) @ waves_x for k in (0, 1))
    return across, down


def variances(cut: int, height: int, width: int) -> np.ndarray:
    """The variance of each frequency that can be told apart on the pixels: float64[most_y, most_x].

    On ``n + 1`` pixels from 0 to 1, a wave of frequency f is that of f + 2n, and the negative of that of 2n - f; those
    of 0 and n vanish. So at most ``n - 1`` are left, and each has the sum of ``1 / r**2`` over all that look like it.
    """
    i, j = np.mgrid[1 : cut + 1, 1 : cut + 1]
    square = i * i + j * j
    inside = np.sqrt(square) < cut + 0.5
    seen_x, seen_y = _seen_as(np.arange(cut + 1), width - 1), _seen_as(np.arange(cut + 1), height - 1)
    most_x, most_y = (max(min(cut, side - 2), 0) for side in (width, height))
    summed = np.zeros((cut + 1, cut + 1))
    np.add.at(summed, (seen_y[j[inside]], seen_x[i[inside]]), 1 / square[inside])
    return summed[1 : most_y + 1, 1 : most_x + 1]


def _seen_as(frequency: np.ndarray, period: int) -> np.ndarray:
    """The frequency below ``period`` whose wave looks the same on ``period + 1`` pixels; 0 for none."""
    if period == 0:
        return np.zeros_like(frequency)
    rest = frequency % (2 * period)
    return np.where(rest % period == 0, 0, np.minimum(rest, 2 * period - rest))


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
