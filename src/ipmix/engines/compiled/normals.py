"""Standard normal numbers by the hundreds: those of ``engines/prime_reference.py``, as float32.

Box and Muller's formula with polynomials in place of the library's functions, which LLVM can't put into lanes: a
nanosecond a number instead of ten. The relative error is about 1e-7.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.core.randomness import GOLDEN, mix
from ipmix.engines.compiled.float_bits import angle, cosine_of, fused, sine_of, unit_exponent, unit_factor

U = np.uintp
F = np.float32

LOGARITHM = [
    F(c)
    for c in (
        *(3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1),
        *(-1.2420140846e-1, 1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2),
    )
]
"""ln(1 + f) is f - f**2 / 2 + f**3 times this polynomial, from sqrt(1/2) to sqrt(2) (Moshier, Cephes, logf)."""

L0, L1, L2, L3, L4, L5, L6, L7, L8 = LOGARITHM
S0, S1, S2 = F(-1.6666654611e-1), F(8.3321608736e-3), F(-1.9515295891e-4)
C0, C1, C2 = F(4.166664568298827e-2), F(-1.388731625493765e-3), F(2.443315711809948e-5)
"""sin and cos from -pi/4 to pi/4 (Moshier, Cephes, sinf and cosf)."""
LN2 = F(math.log(2.0))


@helper
def fill_pairs(base, first, count, spread, words, evens, odds):
    """Pairs ``first`` to ``first + count`` of the stream that starts at ``base``, times ``spread``'s square root.

    spread, evens and odds float32[*], of which ``count`` are read and written; words uint32[2, *] is scratch.
    """
    _hash(base, first, count, words[0], words[1])
    _shape(count, spread, words[0], words[1], evens, odds)


@separate
def _hash(base, first, count, upper, lower):
    for k in range(count):
        bits = mix(base + np.uint64(first + k + 1) * GOLDEN)
        upper[U(k)] = np.uint32(bits >> np.uint64(32))
        lower[U(k)] = np.uint32(bits)


@separate
def _shape(count, spread, upper, lower, evens, odds):
    for k in range(count):
        f = unit_factor(upper[U(k)]) - F(1)
        p = fused(fused(fused(fused(L8, f, L7), f, L6), f, L5), f, L4)
        p = fused(fused(fused(fused(p, f, L3), f, L2), f, L1), f, L0)
        square = f * f
        logarithm = fused(unit_exponent(upper[U(k)]), LN2, fused(square, fused(p, f, F(-0.5)), f))
        radius = F(math.sqrt(max(F(-2) * logarithm, F(0)) * spread[U(k)]))
        t = angle(lower[U(k)])
        z = t * t
        sine = fused(t * z, fused(fused(S2, z, S1), z, S0), t)
        cosine = fused(z * z, fused(fused(C2, z, C1), z, C0), fused(F(-0.5), z, F(1)))
        evens[U(k)] = radius * cosine_of(lower[U(k)], cosine, sine)
        odds[U(k)] = radius * sine_of(lower[U(k)], cosine, sine)
