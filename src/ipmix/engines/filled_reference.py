"""Operations that move pixels, with a fill and an interpolation of the step's own, in NumPy and Pillow: the definition.

As torchvision's ``rotate`` and ``affine`` on Pillow images: rotation about the centre, shears about the upper left
corner, translations by whole pixels. What falls outside the image is the step's ``a``, in every channel; its ``b``
is the interpolation, 0 nearest or 1 bilinear (``recipe.format.INTERPOLATIONS``).
"""

import math

import numpy as np
from PIL import Image

from ipmix.recipe.format import BILINEAR
from ipmix.recipe.recipe import Step

Matrix = tuple[float, float, float, float, float, float]

ONE = 65536
"""Positions of nearest pixels are counted in these parts of a pixel, as in Pillow."""


def operate(step: Step, image: np.ndarray) -> np.ndarray:
    """Carry out one of the five on a whole image: uint8[H, W, C] -> uint8[H, W, C]."""
    matrix = _matrix(step, image.shape[0], image.shape[1])
    moved = _bilinear if step.b == BILINEAR else _nearest
    return moved(image, matrix, int(step.a))


def _matrix(step: Step, height: int, width: int) -> Matrix:
    """(a, b, c, d, e, f): the target's position (x, y) shows the image at (a x + b y + c, d x + e y + f)."""
    level = step.level
    if step.operation == "shear_x_filled":
        return 1, level, 0, 0, 1, 0
    if step.operation == "shear_y_filled":
        return 1, 0, 0, level, 1, 0
    if step.operation == "translate_x_filled":
        return 1, 0, level, 0, 1, 0
    if step.operation == "translate_y_filled":
        return 1, 0, 0, 0, 1, level
    angle = -math.radians(level % 360.0)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    across = cosine * (-width / 2.0) + sine * (-height / 2.0) + width / 2.0
    down = -sine * (-width / 2.0) + cosine * (-height / 2.0) + height / 2.0
    return cosine, sine, across, -sine, cosine, down


def _nearest(image: np.ndarray, matrix: Matrix, fill: int) -> np.ndarray:
    a, b, c, d, e, f = matrix
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    u = (x * _fixed(a) + y * _fixed(b) + _fixed(c + a * 0.5 + b * 0.5)) // ONE
    v = (x * _fixed(d) + y * _fixed(e) + _fixed(f + d * 0.5 + e * 0.5)) // ONE
    inside = (0 <= u) & (u < width) & (0 <= v) & (v < height)
    found = image[np.where(inside, v, 0), np.where(inside, u, 0)]
    return np.where(inside[:, :, None], found, np.uint8(fill))


def _fixed(number: float) -> int:
    return math.floor(number * ONE + 0.5)


def _bilinear(image: np.ndarray, matrix: Matrix, fill: int) -> np.ndarray:
    size = (image.shape[1], image.shape[0])
    bands = [Image.fromarray(np.ascontiguousarray(image[:, :, c])) for c in range(image.shape[2])]
    affine, resample = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    moved = [band.transform(size, affine, matrix, resample=resample, fillcolor=fill) for band in bands]
    return np.stack([np.asarray(band) for band in moved], axis=-1)


OPERATIONS = frozenset(
    {"rotate_filled", "shear_x_filled", "shear_y_filled", "translate_x_filled", "translate_y_filled"}
)
"""The filled operations by name."""
