"""The declared ranges of settings: stated beside them in their dataclass, obeyed by the command line, YAML and Python.

Knows no NumPy: the command line's help reads the dataclasses that use it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ipmix.core.errors import InputError, plain

INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Range:
    """Which numbers a setting takes.

    Attributes:
        least, most: the ends, which belong to the range unless ``above`` or ``below`` is set.
        whole: integers only.
        above, below: the least, and the most, is itself too little, and too much.
    """

    least: float = 0
    most: float = math.inf
    whole: bool = True
    above: bool = False
    below: bool = False


def numbers(least: float = 0, most: float = math.inf, *, above: bool = False, below: bool = False) -> Range:
    """The range of a setting that need not be whole."""
    return Range(least, most, whole=False, above=above, below=below)


SEED = Range(0, INT64[1])
"""Of a command's seed: the keys of images, torch's generators and NumPy's all take these."""


def check_ranges(config: Any, ranges: Mapping[str, Range]) -> None:
    """Raise :class:`InputError`, naming the setting, where a field is outside its range; None is "left out"."""
    for name, limits in ranges.items():
        if (value := getattr(config, name)) is not None:
            check_range(name, value, limits)


def check_range(name: str, value: Any, limits: Range) -> None:
    """Raise :class:`InputError` unless ``value`` is in a range."""
    if isinstance(value, bool) or not isinstance(value, Integral if limits.whole else Real):
        raise InputError(f"{name} is {'a whole number' if limits.whole else 'a number'}, got {_shown(value)}")
    number: Any = value  # a type checker knows no order of Real
    low = number <= limits.least if limits.above else number < limits.least
    high = number >= limits.most if limits.below else number > limits.most
    if limits.whole and low:
        raise InputError(f"{name} is at least {limits.least}, got {_shown(value)}")
    if limits.whole and high:
        raise InputError(f"{name} is at most {limits.most}, got {_shown(value)}")
    if low or high or not _finite(value):
        raise InputError(f"{name} is {_described(limits)}, got {_shown(value)}")


def _described(limits: Range) -> str:
    least = f"above {limits.least:g}" if limits.above else f"of at least {limits.least:g}"
    if limits.most == math.inf:
        return f"a finite number {least}"
    if limits.above and limits.below:
        return f"between {limits.least:g} and {limits.most:g}"
    if (limits.least, limits.most, limits.above, limits.below) == (0, 1, False, True):
        return "a share from 0 up to but not including 1"
    return f"a number {least} and {'below' if limits.below else 'at most'} {limits.most:g}"


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _shown(value: Any) -> str:
    try:
        return plain(repr(value), most=60)
    except ValueError:  # Python spells no number of more than 4,300 digits
        return "a number of thousands of digits"
