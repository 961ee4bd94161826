"""Operations that move pixels: mirror, translate, shear, rotate.

Planes are ``uint8[C, P]`` with rows of ``width`` bytes; only rows ``top`` to ``bottom`` of the target are
computed. Bilinear values follow Pillow: a pixel's centre is at half coordinates, what falls outside is black
(``filled.py`` has other fills), and a position within half a pixel of the border takes the border's value.
Fractions are counted in 65536ths, so a result is Pillow's or, close to a whole number, one level beside it; flat
areas are exact.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.fixed_point import high_product
from ipmix.recipe.operations import MIRROR, ROTATE, SHEAR_X, SHEAR_Y, TRANSLATE_X

U = np.uintp
U16 = np.uint16
U32 = np.uint32

LANES = 16
"""Where rows are cut into runs, a run's length is rounded up to a multiple of this, so that it is vectorised to
its end. What spills over is overwritten by the next run, row or plane."""

BLACK = np.uint8(0)

SLACK = 64
"""Padding behind every plane: room for the spill, and a multiple of a cache line."""


@helper
def move(code, level, source, target, height, width, top, bottom, padded, fractions, runs):
    """Carry out one geometric operation. ``padded`` uint8[C, *], ``fractions`` uint16[2, *] and ``runs``
    int32[2, W + 1] are scratch (see ``kernel.py``)."""
    if code == MIRROR:
        _mirror(source, target, width, top, bottom)
    elif code == ROTATE:
        rotate(source, target, height, width, top, bottom, np.float64(level), BLACK, padded, fractions, runs)
    elif code == SHEAR_X or code == TRANSLATE_X:
        shift_rows(code == SHEAR_X, source, target, width, top, bottom, np.float64(level), BLACK)
    elif code == SHEAR_Y:
        shear_columns(source, target, height, width, top, bottom, np.float64(level), BLACK, fractions, runs)
    else:
        translate_columns(source, target, height, width, top, bottom, int(level), BLACK)


@helper
def _between(a, b, fraction):
    """``a + (b - a) * fraction / 65536`` for two bytes, in 256ths: uint16, at most 2 below the exact value."""
    left = high_product(U16(U16(a) << 8), U16(65535 - fraction))
    right = high_product(U16(U16(b) << 8), U16(fraction))
    return U16(left + right)


@helper
def _to_byte(value):
    """256ths to bytes. The 4 makes up for what the multiplications cut off: a flat area stays as it is."""
    return np.uint8(U16(value + 4) >> 8)


@separate
def _mirror(source, target, width, top, bottom):
    for c in range(source.shape[0]):
        for y in range(top, bottom):
            row = y * width
            last = row + width - 1
            for x in range(width):
                target[U(c), U(row + x)] = source[U(c), U(last - x)]


@separate
def translate_columns(source, target, height, width, top, bottom, shift, fill):
    for c in range(source.shape[0]):
        for y in range(top, bottom):
            row = y * width
            if 0 <= y + shift < height:
                other = (y + shift) * width
                for x in range(width):
                    target[U(c), U(row + x)] = source[U(c), U(other + x)]
            else:
                for x in range(width):
                    target[U(c), U(row + x)] = fill


@separate
def shift_rows(shear, source, target, width, top, bottom, level, fill):
    """Every row shifted sideways: by ``level`` pixels, or for a shear by level * (y + 1/2)."""
    for y in range(top, bottom):
        shift = level * (y + 0.5) if shear else level
        whole = math.floor(shift)
        fraction = U16(min((shift - whole) * 65536.0 + 0.5, 65535.0))
        offset = np.int64(whole)
        # Pixels whose position 0 <= x + 1/2 + shift < width lies in the image; of these, the ones whose two
        # neighbours do are interpolated, the others take the border's value.
        inside = min(max(0, math.ceil(-0.5 - shift)), width)
        outside = max(min(width, math.ceil(width - 0.5 - shift)), inside)
        begin = min(max(inside, -offset), outside)
        end = max(min(outside, width - 1 - offset), begin)
        row = y * width
        other = row + offset
        for c in range(source.shape[0]):
            if fraction == 0:
                for x in range(begin, begin + whole_lanes(end - begin)):
                    target[U(c), U(row + x)] = source[U(c), U(other + x)]
            else:
                for x in range(begin, begin + whole_lanes(end - begin)):
                    left, right = source[U(c), U(other + x)], source[U(c), U(other + x + 1)]
                    target[U(c), U(row + x)] = _to_byte(_between(left, right, fraction))
            _fill(target, c, row, row + inside, fill)
            _fill(target, c, row + inside, row + begin, source[U(c), U(row)])
            _fill(target, c, row + end, row + outside, source[U(c), U(row + width - 1)])
            _fill(target, c, row + outside, row + width, fill)


@helper
def _fill(planes, c, first, last, value):
    i = first
    while i < last:  # a handful of pixels: not worth a vectorised loop, which is what "for" would become
        planes[U(c), U(i)] = value
        i += 1


@separate
def shear_columns(source, target, height, width, top, bottom, level, fill, fractions, runs):
    """Every column shifted by level * (x + 1/2). Neighbouring columns mostly share the whole part of the shift:
    such a run of columns is interpolated between two rows, with a fraction for each column."""
    count = 0
    for x in range(width):
        shift = level * (x + 0.5)
        whole = math.floor(shift)
        fractions[U(0), U(x)] = U16(min((shift - whole) * 65536.0 + 0.5, 65535.0))
        if count == 0 or runs[1, U(count - 1)] != whole:
            runs[0, U(count)] = x
            runs[1, U(count)] = whole
            count += 1
    runs[0, U(count)] = width
    for c in range(source.shape[0]):
        for y in range(top, bottom):
            row = y * width
            for r in range(count):
                begin, end = np.int64(runs[0, U(r)]), np.int64(runs[0, U(r + 1)])
                upper = y + np.int64(runs[1, U(r)])
                if 0 <= upper and upper + 1 < height:
                    _interpolate_run(source, target, c, upper * width, row, width, begin, end, fractions)
                else:
                    nearest = min(max(upper, 0), height - 1) * width
                    for x in range(begin, end):
                        position = y + 0.5 + level * (x + 0.5)
                        target[U(c), U(row + x)] = source[U(c), U(nearest + x)] if 0.0 <= position < height else fill


@helper
def _interpolate_run(source, target, c, upper, row, width, begin, end, fractions):
    for x in range(begin, begin + whole_lanes(end - begin)):
        k = U(x)
        one, other = source[U(c), U(upper) + k], source[U(c), U(upper + width) + k]
        target[U(c), U(row) + k] = _to_byte(_between(one, other, fractions[U(0), k]))


@helper
def whole_lanes(length):
    return (length + (LANES - 1)) // LANES * LANES


# --- rotation ---------------------------------------------------------------------------------------------


@separate
def rotate(source, target, height, width, top, bottom, degrees, fill, padded, fractions, runs):
    """Turn about the centre (Pillow's matrix), row by row.

    For a small angle, neighbouring pixels of a row come from neighbouring pixels of one source row: the row is
    cut into runs with one offset into the source, and a run is interpolated from four rows of bytes without
    any gathering. The source is copied with a border of one pixel, so that runs need not look at the edge.
    """
    angle = -math.radians(degrees % 360.0)
    cosine = round(math.cos(angle), 15)
    sine = round(math.sin(angle), 15)
    across = cosine * (-width / 2.0) + sine * (-height / 2.0) + width / 2.0
    down = -sine * (-width / 2.0) + cosine * (-height / 2.0) + height / 2.0
    stride = width + 2
    # How many pixels it takes to fall a column behind, and to change the row.
    along = 1.0 / min(cosine - 1.0, -1e-9)
    aslant = -1.0 / sine if abs(sine) > 1e-9 else 1e9
    first, last = _rows_needed(sine, cosine, down, height, width, top, bottom)
    _pad(source, padded, height, width, first, last)
    offsets = runs[0]
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
            offsets,
        )
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
            start = (y + 1) * stride + 1 + x + np.int64(offset)
            _interpolate_turned(source.shape[0], target, padded, row + x, start, stride, x, length, fractions)
            x += length
        for c in range(source.shape[0]):
            for i in range(row, row + begin):
                target[U(c), U(i)] = fill
            for i in range(row + end, row + width):
                target[U(c), U(i)] = fill


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
            target[U(c), j] = _bilinear(padded, U(c), k, U(stride), across, down)
            target[U(c + 1), j] = _bilinear(padded, U(c + 1), k, U(stride), across, down)
            target[U(c + 2), j] = _bilinear(padded, U(c + 2), k, U(stride), across, down)
        c += 3
    while c < channels:
        for i in range(length):
            across, down = fractions[U(0), U(x + i)], fractions[U(1), U(x + i)]
            target[U(c), U(to + i)] = _bilinear(padded, U(c), U(start + i), U(stride), across, down)
        c += 1


@helper
def _bilinear(a, c, k, stride, across, down):
    upper = _between(a[c, k], a[c, k + U(1)], across)
    lower = _between(a[c, k + stride], a[c, k + stride + U(1)], across)
    upper_part = high_product(upper, U16(65535 - down))
    lower_part = high_product(lower, U16(down))
    return _to_byte(U16(upper_part + lower_part))
