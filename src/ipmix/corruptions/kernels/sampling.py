"""Fields of normal and uniform numbers, filled inside compiled code."""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from ipmix.core.compiling import compiled
from ipmix.core.randomness import GOLDEN, mix, uniform

BINS = 65536


@lru_cache(maxsize=1)
def normal_table() -> np.ndarray:
    """The mean of the standard normal in each of 65536 equally likely bins: float32[65536].

    The first and last entry hold the bounds of the tails (about -4.17 and 4.17) instead: a number in a tail
    is drawn anew by :func:`fill_normal`.
    """
    law = NormalDist()
    bounds = np.array([law.inv_cdf(k / BINS) for k in range(1, BINS // 2 + 1)])
    density = np.exp(-0.5 * bounds**2) / math.sqrt(2.0 * math.pi)
    lower = np.concatenate(([bounds[0]], BINS * (density[:-1] - density[1:])))
    return np.concatenate((lower, -lower[::-1])).astype(np.float32)


@compiled
def _tail(state, bound):
    # A normal beyond ``bound``, by Marsaglia's (1964) exponential wedge.
    while True:
        x = -math.log(1.0 - uniform(state)) / bound
        if -2.0 * math.log(1.0 - uniform(state)) > x * x:
            return bound + x


@compiled
def fill_normal(state, out, mean, deviation, table):
    """Fill ``out`` (float32[n]) with N(mean, deviation), four numbers from 64 bits of the stream."""
    counter = state[0]
    word = np.uint64(0)
    for i in range(out.size):
        if i % 4 == 0:
            counter += GOLDEN
            word = mix(counter)
        index = np.int64(word & np.uint64(0xFFFF))
        word >>= np.uint64(16)
        value = float(table[index])
        if index == 0 or index == BINS - 1:
            state[0] = counter
            value = math.copysign(_tail(state, abs(value)), value)
            counter = state[0]
        out[i] = mean + deviation * value
    state[0] = counter


@compiled
def fill_uniform(state, out, low, high):
    """Fill ``out`` (float32[n]) with numbers in [low, high) of 32 bits each."""
    counter = state[0]
    word = np.uint64(0)
    scale = (high - low) / 4294967296.0
    for i in range(out.size):
        if i % 2 == 0:
            counter += GOLDEN
            word = mix(counter)
        out[i] = low + scale * np.float64(word & np.uint64(0xFFFFFFFF))
        word >>= np.uint64(32)
    state[0] = counter
