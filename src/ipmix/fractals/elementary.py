"""Sine, logarithm, power and arctangent out of additions, multiplications and divisions only.

A mathematics library may round its sine differently on another machine, and one different bit in a chaotic
orbit makes another image. The functions here use nothing but IEEE 754's exactly rounded operations, so
every machine computes the same bits. They are also free of branches and calls, which lets a compiled loop
over them be vectorised. Errors are below 1e-9, far under what an image of 8 bits can show.

All but the ``single_`` ones take and return float64, and all are callable from compiled code and from plain Python.
"""

import numpy as np

from ipmix.core.compiling import inlined


@inlined
def sine_of_turns(turns):
    """sin(2 pi turns)."""
    # The triangle wave that folds every turn onto [-1/4, 1/4], where the series below converges quickly.
    t = turns - 0.25
    x = (abs(t - np.floor(t) - 0.5) - 0.25) * 6.283185307179586
    y = x * x
    # Taylor's series up to x**15; the next term is at most (pi/2)**17 / 17! = 6e-12.
    p = -7.647163731819816e-13 * y + 1.605904383682161e-10
    p = p * y - 2.505210838544172e-08
    p = p * y + 2.7557319223985893e-06
    p = p * y - 0.0001984126984126984
    p = p * y + 0.008333333333333333
    p = p * y - 0.16666666666666666
    return x + x * y * p


@inlined
def cosine_of_turns(turns):
    """cos(2 pi turns)."""
    return sine_of_turns(turns + 0.25)


@inlined
def logarithm(x):
    """log2(x) for a positive normal x. (0 gives about -1023, never an infinity or NaN.)"""
    raw = np.float64(x).view(np.int64)
    # Subtracting sqrt(1/2)'s bits splits x into 2**exponent * m with m in [sqrt(1/2), sqrt(2)).
    shifted = raw - np.int64(0x3FE6A09E667F3BCD)
    exponent = shifted >> np.int64(52)
    m = np.int64(raw - (exponent << np.int64(52))).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    y = s * s
    # log2(m) = 2/ln 2 * artanh(s), |s| < 0.1716: seven terms leave 2e-12.
    p = y * 0.15384615384615385 + 0.18181818181818182
    p = p * y + 0.2222222222222222
    p = p * y + 0.2857142857142857
    p = p * y + 0.4
    p = p * y + 0.6666666666666666
    p = p * y + 2.0
    return np.float64(exponent) + s * p * 1.4426950408889634


@inlined
def rough_logarithm(x):
    """log2(x) to within 2e-4, for a positive normal x: for colors, at half the price."""
    raw = np.float64(x).view(np.int64)
    m = np.int64((raw & np.int64(0xFFFFFFFFFFFFF)) | np.int64(0x3FF0000000000000)).view(np.float64)
    p = -0.0816157681 * m + 0.6451423713
    p = p * m - 2.1206751311
    p = p * m + 4.0700907918
    p = p * m - 2.5128546239
    return np.float64((raw >> np.int64(52)) - np.int64(1023)) + p


@inlined
def single_logarithm(x):
    """:func:`rough_logarithm` in single precision, float32 to float32: twice as many at once."""
    raw = np.float32(x).view(np.int32)
    m = np.int32((raw & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    p = np.float32(-0.0816157681) * m + np.float32(0.6451423713)
    p = p * m - np.float32(2.1206751311)
    p = p * m + np.float32(4.0700907918)
    p = p * m - np.float32(2.5128546239)
    return np.float32(np.int32((raw >> np.int32(23)) - np.int32(127))) + p


@inlined
def single_power(base, exponent):
    """base**exponent to within 1e-3 of itself, in single precision, for bases in [1e-30, 1] and exponents in (0, 1]."""
    x = single_logarithm(base) * exponent
    whole = np.floor(x)
    z = x - whole
    # 2**z on [0, 1): a cubic with the right values at both ends.
    p = np.float32(0.0790209) * z + np.float32(0.2241263)
    p = p * z + np.float32(0.6968528)
    p = p * z + np.float32(1.0)
    return p * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@inlined
def exponential(x):
    """2**x for x clipped to [-1000, 1000]."""
    x = min(max(x, -1000.0), 1000.0)
    whole = np.floor(x + 0.5)
    z = (x - whole) * 0.6931471805599453
    # e**z by its series, |z| < 0.347: the next term is 2e-12.
    p = z * 2.48015873015873e-05 + 0.0001984126984126984
    p = p * z + 0.001388888888888889
    p = p * z + 0.008333333333333333
    p = p * z + 0.041666666666666664
    p = p * z + 0.16666666666666666
    p = p * z + 0.5
    p = p * z + 1.0
    p = p * z + 1.0
    return p * np.int64((np.int64(whole) + np.int64(1023)) << np.int64(52)).view(np.float64)


@inlined
def power(base, exponent):
    """base**exponent for base >= 0 (0 stays about 0 for a positive exponent)."""
    return exponential(exponent * logarithm(base))


@inlined
def turns_of(y, x):
    """The direction of the point (x, y) in turns, in [-1/2, 1/2]: arctan2(y, x) / (2 pi); 0 at the origin."""
    ax = abs(x)
    ay = abs(y)
    high = max(ax, ay)
    low = min(ax, ay)
    t = low / max(high, 1e-300)
    # arctan(t) = pi/8 + arctan((t - k) / (1 + k t)), k = tan(pi/8): the series then runs over |u| < 0.4143.
    k = 0.41421356237309503
    u = (t - k) / (1.0 + k * t)
    w = u * u
    p = w * 0.047619047619047616 - 0.05263157894736842
    p = p * w + 0.058823529411764705
    p = p * w - 0.06666666666666667
    p = p * w + 0.07692307692307693
    p = p * w - 0.09090909090909091
    p = p * w + 0.1111111111111111
    p = p * w - 0.14285714285714285
    p = p * w + 0.2
    p = p * w - 0.3333333333333333
    angle = 0.0625 + (u + u * w * p) * 0.15915494309189535
    angle = angle if high > 0.0 else 0.0
    angle = 0.25 - angle if ay > ax else angle
    angle = 0.5 - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle
