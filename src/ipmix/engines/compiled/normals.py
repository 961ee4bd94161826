"""Standard normal numbers by the hundreds: those of ``engines/prime_reference.py``, as float32.

Box and Muller's formula with polynomials in place of the library's functions, which LLVM can't put into lanes: a
nanosecond a number instead of ten. The relative error is about 1e-7.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.core.randomness import GOLDEN, mix
from ipmix.engines.compiled.float_bits import angle, cosine_of, fused, sine_of, unit_exponent, unit_factor
from ipmix.engines.numpy_prime import COSINE, LN2, LOGARITHM, SINE

U = np.uintp
F = np.float32

L8, L7, L6, L5, L4, L3, L2, L1, L0 = LOGARITHM
S2, S1, S0 = SINE
C2, C1, C0 = COSINE


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
