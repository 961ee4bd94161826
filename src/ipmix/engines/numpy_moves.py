"""Operations that move pixels, in NumPy, with the arithmetic of ``compiled/{geometry,rotation}.py``: the same bytes.

Pillow, by which these operations are defined, finds values between pixels in another precision: it may be one level
beside. Here as there fractions are counted in 65536ths, and so are products of two 16-bit numbers cut.
"""

import math

import numpy as np

from ipmix.recipe.format import BILINEAR
from ipmix.recipe.recipe import Step

U16, U32, I64, F = np.uint16, np.uint32, np.int64, np.float32


def rotate(image: np.ndarray, degrees: float, fill: int) -> np.ndarray:
    """Turn about the centre: uint8[H, W, C] -> uint8[H, W, C]."""
    height, width, _ = image.shape
    cosine, sine, across, down = _turn(degrees, height, width)
    x, y = np.arange(width), np.arange(height)[:, None]
    u0, v0 = sine * (y + 0.5), cosine * (y + 0.5)
    u, v = cosine * (x + 0.5) + u0 + across, -sine * (x + 0.5) + v0 + down
    inside = (0 <= u) & (u < width) & (0 <= v) & (v < height)
    # In float32, and relative to the pixel itself.
    n = x.astype(F)
    right = (0.5 * cosine + u0 + across - 0.5).astype(F) + F(cosine - 1.0) * n
    below = (-0.5 * sine + v0 + down - 0.5 - y).astype(F) + F(-sine) * n
    left, upper = np.floor(right), np.floor(below)
    fraction_x = ((right - left) * F(65535)).astype(np.int32).astype(U16)[:, :, None]
    fraction_y = ((below - upper) * F(65535)).astype(np.int32).astype(U16)[:, :, None]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows, columns = np.where(inside, y + 1 + upper.astype(I64), 0), np.where(inside, x + 1 + left.astype(I64), 0)
    one = _between(padded[rows, columns], padded[rows, columns + 1], fraction_x)
    other = _between(padded[rows + 1, columns], padded[rows + 1, columns + 1], fraction_x)
    values = _to_bytes(_high_product(one, 65535 - fraction_y) + _high_product(other, fraction_y))
    return np.where(inside[:, :, None], values, np.uint8(fill))


def turn_nearest(image: np.ndarray, degrees: float, fill: int) -> np.ndarray:
    """:func:`rotate`, each pixel taking the value of the one that it falls on."""
    height, width, _ = image.shape
    cosine, sine, across, down = _turn(degrees, height, width)
    x, y = np.arange(width), np.arange(height)[:, None]
    u = x * _fixed(cosine) + y * _fixed(sine) + _fixed(across + cosine * 0.5 + sine * 0.5) >> 16
    v = x * _fixed(-sine) + y * _fixed(cosine) + _fixed(down + -sine * 0.5 + cosine * 0.5) >> 16
    return _taken(image, v, u, fill)


def shift_rows(image: np.ndarray, shift: np.ndarray, fill: int) -> np.ndarray:
    """Every row sideways by its number of pixels, float64[H, 1], interpolated."""
    width = image.shape[1]
    x = np.arange(width)
    whole = np.floor(shift)
    fraction = _fraction(shift, whole)[:, :, None]
    offset = whole.astype(I64)
    inside = np.clip(np.ceil(-0.5 - shift), 0, width)
    outside = np.maximum(np.minimum(width, np.ceil(width - 0.5 - shift)), inside)
    begin = np.minimum(np.maximum(inside, -offset), outside)
    end = np.maximum(np.minimum(outside, width - 1 - offset), begin)
    left = _columns(image, np.clip(x + offset, 0, width - 1))
    right = _columns(image, np.clip(x + offset + 1, 0, width - 1))
    values = np.where(fraction == 0, left, _to_bytes(_between(left, right, fraction)))
    choices = [(x < inside) | (x >= outside), x < begin, x >= end]
    borders = [np.full_like(image, fill), image[:, :1], image[:, -1:]]
    return np.select([chosen[:, :, None] for chosen in choices], borders, values)


def shear_columns(image: np.ndarray, slope: float, fill: int) -> np.ndarray:
    """Every column by slope * (x + 1/2), interpolated."""
    height, width, _ = image.shape
    x, y = np.arange(width), np.arange(height)[:, None]
    shift = slope * (x + 0.5)
    whole = np.floor(shift)
    upper = y + whole.astype(I64)
    nearest = np.clip(upper, 0, height - 1)
    one, other = image[nearest, x], image[np.clip(upper + 1, 0, height - 1), x]
    values = _to_bytes(_between(one, other, _fraction(shift, whole)[:, None]))
    position = y + 0.5 + slope * (x + 0.5)
    border = np.where(((0.0 <= position) & (position < height))[:, :, None], one, np.uint8(fill))
    between = (upper >= 0) & (upper + 1 < height)
    return np.where(between[:, :, None], values, border)


def shift_nearest(image: np.ndarray, start: int, slope: int, fill: int) -> np.ndarray:
    """Every row sideways by ``start + y * slope`` 65536ths of a pixel, rounded to whole ones."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return _taken(image, y, x + (32768 + start + y * slope >> 16), fill)


def translate_columns(image: np.ndarray, shift: int, fill: int) -> np.ndarray:
    """All columns by whole pixels."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return _taken(image, y + shift, x, fill)


def shear_columns_nearest(image: np.ndarray, slope: float, fill: int) -> np.ndarray:
    """:func:`shear_columns`, each pixel taking the value of the one that it falls on."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return _taken(image, x * _fixed(slope) + y * 65536 + _fixed(slope * 0.5 + 0.5) >> 16, x, fill)


def move(step: Step, image: np.ndarray) -> np.ndarray:
    """The step's operation, one of :data:`OPERATIONS`: uint8[H, W, C] -> uint8[H, W, C]."""
    name, level = step.operation.removesuffix("_filled"), step.level
    filled = step.operation.endswith("_filled")
    fill = int(step.a) if filled else 0
    nearest = filled and step.b != BILINEAR
    rows = np.arange(image.shape[0])[:, None] + 0.5
    if name == "rotate":
        return turn_nearest(image, level, fill) if nearest else rotate(image, level, fill)
    if name == "shear_x":
        if nearest:
            return shift_nearest(image, _fixed(0.5 + level * 0.5) - 32768, _fixed(level), fill)
        return shift_rows(image, level * rows, fill)
    if name == "shear_y":
        return shear_columns_nearest(image, level, fill) if nearest else shear_columns(image, level, fill)
    if name == "translate_x":
        return shift_nearest(image, int(level) * 65536, 0, fill)
    return translate_columns(image, int(level), fill)


_MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")

OPERATIONS = frozenset({*_MOVES, *(f"{name}_filled" for name in _MOVES)})
"""The operations that move pixels by less or more than whole ones, by name."""


def _turn(degrees: float, height: int, width: int) -> tuple[float, float, float, float]:
    """Cosine, sine, and where the upper left corner comes from."""
    angle = -math.radians(degrees % 360.0)
    cosine, sine = _rounded(math.cos(angle)), _rounded(math.sin(angle))
    across = cosine * (-width / 2.0) + sine * (-height / 2.0) + width / 2.0
    down = -sine * (-width / 2.0) + cosine * (-height / 2.0) + height / 2.0
    return cosine, sine, across, down


def _rounded(number: float) -> float:
    """To 15 places as Numba does it; Python's own ``round`` may be one unit in the last place beside."""
    return float(np.rint(number * 1e15)) / 1e15


def _fixed(number: float) -> int:
    return math.floor(number * 65536.0 + 0.5)


def _taken(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: int) -> np.ndarray:
    height, width, _ = image.shape
    inside = (0 <= columns) & (columns < width) & (0 <= rows) & (rows < height)
    found = image[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    return np.where(inside[:, :, None], found, np.uint8(fill))


def _columns(image: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of each row the columns of its own, int64[H, W]."""
    return np.take_along_axis(image, columns[:, :, None], axis=1)


def _fraction(shift: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.minimum((shift - whole) * 65536.0 + 0.5, 65535.0).astype(U16)


def _high_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The upper half of the product of two uint16: uint16."""
    return (a.astype(U32) * b.astype(U32) >> U32(16)).astype(U16)


def _between(a: np.ndarray, b: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """``a + (b - a) * fraction / 65536`` of bytes, in 256ths."""
    left, right = a.astype(U16) << U16(8), b.astype(U16) << U16(8)
    return _high_product(left, 65535 - fraction) + _high_product(right, fraction)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """256ths to bytes; the 4 makes up for what the products cut off."""
    return (values + U16(4) >> U16(8)).astype(np.uint8)
