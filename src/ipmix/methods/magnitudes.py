"""What AutoAugment, RandAugment and TrivialAugmentWide share: operations, their magnitudes, and how a step is drawn.

Operations, ranges and rounding are those of torchvision's transforms of these names: magnitudes are evenly spaced
float32 numbers, translations are cut to whole pixels, and half of the magnitudes with a direction are negated.
"""

from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import numpy as np

from ipmix.core.checking import check_choice, check_count
from ipmix.core.compiling import embedded
from ipmix.core.errors import InputError
from ipmix.core.randomness import below
from ipmix.recipe.format import INTERPOLATIONS, NO_OPERATION, OPERATION
from ipmix.recipe.operations import CODES, OPERATIONS

SIDE = 150.0 / 331.0
"""The largest translation of AutoAugment and RandAugment as a share of the side: 150 of 331 pixels in the paper."""

NARROW = {
    "shear_x_filled": 0.3,
    "shear_y_filled": 0.3,
    "translate_x_filled": SIDE,
    "translate_y_filled": SIDE,
    "rotate_filled": 30.0,
    "brightness": 0.9,
    "color": 0.9,
    "contrast": 0.9,
    "sharpness": 0.9,
    "posterize": 4.0,
    "solarize": 1.0,
    "autocontrast": 0.0,
    "equalize": 0.0,
}
"""The largest magnitudes of AutoAugment and RandAugment: a slope, a share of the side, degrees, a distance from the
factor 1, how many of 8 bits are lost, and how far of 255 the threshold falls."""

WIDE = NARROW | {
    "shear_x_filled": 0.99,
    "shear_y_filled": 0.99,
    "translate_x_filled": 32.0,
    "translate_y_filled": 32.0,
    "rotate_filled": 135.0,
    "brightness": 0.99,
    "color": 0.99,
    "contrast": 0.99,
    "sharpness": 0.99,
    "posterize": 6.0,
}
"""The largest magnitudes of TrivialAugmentWide; translations in pixels."""

FACTORS = ("brightness", "color", "contrast", "sharpness")


class Magnitudes(NamedTuple):
    """Operations and their levels as compiled code reads them, for one image size."""

    codes: np.ndarray
    """int64[n]: operations; NO_OPERATION for none."""
    up: np.ndarray
    """float32[n, bins]: the level of each magnitude."""
    down: np.ndarray
    """float32[n, bins]: the same of its negative."""
    signed: np.ndarray
    """bool[n]: whether a magnitude is negated half of the time."""
    filled: np.ndarray
    """bool[n]: whether the operation reads the two below."""
    fill: float
    interpolation: int


def make_magnitudes(
    largest: Mapping[str, float], bins: int, height: int, width: int, interpolation: str, fill: int
) -> Magnitudes:
    """The levels of operations whose largest magnitudes these are, in ``bins`` steps from no effect to them.

    A translation of at most 1 is a share of the side, else pixels. The name "" stands for no operation.
    """
    names = list(largest)
    levels = [_levels(name, largest[name], bins, height, width) for name in names]
    moves = [bool(name) and OPERATIONS[CODES[name]].filled for name in names]
    return Magnitudes(
        np.array([CODES[name] if name else NO_OPERATION for name in names], np.int64),
        np.array([up for up, _ in levels], np.float32),
        np.array([down for _, down in levels], np.float32),
        np.array([moved or name in FACTORS for name, moved in zip(names, moves)]),
        np.array(moves),
        float(fill),
        INTERPOLATIONS.index(interpolation),
    )


def _levels(name: str, most: float, bins: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The levels of each magnitude and of its negative: float[bins] each."""
    if name.startswith("translate"):
        side = (width if name.startswith("translate_x") else height) if most <= 1 else 1
        shifts = np.trunc(evenly(0.0, most * side, bins))
        return shifts, -shifts
    if name in FACTORS:
        distances = evenly(0.0, most, bins).astype(np.float64)
        return 1.0 + distances, 1.0 - distances
    if name == "posterize":
        levels = np.round(8 - np.arange(bins, dtype=np.float32) / np.float32((bins - 1) / most))
    elif name == "solarize":  # a byte is inverted from the threshold on, and thresholds need not be whole
        levels = np.ceil(255.0 * evenly(most, 0.0, bins).astype(np.float64))
    else:
        levels = evenly(0.0, most, bins)
    return levels, -levels


def evenly(first: float, last: float, count: int) -> np.ndarray:
    """``count`` numbers from first to last, float32, rounded as ``torch.linspace`` rounds them: from both ends, and
    once for a product and a sum together."""
    begin, end = np.float32(first), np.float32(last)
    step = np.float64((end - begin) / np.float32(count - 1))
    places = np.arange(count)
    halves = np.where(places < count // 2, begin + step * places, end - step * (count - 1 - places))
    return halves.astype(np.float32)


@embedded
def write_step(state, magnitudes, which, magnitude, step):
    """Make ``step`` operation ``which`` at one of its magnitudes, drawing the sign where it has one."""
    step.mixer = OPERATION
    step.operation = magnitudes.codes[which]
    if magnitudes.signed[which] and below(state, 2) == 0:
        step.level = magnitudes.down[which, magnitude]
    else:
        step.level = magnitudes.up[which, magnitude]
    filled = magnitudes.filled[which]
    step.a = magnitudes.fill if filled else 0.0
    step.b = magnitudes.interpolation if filled else 0.0


def check_filling(interpolation: str, fill: int) -> None:
    """Raise :class:`InputError` unless there is such an interpolation, and the fill is a byte."""
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    check_count("fill", fill, 0)
    if fill > 255:
        raise InputError(f"fill must be a byte, 0 .. 255, got {fill}")


def refuse_preset(method: str, name: str) -> NoReturn:
    """Raise :class:`InputError`: there are no presets."""
    raise InputError(f"{method} has no preset {name!r}; it has no presets, only options")
