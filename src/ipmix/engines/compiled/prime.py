"""PRIME's three operations: a random filter, random curves for the colors, a smooth random displacement.

``engines/prime_reference.py`` has the formulas. Planes are ``uint8[C, P]``; the whole image is done. Results
are rounded to bytes, so that they are the reference's or, where its value is close to a half, one level beside.
"""

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.core.randomness import start
from ipmix.engines.compiled.displacement import displace, sizes_needed
from ipmix.engines.compiled.normals import fill_pairs
from ipmix.engines.compiled.sines import AT_ONCE, add_products, next_waves
from ipmix.engines.numpy_prime import SINES
from ipmix.recipe.operations import SPECTRAL

U = np.uintp
F = np.float32
SALT = np.int64(0x7072696D65)
"""The reference's, in ``engines/prime_reference.py``."""

HALF = 128
"""The values of a byte up to the middle; a wave's values for the others are the same, or their negatives."""


def scratch_sizes(height: int, width: int, channels: int) -> tuple[int, int]:
    """How many float32 numbers a step needs to write to, and the longest row of float64 numbers or of words."""
    floats, longest = sizes_needed(height, width)
    curves = AT_ONCE + 2 * AT_ONCE * HALF + (channels + 1) * (2 * AT_ONCE + 2 * HALF)
    return max(curves, floats), longest


@helper
def curve_table(step, scratch, table):
    """The step's color curves as a table, uint8[C, 256]; ``scratch`` is a workspace's
    :class:`~ipmix.engines.compiled.workspace.PrimeScratch`."""
    _curves(np.float64(step.level), np.int64(step.a), np.int64(step.b), _base(step, scratch), scratch, table)


@helper
def distort(code, step, source, target, height, width, padded, scratch):
    """Carry out a "spectral" or a "spatial" step on the whole image; ``padded`` uint8[C, *] is scratch as well."""
    level, a, base = np.float64(step.level), np.int64(step.a), _base(step, scratch)
    if code == SPECTRAL:
        _filter(level, a, base, source, target, height, width, padded, scratch)
    else:
        displace(level, a, base, source, target, height, width, scratch)


@helper
def _base(step, scratch):
    """Where the stream of the step's seed starts."""
    start(scratch.state, SALT, np.int64(step.seed), np.int64(0), np.int64(0))
    return scratch.state[0]


# --- spectral ---------------------------------------------------------------------------------------------


@separate
def _filter(sigma, offset, base, source, target, height, width, padded, scratch):
    numbers = scratch.floats
    for i in range(5):
        numbers[i] = F(1)
    fill_pairs(base, np.int64(0), np.int64(5), numbers[0:5], scratch.words, numbers[5:10], numbers[10:15])
    for i in range(9):
        numbers[15 + i] = F(sigma * (numbers[5 + i // 2] if i % 2 == 0 else numbers[10 + i // 2]))
    numbers = numbers[15:24]
    numbers[4 + 4 * offset] += F(1)
    pitch = width + 2
    for c in range(source.shape[0]):
        wide = padded[c]
        for x in range(pitch):
            wide[U(x)] = 0
            wide[U((height + 1) * pitch + x)] = 0
        for y in range(height):
            row = (y + 1) * pitch
            wide[U(row)] = 0
            wide[U(row + width + 1)] = 0
            for x in range(width):
                wide[U(row + 1 + x)] = source[U(c), U(y * width + x)]
        for y in range(height):
            _filter_row(wide, y * pitch, pitch, numbers, target[c], y * width, width)


@helper
def _filter_row(wide, first, pitch, kernel, target, row, width):
    k0, k1, k2 = kernel[0], kernel[1], kernel[2]
    k3, k4, k5 = kernel[3], kernel[4], kernel[5]
    k6, k7, k8 = kernel[6], kernel[7], kernel[8]
    for x in range(width):
        i = U(first + x)
        j = U(first + pitch + x)
        k = U(first + 2 * pitch + x)
        above = k0 * F(wide[i]) + k1 * F(wide[i + U(1)]) + k2 * F(wide[i + U(2)])
        beside = k3 * F(wide[j]) + k4 * F(wide[j + U(1)]) + k5 * F(wide[j + U(2)])
        below = k6 * F(wide[k]) + k7 * F(wide[k + U(1)]) + k8 * F(wide[k + U(2)])
        target[U(row + x)] = np.uint8(min(max(above + beside + below, F(0)), F(255)) + F(0.5))


# --- color curves ----------------------------------------------------------------------------------------


@separate
def _curves(temperature, first, last, base, scratch, table):
    """Odd and even waves apart, for the lower half of the values: see ``sines.py``."""
    pairs = (last - first + 2) // 2
    channels = table.shape[0]
    even_channels = (channels + 1) // 2 * 2
    # The pieces of one array.
    floats = scratch.floats
    a, b = AT_ONCE * even_channels, AT_ONCE * HALF
    spread, one, other = floats[0:AT_ONCE], floats[AT_ONCE : AT_ONCE + a], floats[AT_ONCE + a : AT_ONCE + 2 * a]
    rest = floats[AT_ONCE + 2 * a :]
    waves, sums = rest[0 : 2 * b], rest[2 * b : 2 * b + 2 * HALF * even_channels]
    for i in range(AT_ONCE):
        spread[i] = F(255.0 * 255.0 * temperature)
    for i in range(2 * a):
        floats[AT_ONCE + i] = F(0)
    for i in range(sums.size):
        sums[U(i)] = F(0)
    # Of the frequencies first, first + 1, ... the first numbers of the pairs take one half, the second the other.
    series = scratch.series
    for v in range(HALF):
        series[0, v] = 2.0 - 4.0 * SINES[v] * SINES[v]
        series[1, v], series[2, v] = SINES[(first - 2) * v % 510], SINES[first * v % 510]
        series[3, v], series[4, v] = SINES[(first - 1) * v % 510], SINES[(first + 1) * v % 510]
    for begin in range(0, pairs, AT_ONCE):
        next_waves(0, HALF, series, waves)
        next_waves(1, HALF, series, waves[b:])
        count = min(pairs - begin, AT_ONCE)
        for c in range(channels):
            i = c * AT_ONCE
            fill_pairs(base, c * pairs + begin, count, spread, scratch.words, one[i:], other[i:])
            for k in range(count, AT_ONCE):
                one[i + k] = F(0)
                other[i + k] = F(0)
            if begin + count == pairs and (last - first) % 2 == 0:
                other[i + count - 1] = F(0)  # an odd number of frequencies: the last one's partner is not used
        to = 0 if first % 2 == 1 else HALF
        add_products(one, 0, AT_ONCE, 1, waves, 0, HALF, sums, to, 2 * HALF, even_channels, HALF)
        add_products(other, 0, AT_ONCE, 1, waves, b, HALF, sums, HALF - to, 2 * HALF, even_channels, HALF)
    for c in range(channels):
        row = 2 * HALF * c
        for v in range(HALF):
            odd, even = sums[row + v], sums[row + HALF + v]
            table[c, v] = _to_byte(F(v) + (odd + even))
            table[c, 255 - v] = _to_byte(F(255 - v) + (odd - even))


@helper
def _to_byte(value):
    return np.uint8(min(max(value, F(0)), F(255)) + F(0.5))
