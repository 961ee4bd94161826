"""Sums of sine waves on a grid, as products of small matrices.

``sin(pi k x)`` at x and at 1 - x is the same for odd k, and the negative for even ones. So the odd and the even waves
are summed apart, for the first half of the points: E and O; the sum is E + O there, and E - O at the mirrored points.
"""

import math

import numpy as np

from ipmix.core.compiling import disjoint_helper, helper, separate
from ipmix.engines.compiled.float_bits import fused

U = np.uintp
F = np.float32

AT_ONCE = 8
"""Waves that are added in one pass over what is summed."""


@helper
def padded(count):
    """The next multiple of twice :data:`AT_ONCE`: frequencies are done in groups of so many, half of them odd."""
    return (count + 2 * AT_ONCE - 1) // (2 * AT_ONCE) * (2 * AT_ONCE)


@separate
def start_waves(period, points, series):
    """Prepare ``series`` float64[5, *] for :func:`next_waves`: the odd frequencies from 1, and the even ones from 2."""
    for x in range(points):
        angle = math.pi * x / period
        sine, cosine = math.sin(angle), math.cos(angle)
        series[0, U(x)] = 2.0 - 4.0 * sine * sine
        series[1, U(x)], series[2, U(x)] = -sine, sine
        series[3, U(x)], series[4, U(x)] = 0.0, 2.0 * sine * cosine


@helper
def next_waves(which, points, series, waves):
    """The next :data:`AT_ONCE` waves, each two frequencies above the one before: ``waves[k * points + x]``, float32.

    ``which``: 0 for those of ``series[1]`` and ``series[2]`` (the frequency before, and the next), 1 for the others.
    ``series[0]`` is 2 cos(2 x).
    """
    _next_waves(points, series[0], series[1 + 2 * which], series[2 + 2 * which], waves)


@separate
def _next_waves(points, twice, before, current, waves):
    """sin((k + 2) x) = 2 cos(2 x) sin(k x) - sin((k - 2) x), in float64, where the error stays below 1e-11."""
    for k in range(AT_ONCE):
        row = k * points
        for x in range(points):
            now = current[U(x)]
            waves[U(row + x)] = F(now)
            current[U(x)] = twice[U(x)] * now - before[U(x)]
            before[U(x)] = now


@separate
def add_products(factors, at, by_row, by_term, terms, first, pitch, out, to, by_out, rows, length):
    """``out[to + r * by_out + x] += sum of factors[at + r * by_row + k * by_term] * terms[first + k * pitch + x]``.

    k < :data:`AT_ONCE`, r < ``rows``, which is even, and x < ``length``. Two rows at a time, whose sixteen factors
    stay in registers.
    """
    a1, a2, a3 = first + pitch, first + 2 * pitch, first + 3 * pitch
    a4, a5, a6, a7 = first + 4 * pitch, first + 5 * pitch, first + 6 * pitch, first + 7 * pitch
    for r in range(0, rows, 2):
        i = at + r * by_row
        f0, f1, f2, f3 = factors[i], factors[i + by_term], factors[i + 2 * by_term], factors[i + 3 * by_term]
        i += 4 * by_term
        f4, f5, f6, f7 = factors[i], factors[i + by_term], factors[i + 2 * by_term], factors[i + 3 * by_term]
        i = at + (r + 1) * by_row
        g0, g1, g2, g3 = factors[i], factors[i + by_term], factors[i + 2 * by_term], factors[i + 3 * by_term]
        i += 4 * by_term
        g4, g5, g6, g7 = factors[i], factors[i + by_term], factors[i + 2 * by_term], factors[i + 3 * by_term]
        one, other = to + r * by_out, to + (r + 1) * by_out
        _add_rows(
            f0, f1, f2, f3, f4, f5, f6, f7, g0, g1, g2, g3, g4, g5, g6, g7,
            terms, first, a1, a2, a3, a4, a5, a6, a7, out[one:], out[other:], length,
        )  # fmt: skip


@disjoint_helper
def _add_rows(
    f0, f1, f2, f3, f4, f5, f6, f7, g0, g1, g2, g3, g4, g5, g6, g7,
    terms, a0, a1, a2, a3, a4, a5, a6, a7, one, other, length,
):  # fmt: skip
    for x in range(length):
        t0, t1, t2, t3 = terms[U(a0 + x)], terms[U(a1 + x)], terms[U(a2 + x)], terms[U(a3 + x)]
        t4, t5, t6, t7 = terms[U(a4 + x)], terms[U(a5 + x)], terms[U(a6 + x)], terms[U(a7 + x)]
        total = fused(f3, t3, fused(f2, t2, fused(f1, t1, fused(f0, t0, one[U(x)]))))
        one[U(x)] = fused(f7, t7, fused(f6, t6, fused(f5, t5, fused(f4, t4, total))))
        total = fused(g3, t3, fused(g2, t2, fused(g1, t1, fused(g0, t0, other[U(x)]))))
        other[U(x)] = fused(g7, t7, fused(g6, t6, fused(g5, t5, fused(g4, t4, total))))
