"""PRIME's three operations: a random filter, random curves for the colors, a smooth random displacement.

``engines/prime_reference.py`` has the formulas. Planes are ``uint8[C, P]``; the whole image is done. Results
are rounded to bytes, so that they are the reference's or, where its value is close to a half, one level beside.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.core.randomness import start, uniform
from ipmix.recipe.operations import SPECTRAL

U = np.uintp
F = np.float32
SALT = np.int64(0x7072696D65)
"""The reference's, in ``engines/prime_reference.py``."""


def scratch_size(height: int, width: int) -> int:
    """How many float64 numbers :func:`distort` needs to write to."""
    return max(4 * height * width + 3 * (height + width), 1024)


@helper
def curve_table(step, numbers, state, table):
    """The step's color curves as a table, uint8[C, 256]; ``numbers`` and ``state`` are scratch."""
    _start(state, step)
    _curves(np.float64(step.level), np.int64(step.a), np.int64(step.b), state, numbers, table)


@helper
def distort(code, step, source, target, height, width, padded, numbers, state):
    """Carry out a "spectral" or a "spatial" step on the whole image.

    ``padded`` uint8[C, *], ``numbers`` float64[:func:`scratch_size`] and ``state`` uint64[1] are scratch.
    """
    _start(state, step)
    level, a = np.float64(step.level), np.int64(step.a)
    if code == SPECTRAL:
        _filter(level, a, state, source, target, height, width, padded, numbers)
    else:
        _displace(level, a, state, source, target, height, width, numbers)


@helper
def _start(state, step):
    start(state, SALT, np.int64(step.seed), np.int64(0), np.int64(0))


@helper
def _pair(state):
    """Two standard normal numbers from two uniform ones."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(state)))
    angle = 2.0 * math.pi * uniform(state)
    return radius * math.cos(angle), radius * math.sin(angle)


@helper
def _to_byte(value):
    return np.uint8(min(max(value, 0.0), 255.0) + 0.5)


# --- spectral ---------------------------------------------------------------------------------------------


@separate
def _filter(sigma, offset, state, source, target, height, width, padded, numbers):
    for i in range(0, 10, 2):
        numbers[i], numbers[i + 1] = _pair(state)
    for i in range(9):
        numbers[i] = sigma * numbers[i]
    numbers[4 + 4 * offset] += 1.0
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
    k0, k1, k2 = F(kernel[0]), F(kernel[1]), F(kernel[2])
    k3, k4, k5 = F(kernel[3]), F(kernel[4]), F(kernel[5])
    k6, k7, k8 = F(kernel[6]), F(kernel[7]), F(kernel[8])
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
def _curves(temperature, first, last, state, numbers, table):
    """sin(k x) for one k after the other, from the two before: 2 cos(x) sin((k - 1) x) - sin((k - 2) x)."""
    strength = 255.0 * math.sqrt(temperature)
    twice, before, current, total = numbers[0:256], numbers[256:512], numbers[512:768], numbers[768:1024]
    for v in range(256):
        twice[v] = 2.0 * math.cos(math.pi * v / 255.0)
    for c in range(table.shape[0]):
        for v in range(256):
            x = math.pi * v / 255.0
            before[v] = math.sin(x * (first - 1))
            current[v] = math.sin(x * first)
            total[v] = v
        other = 0.0
        for k in range(first, last + 1):
            if (k - first) % 2 == 0:
                amplitude, other = _pair(state)
            else:
                amplitude = other
            amplitude *= strength
            for v in range(256):
                total[v] += amplitude * current[v]
                following = twice[v] * current[v] - before[v]
                before[v] = current[v]
                current[v] = following
        for v in range(256):
            table[c, v] = _to_byte(total[v])


# --- spatial ----------------------------------------------------------------------------------------------


@separate
def _displace(temperature, cut, state, source, target, height, width, numbers):
    size = height * width
    amplitudes, half = numbers[0:size], numbers[size : 2 * size]
    across, down = numbers[2 * size : 3 * size], numbers[3 * size : 4 * size]
    waves = numbers[4 * size : 4 * size + 3 * (height + width)]
    strength = math.sqrt(temperature)
    _field(cut, state, height, width, amplitudes, half, across, waves, strength * width)
    _field(cut, state, height, width, amplitudes, half, down, waves, strength * height)
    for y in range(height):
        for x in range(width):
            i = y * width + x
            py = min(max(y - down[i], 0.0), height - 1.0)
            px = min(max(x - across[i], 0.0), width - 1.0)
            top, left = np.int64(py), np.int64(px)
            v, u = py - top, px - left
            below, right = min(top + 1, height - 1), min(left + 1, width - 1)
            for c in range(source.shape[0]):
                plane = source[c]
                upper = (1.0 - u) * plane[U(top * width + left)] + u * plane[U(top * width + right)]
                lower = (1.0 - u) * plane[U(below * width + left)] + u * plane[U(below * width + right)]
                target[U(c), U(i)] = _to_byte((1.0 - v) * upper + v * lower)


@helper
def _folded(frequency, period):
    """On ``period + 1`` samples of [0, 1], sin(pi f x) is sin(pi g x), its negative, or 0: (g < period, 1, -1 or 0)."""
    if period == 0:
        return 0, 0.0
    rest = frequency % (2 * period)
    if rest == 0 or rest == period:
        return 0, 0.0
    if rest > period:
        return 2 * period - rest, -1.0
    return rest, 1.0


@separate
def _field(cut, state, height, width, amplitudes, half, out, waves, strength):
    """The sum of all waves, float64[H * W], times ``strength``; waves too short for the image's pixels are
    added to the longer ones that look the same there."""
    most_x, most_y = min(cut, width - 2), min(cut, height - 2)
    for i in range(height * width):
        amplitudes[i] = 0.0
        half[i] = 0.0
        out[i] = 0.0
    other = 0.0
    drawn = 0
    for i in range(1, cut + 1):
        fx, sign_x = _folded(i, width - 1)
        for j in range(1, cut + 1):
            square = i * i + j * j
            if square > cut * cut + cut:  # r < cut + 1/2, for whole numbers
                break
            if drawn % 2 == 0:
                number, other = _pair(state)
            else:
                number = other
            drawn += 1
            fy, sign_y = _folded(j, height - 1)
            amplitudes[fy * width + fx] += sign_x * sign_y * number / math.sqrt(square)
    # waves: sin(pi m / period) for every m below twice the period, along x and along y, then one row.
    row = waves[2 * (height + width) : 2 * (height + width) + width]
    sines = waves[0 : 2 * width]
    for m in range(2 * width - 2):
        sines[m] = math.sin(math.pi * m / (width - 1))
    for i in range(1, most_x + 1):
        for x in range(width):
            row[x] = sines[(i * x) % (2 * width - 2)]
        for j in range(1, most_y + 1):
            amplitude = amplitudes[j * width + i]
            for x in range(width):
                half[U(j * width + x)] += amplitude * row[U(x)]
    sines = waves[2 * width : 2 * (width + height)]
    for m in range(2 * height - 2):
        sines[m] = math.sin(math.pi * m / (height - 1))
    for y in range(height):
        for j in range(1, most_y + 1):
            wave = strength * sines[(j * y) % (2 * height - 2)]
            for x in range(width):
                out[U(y * width + x)] += wave * half[U(j * width + x)]
