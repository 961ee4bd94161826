"""Operations that move pixels, with a fill and an interpolation of the step's own (see ``filled_reference.py``).

Nearest pixels are found with whole numbers, in 65536ths of a pixel as in Pillow, so that they are exactly the
reference's. Bilinear values are those of ``interpolation.py``.
"""

import math

import numpy as np

from ipmix.core.compiling import helper, separate
from ipmix.engines.compiled.geometry import shear_columns, shift_rows, translate_columns
from ipmix.engines.compiled.interpolation import whole_lanes
from ipmix.engines.compiled.rotation import rotate
from ipmix.recipe.format import BILINEAR
from ipmix.recipe.operations import (
    ROTATE_FILLED,
    SHEAR_X_FILLED,
    SHEAR_Y_FILLED,
    TRANSLATE_X_FILLED,
    TRANSLATE_Y_FILLED,
)

U = np.uintp

HALF = np.int64(32768)
ONE = np.int64(65536)
NONE = np.int64(0)


@helper
def is_filled(code):
    """Whether :func:`move_filled` knows the operation."""
    return ROTATE_FILLED <= code <= TRANSLATE_Y_FILLED


@helper
def move_filled(code, step, source, target, height, width, scratch):
    """Carry out one of the five on a whole image; planes and scratch as for ``move`` in ``geometry.py``."""
    level, fill = np.float64(step.level), np.uint8(step.a)
    if code == TRANSLATE_X_FILLED:
        _shift_rows(source, target, height, width, NONE, np.int64(level) * ONE, fill)
    elif code == TRANSLATE_Y_FILLED:
        translate_columns(source, target, height, width, NONE, height, np.int64(level), fill)
    elif step.b == BILINEAR:
        if code == ROTATE_FILLED:
            rotate(
                source, target, height, width, NONE, height, level, fill,
                scratch.padded, scratch.fractions, scratch.runs, scratch.taps,
            )  # fmt: skip
        elif code == SHEAR_X_FILLED:
            shift_rows(True, source, target, width, NONE, height, level, fill)
        else:
            shear_columns(
                source, target, height, width, NONE, height, level, fill,
                scratch.padded, scratch.fractions, scratch.runs,
            )  # fmt: skip
    elif code == SHEAR_X_FILLED:
        _shift_rows(source, target, height, width, _fixed(level), _fixed(0.5 + level * 0.5) - HALF, fill)
    elif code == SHEAR_Y_FILLED:
        _gather(source, target, height, width, ONE, NONE, HALF, _fixed(level), ONE, _fixed(level * 0.5 + 0.5), fill)
    else:
        angle = -math.radians(level % 360.0)
        cosine = round(math.cos(angle), 15)
        sine = round(math.sin(angle), 15)
        across = cosine * (-width / 2.0) + sine * (-height / 2.0) + width / 2.0
        down = -sine * (-width / 2.0) + cosine * (-height / 2.0) + height / 2.0
        _gather(
            source, target, height, width, _fixed(cosine), _fixed(sine), _fixed(across + cosine * 0.5 + sine * 0.5),
            _fixed(-sine), _fixed(cosine), _fixed(down + -sine * 0.5 + cosine * 0.5), fill,
        )  # fmt: skip


@helper
def _fixed(number):
    return np.int64(math.floor(number * 65536.0 + 0.5))


@separate
def _shift_rows(source, target, height, width, slope, start, fill):
    """Row y shows the image from ``start + y * slope`` on, in 65536ths of a pixel, rounded to whole ones."""
    for y in range(height):
        offset = (HALF + start + y * slope) >> 16
        # What is written past its end is overwritten by what comes next, as in geometry.py.
        begin = min(max(NONE, -offset), width)
        end = max(min(width, width - offset), begin)
        row = y * width
        for c in range(source.shape[0]):
            for x in range(whole_lanes(begin)):
                target[U(c), U(row + x)] = fill
            for x in range(begin, begin + whole_lanes(end - begin)):
                target[U(c), U(row + x)] = source[U(c), U(row + offset + x)]
            for x in range(end, end + whole_lanes(width - end)):
                target[U(c), U(row + x)] = fill


@separate
def _gather(source, target, height, width, a, b, c, d, e, f, fill):
    """Pixel (x, y) shows the image at (a x + b y + c, d x + e y + f), in 65536ths of a pixel and cut to whole ones."""
    channels = source.shape[0]
    for y in range(height):
        row = y * width
        u0, v0 = y * b + c, y * e + f
        # The pixels that come from inside the image are one run: go inwards from both ends to find it.
        begin = NONE
        while begin < width and not _inside(u0 + begin * a, v0 + begin * d, height, width):
            begin += 1
        end = np.int64(width)
        while end > begin and not _inside(u0 + (end - 1) * a, v0 + (end - 1) * d, height, width):
            end -= 1
        for k in range(channels):
            for x in range(begin):
                target[U(k), U(row + x)] = fill
            for x in range(end, width):
                target[U(k), U(row + x)] = fill
        k = 0
        while k + 3 <= channels:  # three at a time: finding the place costs more than moving a byte
            u, v = u0 + begin * a, v0 + begin * d
            for x in range(begin, end):
                i, j = U((v >> 16) * width + (u >> 16)), U(row + x)
                target[U(k), j] = source[U(k), i]
                target[U(k + 1), j] = source[U(k + 1), i]
                target[U(k + 2), j] = source[U(k + 2), i]
                u += a
                v += d
            k += 3
        while k < channels:
            u, v = u0 + begin * a, v0 + begin * d
            for x in range(begin, end):
                target[U(k), U(row + x)] = source[U(k), U((v >> 16) * width + (u >> 16))]
                u += a
                v += d
            k += 1


@helper
def _inside(u, v, height, width):
    return 0 <= u and (u >> 16) < width and 0 <= v and (v >> 16) < height
