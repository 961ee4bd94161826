"""Gaussian, shot, impulse and speckle noise.

Each of them changes a value (one of 256 levels) independently of all others, so that its whole law is a
table of 256 x 256 probabilities: the exact chance that level ``v`` becomes level ``k`` after the public
code's clipping and truncation. Sampling is one look-up per value with Walker's alias method, 24 random bits
each (8 choose the column, 16 decide between the column and its alias); a probability is right to one in a million.
"""

import math
from functools import lru_cache

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import GOLDEN, mix, start
from ipmix.corruptions.task import VIEW, Task

LEVELS = np.arange(256) / 255.0


def gaussian_noise(task: Task) -> None:
    """x + N(0, c), x in [0, 1]."""
    (deviation,) = task.constants()
    _apply(task, gaussian_law(deviation))


def shot_noise(task: Task) -> None:
    """Poisson(x c) / c: c photons at white."""
    (photons,) = task.constants()
    _apply(task, poisson_law(photons))


def impulse_noise(task: Task) -> None:
    """A share c of all values becomes black or white with equal chances (salt and pepper)."""
    (amount,) = task.constants()
    _apply(task, impulse_law(amount))


def speckle_noise(task: Task) -> None:
    """x + x N(0, c)."""
    (deviation,) = task.constants()
    _apply(task, speckle_law(deviation))


def _apply(task: Task, law: tuple[np.ndarray, np.ndarray]) -> None:
    count = len(task.images)
    resample(task.images.reshape(count, -1), task.out.reshape(count, -1), *task.key, *law)


def truncated(value: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] to levels in the public code's way: clip, times 255, cut off."""
    levels: np.ndarray = (np.clip(value, 0, 1) * 255).astype(np.uint8)
    return levels


@lru_cache(maxsize=64)
def gaussian_law(deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """The law of ``x + N(0, deviation)`` as alias tables: uint16[256, 256] and uint8[256, 256]."""
    return alias_tables(normal_probabilities(np.full(256, 255.0 * deviation)))


@lru_cache(maxsize=64)
def speckle_law(deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """The law of ``x + x N(0, deviation)`` as alias tables."""
    return alias_tables(normal_probabilities(255.0 * deviation * LEVELS))


@lru_cache(maxsize=64)
def poisson_law(photons: float) -> tuple[np.ndarray, np.ndarray]:
    """The law of ``Poisson(x photons) / photons`` as alias tables."""
    # Beyond this many photons even a white pixel's chance is below 1e-16.
    count = int(photons + 12.0 * math.sqrt(photons) + 40.0)
    outcome = truncated(np.arange(count) / photons)
    return alias_tables(poisson_probabilities(LEVELS * photons, outcome.astype(np.int64)))


@lru_cache(maxsize=64)
def impulse_law(amount: float) -> tuple[np.ndarray, np.ndarray]:
    """The law of salt and pepper noise as alias tables."""
    chances = np.zeros((256, 256))
    chances[np.arange(256), truncated(LEVELS)] = 1.0 - amount
    chances[:, 0] += 0.5 * amount
    chances[:, 255] += 0.5 * amount
    return alias_tables(chances)


@compiled
def normal_probabilities(deviations):
    """P(level v + N(0, deviations[v]), clipped and truncated, is k): float64[256] -> float64[256, 256]."""
    chances = np.zeros((256, 256))
    for level in range(256):
        if deviations[level] == 0.0:
            chances[level, level] = 1.0
            continue
        scale = 1.0 / (deviations[level] * math.sqrt(2.0))
        below = 0.0
        for k in range(255):
            upto = 0.5 * math.erfc((level - (k + 1)) * scale)
            chances[level, k] = upto - below
            below = upto
        chances[level, 255] = 0.5 * math.erfc((255 - level) * scale)
    return chances


@compiled
def poisson_probabilities(means, outcome):
    """P(level v becomes k): means float64[256] of the counts, outcome int64[n] the level that a count
    shows."""
    chances = np.zeros((256, 256))
    for level in range(256):
        if means[level] == 0.0:
            chances[level, 0] = 1.0
            continue
        total = 0.0
        for count in range(outcome.size):
            chance = math.exp(count * math.log(means[level]) - means[level] - math.lgamma(count + 1.0))
            chances[level, outcome[count]] += chance
            total += chance
        chances[level] /= total
    return chances


@compiled
def alias_tables(chances):
    """Walker's alias tables (Vose's construction) for every row: float64[256, 256] -> uint16, uint8 [256,
    256].

    Draw a column j and 16 bits b: the outcome is j where b < threshold[row, j], else alias[row, j]. A
    threshold of 65535 stands for 65536: there the alias is j itself.
    """
    threshold = np.empty((256, 256), np.uint16)
    alias = np.empty((256, 256), np.uint8)
    share = np.empty(256)
    small = np.empty(256, np.int64)
    large = np.empty(256, np.int64)
    for row in range(256):
        smalls, larges = 0, 0
        for j in range(256):
            share[j] = chances[row, j] * 256.0
            threshold[row, j] = 65535
            alias[row, j] = j
            if share[j] < 1.0:
                small[smalls] = j
                smalls += 1
            else:
                large[larges] = j
                larges += 1
        while smalls > 0 and larges > 0:
            smalls -= 1
            poor, rich = small[smalls], large[larges - 1]
            threshold[row, poor] = min(65535, int(share[poor] * 65536.0 + 0.5))
            alias[row, poor] = rich
            share[rich] -= 1.0 - share[poor]
            if share[rich] < 1.0:
                larges -= 1
                small[smalls] = rich
                smalls += 1
    return threshold, alias


@inlined
def _pick(threshold, alias, row, word):
    column = np.int64(word & np.uint64(0xFF))
    keep = ((word >> np.uint64(8)) & np.uint64(0xFFFF)) < np.uint64(threshold[row, column])
    # Arithmetic in place of a branch: it would be guessed wrong half of the time.
    other = np.int64(alias[row, column])
    return np.uint8(other + np.int64(keep) * (column - other))


@compiled
def resample(images, out, indices, seed, salt, threshold, alias):
    """Draw every value of ``out`` (uint8[n, values]) from the law of the same value of ``images``."""
    state = np.empty(1, np.uint64)
    values = images.shape[1]
    for i in range(images.shape[0]):
        start(state, seed, salt, indices[i], VIEW)
        counter = state[0]
        source, target = images[i], out[i]
        for p in range(values // 2):
            counter += GOLDEN
            word = mix(counter)
            target[2 * p] = _pick(threshold, alias, np.int64(source[2 * p]), word)
            target[2 * p + 1] = _pick(threshold, alias, np.int64(source[2 * p + 1]), word >> np.uint64(32))
        if values % 2:
            word = mix(counter + GOLDEN)
            target[values - 1] = _pick(threshold, alias, np.int64(source[values - 1]), word)
