"""Checks of single values at the edge; inside, values are trusted."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ipmix.core.errors import InputError


def check_count(name: str, value: Any, least: int) -> None:
    """Raise :class:`InputError` unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_positive(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is a finite number above 0."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise InputError(f"{name} must be a positive number, got {value!r}")


def check_severity(severity: Any) -> None:
    """Raise :class:`InputError` unless the upper bound of an operation's strength is None or in 0.1 .. 10."""
    if severity is None:
        return
    check_positive("severity", severity)
    if not 0.1 <= severity <= 10:
        raise InputError(f"severity must be in 0.1 .. 10, got {severity}")


def check_choice(name: str, value: Any, known: Iterable[str]) -> None:
    """Raise :class:`InputError` unless ``value`` is one of ``known``."""
    known = tuple(known)
    if value not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def check_subset(name: str, values: str | Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The values as a tuple, each once, in order; :class:`InputError` if one is unknown or there is none."""
    known = tuple(known)
    if not isinstance(values, Iterable):
        raise InputError(f"{name} must be one or several of {', '.join(known)}, got {values!r}")
    given = (values,) if isinstance(values, str) else tuple(values)
    for value in given:
        check_choice(f"each of {name}", value, known)
    chosen = tuple(dict.fromkeys(given))
    if not chosen:
        raise InputError(f"{name} is empty; give at least one of {', '.join(known)}")
    return chosen
