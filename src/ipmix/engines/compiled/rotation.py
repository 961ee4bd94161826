"""Rotation: every pixel lies between four, which are neighbours of its neighbour's four, or nearly."""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.interpolation import LANES, bilinear, copy_lanes, whole_lanes

U = np.uintp
U16 = np.uint16

STEEP = 0.1
"""Sines from here on, 6 degrees, cut a row into runs of ten pixels and less."""


@separate
def rotate(source, target, height, width, top, bottom, degrees, fill, padded, fractions, runs, taps):
    """Turn about the centre (Pillow's matrix), row by row.

    Neighbouring pixels of a row mostly come from neighbouring pixels of one source row: the row is cut into runs with
    one offset into the source. Long runs are interpolated from four rows of bytes without any gathering. Short ones are
    gathered into four rows first (``taps``, uint8[4, *]): for a run of a few pixels a copy costs less than an
    interpolation. The source is copied with a border of one pixel, so that runs need not look at the edge.
    """
    angle = -math.radians(degrees % 360.0)
    cosine = round(math.cos(angle), 15)
    sine = round(math.sin(angle), 15)
    across = cosine * (-width / 2.0) + sine * (-height / 2.0) + width / 2.0
    down = -sine * (-width / 2.0) + cosine * (-height / 2.0) + height / 2.0
    stride = width + 2
    first, last = _rows_needed(sine, cosine, down, height, width, top, bottom)
    _pad(source, padded, height, width, first, last)
    for y in range(top, bottom):
        row = y * width
        u0 = sine * (y + 0.5)
        v0 = cosine * (y + 0.5)
        # The pixels that come from inside the image are one run: go inwards from both ends to find it.
        begin = 0
        while begin < width and not _inside(begin, cosine, sine, u0, v0, across, down, height, width):
            begin += 1
        end = width
        while end > begin and not _inside(end - 1, cosine, sine, u0, v0, across, down, height, width):
            end -= 1
        _place_row(
            width,
            np.float32(cosine - 1.0),
            np.float32(0.5 * cosine + u0 + across - 0.5),
            np.float32(-sine),
            np.float32(-0.5 * sine + v0 + down - 0.5 - y),
            stride,
            fractions,
            runs[0],
        )
        here = (y + 1) * stride + 1
        if abs(sine) < STEEP:
            _turn_long_runs(
                source.shape[0], target, padded, row, here, stride, begin, end, cosine, sine, fractions, runs
            )
        else:
            count = _cut(runs[0], runs[1], begin, end)
            for c in range(source.shape[0]):
                _gather(padded[c], taps, here, stride, runs[0], runs[1], count)
                _between_four(target[c], row, begin, whole_lanes(end - begin), taps, fractions)
        for c in range(source.shape[0]):
            for i in range(row, row + begin):
                target[U(c), U(i)] = fill
            for i in range(row + end, row + width):
                target[U(c), U(i)] = fill


@separate
def _turn_long_runs(channels, target, padded, row, here, stride, begin, end, cosine, sine, fractions, runs):
    # How many pixels it takes to fall a column behind, and to change the row.
    along = 1.0 / min(cosine - 1.0, -1e-9)
    aslant = -1.0 / sine if abs(sine) > 1e-9 else 1e9
    offsets = runs[0]
    x = np.int64(begin)
    while x < end:
        offset = offsets[U(x)]
        u = np.float64(fractions[U(0), U(x)]) * (1 / 65536.0)
        v = np.float64(fractions[U(1), U(x)]) * (1 / 65536.0)
        length = min(_steps_until(u, along), _steps_until(v, aslant), end - x)
        while x + length < end and offsets[U(x + length)] == offset:
            length += 1
        while offsets[U(x + length - 1)] != offset:
            length -= 1
        start = here + x + np.int64(offset)
        _interpolate_turned(channels, target, padded, row + x, start, stride, x, length, fractions)
        x += length


@separate
def _cut(offsets, starts, begin, end):
    """Where runs of one offset start, and behind the last where it ends; returns how many there are.

    Without a branch: which pixel starts a short run can't be foretold, and a wrong guess of the processor's costs more
    than the comparison.
    """
    count = 0
    before = offsets[U(begin)] - 1
    for x in range(begin, end):
        starts[U(count)] = x
        count += offsets[U(x)] != before
        before = offsets[U(x)]
    starts[U(count)] = end
    return count


@separate
def _gather(plane, taps, here, stride, offsets, starts, count):
    """The four neighbours of every pixel of a row, each in a row of its own."""
    for r in range(count):
        x, end = np.int64(starts[U(r)]), np.int64(starts[U(r + 1)])
        start = here + x + np.int64(offsets[U(x)])
        while x < end:
            copy_lanes(taps[0], x, plane, start)
            copy_lanes(taps[1], x, plane, start + 1)
            copy_lanes(taps[2], x, plane, start + stride)
            copy_lanes(taps[3], x, plane, start + stride + 1)
            x += LANES
            start += LANES


@separate
def _between_four(target, row, begin, length, taps, fractions):
    for i in range(length):
        x = U(begin + i)
        across, down = fractions[U(0), x], fractions[U(1), x]
        target[U(row) + x] = bilinear(taps[U(0), x], taps[U(1), x], taps[U(2), x], taps[U(3), x], across, down)


@separate
def _place_row(width, du, u, dv, v, stride, fractions, offsets):
    """Where a row's pixels come from, beside the same pixel of the source: whole offsets and fractions."""
    stride = np.int32(stride)
    for x in range(width):
        n = np.float32(np.int32(x))
        across, down = u + du * n, v + dv * n
        left, upper = np.floor(across), np.floor(down)
        offsets[U(x)] = np.int32(upper) * stride + np.int32(left)
        fractions[U(0), U(x)] = U16(np.int32((across - left) * np.float32(65535)))
        fractions[U(1), U(x)] = U16(np.int32((down - upper) * np.float32(65535)))


@helper
def _inside(x, cosine, sine, u0, v0, across, down, height, width):
    u = cosine * (x + 0.5) + u0 + across
    v = -sine * (x + 0.5) + v0 + down
    return 0.0 <= u and u < width and 0.0 <= v and v < height


@helper
def _steps_until(fraction, steps):
    """How many pixels a position stays in its unit interval (at least 1) if it needs ``steps``, which are
    negative for a position that falls, to cross one."""
    left = (1.0 - fraction) * steps if steps > 0.0 else fraction * -steps
    return np.int64(left) + 1


@separate
def _rows_needed(sine, cosine, down, height, width, top, bottom):
    """The source rows, one past the last, that target rows ``top`` to ``bottom`` can come from."""
    low = np.inf
    high = -np.inf
    for x in (0.5, width - 0.5):
        for y in (top + 0.5, bottom - 0.5):
            v = -sine * x + cosine * y + down
            low = min(low, v)
            high = max(high, v)
    return max(0, math.floor(low) - 2), min(height, math.ceil(high) + 2)


@separate
def _pad(source, padded, height, width, first, last):
    """Copy rows ``first`` to ``last`` into rows of width + 2 bytes, with the border repeated on all sides."""
    stride = width + 2
    for c in range(source.shape[0]):
        for y in range(first - 1, last + 1):
            row = min(max(y, 0), height - 1) * width
            other = (y + 1) * stride
            padded[U(c), U(other)] = source[U(c), U(row)]
            for x in range(width):
                padded[U(c), U(other + 1 + x)] = source[U(c), U(row + x)]
            padded[U(c), U(other + 1 + width)] = source[U(c), U(row + width - 1)]


@separate
def _interpolate_turned(channels, target, padded, to, start, stride, x, length, fractions):
    """Interpolate ``length`` pixels from ``padded[start:]`` and the row below, with the fractions from ``x`` on."""
    length = whole_lanes(length)
    c = 0
    while c + 3 <= channels:  # three at a time: most runs are short, and starting a loop costs as much as they do
        for i in range(length):
            k, j = U(start + i), U(to + i)
            across, down = fractions[U(0), U(x + i)], fractions[U(1), U(x + i)]
            target[U(c), j] = _at(padded, U(c), k, U(stride), across, down)
            target[U(c + 1), j] = _at(padded, U(c + 1), k, U(stride), across, down)
            target[U(c + 2), j] = _at(padded, U(c + 2), k, U(stride), across, down)
        c += 3
    while c < channels:
        for i in range(length):
            across, down = fractions[U(0), U(x + i)], fractions[U(1), U(x + i)]
            target[U(c), U(to + i)] = _at(padded, U(c), U(start + i), U(stride), across, down)
        c += 1


@helper
def _at(a, c, k, stride, across, down):
    return bilinear(a[c, k], a[c, k + U(1)], a[c, k + stride], a[c, k + stride + U(1)], across, down)
