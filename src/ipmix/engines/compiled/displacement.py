"""PRIME's smooth random displacement; ``engines/prime_reference.py`` has the formula.

Both fields, across and down, are ``waves_y.T @ amplitudes @ waves_x``: one product brings the amplitudes to columns of
pixels, one the result to rows (see ``sines.py``). The sums of odd and of even waves, along x and along y, stay apart
until the pixels are moved.
"""

import math

import numpy as np

from ipmix.core.compiling import disjoint_helper, helper, separate
from ipmix.engines.compiled.float_bits import byte_of
from ipmix.engines.compiled.normals import fill_pairs
from ipmix.engines.compiled.sines import AT_ONCE, add_products, next_waves, padded, start_waves

U = np.uintp
F = np.float32

AT_A_TIME = 512
"""Pixels that are moved together, where a row is shorter."""

PADDING = 2 * AT_ONCE
"""What rows and columns may be longer than what they hold."""

PACKED = 4
"""Channels whose bytes lie in one word, so that a pixel's neighbours are fetched once for all of them."""


def sizes_needed(height: int, width: int) -> tuple[int, int]:
    """How many float32 numbers :func:`displace` needs to write to, and the longest row of others."""
    longest = max(height, width, AT_A_TIME) + 2 * PADDING
    return 6 * (height + PADDING) * (width + 2 * PADDING) + (AT_ONCE + 6) * longest, longest


@separate
def displace(temperature, cut, base, source, target, height, width, scratch):
    """Move every pixel of planes uint8[C, P]; ``scratch`` is a workspace's
    :class:`~ipmix.engines.compiled.workspace.PrimeScratch`."""
    if min(height, width) < 3:  # all waves vanish
        for c in range(source.shape[0]):
            for i in range(height * width):
                target[U(c), U(i)] = source[U(c), U(i)]
        return
    most_x, most_y = min(cut, width - 2), min(cut, height - 2)
    columns, rows = padded(most_x), padded(most_y)
    half_x, half_y = padded((width + 1) // 2), (height + 3) // 4 * 2
    # The pieces of one array; each is longer than it is used, for whole lanes.
    floats = scratch.floats
    a, b, c = columns * rows, 2 * half_x * rows, 4 * half_x * half_y
    across, down = floats[0:a], floats[a : 2 * a]
    half_across, half_down = floats[2 * a : 2 * a + b], floats[2 * a + b : 2 * (a + b)]
    moved = floats[2 * (a + b) : 2 * (a + b + c)]
    rest = floats[2 * (a + b + c) :]
    strength = math.sqrt(temperature)
    _draw(cut, base, most_x, most_y, columns, rows, strength, height, width, rest, scratch.words, across, down)
    _clear(half_across)
    _clear(half_down)
    _clear(moved)
    start_waves(width - 1, half_x, scratch.series)
    for parity in range(2):
        for block in range(0, columns, 2 * AT_ONCE):
            next_waves(parity, half_x, scratch.series, rest)
            at, to, by_out = block + parity, parity * half_x, 2 * half_x
            add_products(across, at, columns, 2, rest, 0, half_x, half_across, to, by_out, rows, half_x)
            add_products(down, at, columns, 2, rest, 0, half_x, half_down, to, by_out, rows, half_x)
    pitch = 2 * half_x
    start_waves(height - 1, half_y, scratch.series)
    for parity in range(2):
        for block in range(0, rows, 2 * AT_ONCE):
            next_waves(parity, half_y, scratch.series, rest)
            first, to = (block + parity) * pitch, parity * half_y * pitch
            by_term = 2 * pitch
            add_products(rest, 0, 1, half_y, half_across, first, by_term, moved, to, pitch, half_y, pitch)
            add_products(rest, 0, 1, half_y, half_down, first, by_term, moved, to + c, pitch, half_y, pitch)
    for first in range(0, source.shape[0], PACKED):
        channels = min(PACKED, source.shape[0] - first)
        _pack(source, first, channels, height * width, scratch.pixels)
        _move(target, first, channels, height, width, moved, half_x, half_y, rest, scratch.words, scratch.pixels)


@separate
def _clear(numbers):
    for i in range(numbers.size):
        numbers[U(i)] = F(0)


@separate
def _draw(cut, base, most_x, most_y, columns, rows, strength, height, width, variances, words, across, down):
    """The amplitudes, of the frequencies that pixels can show: ``across[(j - 1) * columns + i - 1]``, zeros behind."""
    ratio = F(height) / F(width)
    scale = F(strength * strength * width * width)
    for j in range(1, rows + 1):
        row = (j - 1) * columns
        for i in range(columns):
            variances[U(i)] = F(0)
        if j <= most_y:
            _sum_variances(j, cut, width - 1, height - 1, variances)
        for i in range(most_x):
            variances[U(i)] *= scale
        for i in range(most_x, columns):
            variances[U(i)] = F(0)
        fill_pairs(base, (j - 1) * most_x, columns, variances, words, across[row:], down[row:])
        for i in range(columns):
            down[U(row + i)] *= ratio


@separate
def _sum_variances(j, cut, period_x, period_y, out):
    """Add 1 / r**2 of all frequencies that look like (i, j) on the pixels to ``out[i - 1]``."""
    for turn in range(cut // period_y + 2):
        seen = turn * period_y + j if turn % 2 == 0 else (turn + 1) * period_y - j
        square = cut * cut + cut - seen * seen  # r < cut + 1/2, for whole numbers
        if seen <= cut and square > 0:
            most = min(np.int64(math.sqrt(np.float64(square))), cut)
            _add_variances(F(seen) * F(seen), most, period_x, out)


@helper
def _add_variances(square, most, period, out):
    for turn in range(most // period + 1):
        begin = turn * period
        if turn % 2 == 0:
            for i in range(1, min(most - begin, period - 1) + 1):
                r = F(begin + i)
                out[U(i - 1)] += F(1) / (square + r * r)
        else:
            for i in range(max(begin + period - most, 1), period):
                r = F(begin + period - i)
                out[U(i - 1)] += F(1) / (square + r * r)


@separate
def _pack(source, first, channels, size, pixels):
    for i in range(size):
        pixels[U(i)] = np.uint32(source[U(first), U(i)])
    for c in range(1, channels):
        for i in range(size):
            pixels[U(i)] |= np.uint32(np.uint32(source[U(first + c), U(i)]) << np.uint32(8 * c))


@separate
def _move(target, first, channels, height, width, moved, half_x, half_y, rest, words, pixels):
    """Fetch every pixel from where the two fields say, some rows at a time."""
    pitch = 2 * half_x
    field = 2 * half_y * pitch
    most = max(AT_A_TIME // width, 1)
    longest = most * width
    u, v, rest = rest[0:longest], rest[longest : 2 * longest], rest[2 * longest :]
    across, down = rest[0:pitch], rest[pitch : 2 * pitch]
    places, a, b, c, d = words[0], words[1], words[2], words[3], words[4]
    for begin in range(0, height, most):
        count = min(most, height - begin)
        for k in range(count):
            row, at = begin + k, k * width
            y = min(row, height - 1 - row)
            sign = F(1) if row == y else F(-1)
            _unfold(moved, y * pitch, (half_y + y) * pitch, sign, half_x, width, across)
            _unfold(moved, field + y * pitch, field + (half_y + y) * pitch, sign, half_x, width, down)
            _find(row, height, width, across, down, u[at:], v[at:], places[at:])
        _fetch(pixels, places, width, count * width, a, b, c, d)
        for k in range(channels):
            _blend(a, b, c, d, np.uint32(8 * k), u, v, count * width, target[first + k], begin * width)


@disjoint_helper
def _unfold(moved, even, odd, sign, half_x, width, out):
    """One row of a field from its four sums; rows mirrored about the middle have the same ones."""
    for x in range((width + 1) // 2):
        e = moved[U(even + x)] + sign * moved[U(odd + x)]
        o = moved[U(even + half_x + x)] + sign * moved[U(odd + half_x + x)]
        out[U(x)] = e + o
        out[U(width - 1 - x)] = e - o


@disjoint_helper
def _find(row, height, width, across, down, u, v, places):
    """Where pixels come from: the place of the upper left of four, and the fractions between them."""
    for x in range(width):
        # A fraction is taken of the distance, not of the position, which has fewer digits behind the point.
        far = min(max(-across[U(x)], F(-width)), F(width))
        whole = F(math.floor(far))
        left = np.int32(whole) + np.int32(x)
        u[U(x)] = F(0) if left < 0 else F(1) if left > width - 2 else far - whole
        left = min(max(left, np.int32(0)), np.int32(width - 2))
        far = min(max(-down[U(x)], F(-height)), F(height))
        whole = F(math.floor(far))
        top = np.int32(whole) + np.int32(row)
        v[U(x)] = F(0) if top < 0 else F(1) if top > height - 2 else far - whole
        top = min(max(top, np.int32(0)), np.int32(height - 2))
        places[U(x)] = np.uint32(top * width + left)


@separate
def _fetch(pixels, places, width, count, a, b, c, d):
    """The four pixels around each place."""
    for x in range(count):
        i = U(places[U(x)])
        a[U(x)], b[U(x)] = pixels[i], pixels[i + U(1)]
        i += U(width)
        c[U(x)], d[U(x)] = pixels[i], pixels[i + U(1)]


@separate
def _blend(a, b, c, d, shift, u, v, count, target, at):
    """One channel between the four pixels."""
    for x in range(count):
        right, below = u[U(x)], v[U(x)]
        upper = (F(1) - right) * byte_of(a[U(x)], shift) + right * byte_of(b[U(x)], shift)
        lower = (F(1) - right) * byte_of(c[U(x)], shift) + right * byte_of(d[U(x)], shift)
        target[U(at + x)] = np.uint8((F(1) - below) * upper + below * lower + F(0.5))
