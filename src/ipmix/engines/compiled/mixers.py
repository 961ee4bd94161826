"""The mixers: a box of the chain's image with the same box of another, in place.

``current`` is ``uint8[C, P]`` with rows of ``width`` bytes. The other image is ``uint8[C, Q]`` with rows of
``stride`` bytes; its pixel over (0, 0) is at ``origin``.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.core.randomness import mask_hash
from ipmix.engines.compiled.fixed_point import power_of_two
from ipmix.engines.numpy_engine import LOG2, TERMS
from ipmix.recipe.format import ADD, FILL, MULTIPLY, PASTE, RANDOM_ELEMENTS, ROUND, WRAP

U = np.uintp
F = np.float32

LANES = 16
"""Masks come in rows of a multiple of this."""


@helper
def mix_box(step, overflow, current, other, width, stride, origin, scratch):
    """Carry out one mixing step; ``scratch`` is a :class:`~ipmix.engines.compiled.workspace.MixingScratch`."""
    left, top, right, bottom = (
        np.int64(step.left),
        np.int64(step.top),
        np.int64(step.right),
        np.int64(step.bottom),
    )
    across, down = right - left, bottom - top
    a0 = top * width + left
    b0 = origin + top * stride + left
    if step.mixer == ADD:
        _add(step.a, step.b, overflow, current, other, across, down, a0, width, b0, stride)
    elif step.mixer == MULTIPLY:
        _make_powers(np.float64(step.a), np.float64(step.b), scratch.powers, scratch.exponents, scratch.series)
        _multiply(scratch.powers, overflow, current, other, across, down, a0, width, b0, stride)
    elif step.mixer == PASTE:
        _paste(current, other, across, down, a0, width, b0, stride)
    elif step.mixer == FILL:
        _fill(np.uint8(step.a), np.uint8(step.b), np.uint8(step.level), current, across, down, a0, width)
    else:
        threshold = np.uint32(step.a * F(65536))
        planes = current.shape[0] if step.mixer == RANDOM_ELEMENTS else 1
        _choose(step.seed, threshold, planes, current, other, across, down, a0, width, b0, stride, scratch.masks)


@helper
def _clipped(value, half):
    return np.uint8(np.int32(min(max(value, F(0)), F(255)) + half))


@helper
def _wrapped(value):
    # Above 2**32 a float32 is a multiple of 512, so its byte is 0, as is that of infinity by convention.
    return np.uint8(np.int64(value) & 255) if abs(value) < F(4294967296.0) else np.uint8(0)


@separate
def _add(a_weight, b_weight, overflow, current, other, across, down, a0, width, b0, stride):
    constant = F(127.5) * (F(1) - a_weight - b_weight)
    half = F(0.5) if overflow == ROUND else F(0)
    for c in range(current.shape[0]):
        for y in range(down):
            i, j = a0 + y * width, b0 + y * stride
            if overflow != WRAP:
                for x in range(across):
                    current[U(c), U(i + x)] = _clipped(
                        a_weight * F(current[U(c), U(i + x)]) + b_weight * F(other[U(c), U(j + x)]) + constant, half
                    )
            else:
                for x in range(across):
                    current[U(c), U(i + x)] = _wrapped(
                        a_weight * F(current[U(c), U(i + x)]) + b_weight * F(other[U(c), U(j + x)]) + constant
                    )


@separate
def _make_powers(a_power, b_power, powers, exponents, series):
    """Both factors of multiply for every byte, float32[2, 256]; their product is the mixed value.

    A power is 2**(exponent * log2): the whole part goes into the bits of a float64, the rest through a series.
    The library's ``pow``, called 512 times, took longer than the mixing. ``exponents`` int64[256] and ``series``
    float64[256] are scratch.
    """
    for row in range(2):
        exponent = a_power if row == 0 else b_power
        factor = 127.5 if row == 0 else 1.0
        for v in range(256):
            x = exponent * LOG2[U(v)]
            whole = math.floor(x + 0.5)
            rest = x - whole
            total = TERMS[0]
            for n in range(1, 10):
                total = total * rest + TERMS[n]
            series[U(v)] = total * factor
            exponents[U(v)] = np.int64(whole)
        for v in range(256):
            powers[row, U(v)] = F(series[U(v)] * power_of_two(exponents[U(v)]))
    if a_power > 0.0:
        powers[0, 0] = F(0)  # an exact zero, for which the logarithm has a stand-in


@separate
def _multiply(powers, overflow, current, other, across, down, a0, width, b0, stride):
    half = F(0.5) if overflow == ROUND else F(0)
    for c in range(current.shape[0]):
        for y in range(down):
            i, j = a0 + y * width, b0 + y * stride
            if overflow != WRAP:
                for x in range(across):
                    current[U(c), U(i + x)] = _clipped(
                        powers[U(0), current[U(c), U(i + x)]] * powers[U(1), other[U(c), U(j + x)]], half
                    )
            else:
                for x in range(across):
                    current[U(c), U(i + x)] = _wrapped(
                        powers[U(0), current[U(c), U(i + x)]] * powers[U(1), other[U(c), U(j + x)]]
                    )


@separate
def _paste(current, other, across, down, a0, width, b0, stride):
    for c in range(current.shape[0]):
        for y in range(down):
            i, j = a0 + y * width, b0 + y * stride
            for x in range(across):
                current[U(c), U(i + x)] = other[U(c), U(j + x)]


@separate
def _fill(first, second, further, current, across, down, a0, width):
    for c in range(current.shape[0]):
        value = first if c == 0 else second if c == 1 else further
        for y in range(down):
            i = a0 + y * width
            for x in range(across):
                current[U(c), U(i + x)] = value


@separate
def _choose(seed, threshold, planes, current, other, across, down, a0, width, b0, stride, keep):
    """Keep a pixel where its 16 hashed bits are below the threshold, else take the other image's.

    The masks of several rows are made at once, as bytes of ones (keep) or zeros, in rows of ``pitch`` bytes: small
    boxes have short rows. Past a row's end the mask keeps, so that whole lanes can be written back.
    """
    if across == 0:
        return
    pairs = (across + 1) // 2
    pitch = (across + LANES - 1) // LANES * LANES
    most = keep.size // pitch
    channels = current.shape[0] // planes
    for p in range(planes):
        for first in range(0, down, most):
            rows = min(most, down - first)
            _make_masks(seed, threshold, (p * down + first) * pairs, rows, pairs, across, pitch, keep)
            for c in range(p * channels, (p + 1) * channels):
                for y in range(rows):
                    i, j, k = a0 + (first + y) * width, b0 + (first + y) * stride, y * pitch
                    # The other image may end right behind the box.
                    length = min(pitch, other.shape[1] - j)
                    for x in range(length):
                        mask = keep[U(k + x)]
                        current[U(c), U(i + x)] = (current[U(c), U(i + x)] & mask) | (other[U(c), U(j + x)] & ~mask)


@helper
def _make_masks(seed, threshold, position, rows, pairs, across, pitch, keep):
    for y in range(rows):
        start = np.uint32(position + y * pairs)
        for x in range(pairs):
            hashed = mask_hash(seed, start + np.uint32(x))
            low, high = np.uint16(hashed), np.uint16(hashed >> np.uint32(16))
            keep[U(y * pitch + 2 * x)] = 255 if low < threshold else 0
            keep[U(y * pitch + 2 * x + 1)] = 255 if high < threshold else 0
        x = across
        while x < pitch:
            keep[U(y * pitch + x)] = 255
            x += 1
