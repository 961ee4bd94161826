"""Operations that move pixels: mirror, translate, shear, rotate.

Planes are ``uint8[C, P]`` with rows of ``width`` bytes; only rows ``top`` to ``bottom`` of the target are
computed. Bilinear values follow Pillow: a pixel's centre is at half coordinates, what falls outside is black
(``filled.py`` has other fills), and a position within half a pixel of the border takes the border's value.
``interpolation.py`` says how close.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.interpolation import LANES, between, copy_lanes, to_byte, whole_lanes
from ipmix.engines.compiled.rotation import rotate
from ipmix.recipe.operations import MIRROR, ROTATE, SHEAR_X, SHEAR_Y, TRANSLATE_X

U = np.uintp
U16 = np.uint16
BLACK = np.uint8(0)


@helper
def move(code, level, source, target, height, width, top, bottom, scratch):
    """Carry out one geometric operation; ``scratch`` is the workspace's ``MovingScratch``."""
    if code == MIRROR:
        _mirror(source, target, width, top, bottom)
    elif code == ROTATE:
        rotate(
            source, target, height, width, top, bottom, np.float64(level), BLACK,
            scratch.padded, scratch.fractions, scratch.runs, scratch.taps,
        )  # fmt: skip
    elif code == SHEAR_X or code == TRANSLATE_X:
        shift_rows(code == SHEAR_X, source, target, width, top, bottom, np.float64(level), BLACK)
    elif code == SHEAR_Y:
        shear_columns(
            source, target, height, width, top, bottom, np.float64(level), BLACK,
            scratch.padded, scratch.fractions, scratch.runs,
        )  # fmt: skip
    else:
        translate_columns(source, target, height, width, top, bottom, int(level), BLACK)


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
                    target[U(c), U(row + x)] = to_byte(between(left, right, fraction))
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
def shear_columns(source, target, height, width, top, bottom, level, fill, shifted, fractions, runs):
    """Every column shifted by level * (x + 1/2).

    Neighbouring columns mostly share the whole part of the shift: such runs are first copied to where it takes them
    (``shifted``, uint8[C, *]), and every pixel then lies between two rows there, with a fraction for each column.
    """
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
    stride = width + LANES  # a run's spill must not reach the next row, whose first pixels are there already
    for c in range(source.shape[0]):
        _shift_runs(source[c], shifted[c], height, width, stride, top, bottom - top + 1, runs[0], runs[1], count)
    for y in range(top, bottom):
        begin = 0
        while begin < width and not _is_inside(begin, y, level, height):
            begin += 1
        end = width
        while end > begin and not _is_inside(end - 1, y, level, height):
            end -= 1
        row, upper = y * width, (y - top) * stride
        for c in range(source.shape[0]):
            _between_rows(target, shifted, c, row, upper, upper + stride, whole_lanes(width), fractions)
            _fill(target, c, row, row + begin, fill)
            _fill(target, c, row + end, row + width, fill)


@helper
def _is_inside(x, y, level, height):
    position = y + 0.5 + level * (x + 0.5)
    return 0.0 <= position and position < height


@separate
def _shift_runs(plane, shifted, height, width, stride, top, rows, begins, shifts, count):
    """Row i of ``shifted`` becomes row top + i + shift of the plane, run by run; the border's rows are repeated."""
    for r in range(count):
        first = top + np.int64(shifts[U(r)])
        low = min(max(-first, 0), rows)
        high = max(min(height - first, rows), low)
        x, end = np.int64(begins[U(r)]), np.int64(begins[U(r + 1)])
        while x < end:
            for i in range(low):
                copy_lanes(shifted, i * stride + x, plane, x)
            for i in range(low, high):
                copy_lanes(shifted, i * stride + x, plane, (first + i) * width + x)
            for i in range(high, rows):
                copy_lanes(shifted, i * stride + x, plane, (height - 1) * width + x)
            x += LANES


@separate
def _between_rows(target, rows, c, to, upper, lower, length, fractions):
    for i in range(length):
        one, other = rows[U(c), U(upper + i)], rows[U(c), U(lower + i)]
        target[U(c), U(to + i)] = to_byte(between(one, other, fractions[U(0), U(i)]))
