"""The JSON file of a result, checked whole where it is read: its shape, its ranges, and that it fits itself.

Files travel between machines and are edited by hand; what is taken from one unseen ends in a table as a figure.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, plain
from ipmix.core.json_text import json_text, read_json_object
from ipmix.report.scorecards import bounds_of, check_part, interval_holds_value
from ipmix.training.config import TrainingConfig

SCHEMA = "ipmix study result 1"

CLOCK_BOUNDS = {"epoch_seconds": (0.0, math.inf), "loader_share": (0.0, 1.0)}
"""Bounds of what studies measure and scorecards don't."""

LARGEST = 1e300
"""No figure is larger: sums over seeds stay finite."""

MOST_HOURS = 1_000_000
"""A century of one run."""

SEEDS = 2**63
"""Seeds are below this."""

ADVICE = "; was it edited? Bring back what ipmix wrote, or remove it and let ipmix reproduce run make it again"


def key_of(settings: Mapping[str, Any]) -> str:
    """A hash of a result's settings."""
    return hashlib.sha256(json_text(settings, sort_keys=True).encode()).hexdigest()[:16]


def read_result(path: Path) -> dict[str, Any] | None:
    """What a result's file holds; None for JSON that is no result of a study.

    Raises:
        InputError: it can't be read, lacks a key, holds something else than what belongs there, or contradicts itself
            or its name; the message names the file and the key.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file, and is named like a result; remove it, or choose another folder")
    try:
        content = read_json_object(path)
    except InputError as error:
        raise InputError(f"{error}{ADVICE}") from None
    if content.get("schema") != SCHEMA:
        return None
    for key in ("study", "cell", "scale", "key"):
        _check_kind(_needed(content, key, path), str, "a text", path, key)
    _check_whole(_needed(content, "seed", path), path, "seed", SEEDS)
    settings = _mapping(content, "settings", path)
    for name, one in _mapping(content, "passes", path).items():
        _check_pass(one, path, f"passes.{plain(name, most=60)}")
    for name in _mapping(content, "hours", path):
        key = f"hours.{plain(name, most=60)}"
        hours = _check_number(content["hours"][name], path, key)
        if not 0 <= hours <= MOST_HOURS:
            raise _refused(path, key, f"from 0 to {MOST_HOURS:,}", hours)
    _check_names(content, settings, path)
    return content


def _check_names(content: Mapping[str, Any], settings: Mapping[str, Any], path: Path) -> None:
    """Whose result it is, as the file's name, the settings and their hash have it."""
    name = f"{content['cell']}-seed{content['seed']}.json"
    if path.name != name:
        key = "seed" if path.name.startswith(f"{content['cell']}-seed") else "cell"
        raise InputError(
            f"{path}: {key} is {plain(repr(content[key]), most=60)}, which is not what the file's name says; it should "
            f"be called {plain(name, most=80)}{ADVICE}"
        )
    training = settings.get("training", {})
    _check_kind(training, dict, "an object", path, "settings.training")
    if (of_run := training.get("seed", TrainingConfig.seed)) != content["seed"]:
        raise InputError(
            f"{path}: seed is {content['seed']}, and settings.training.seed {plain(repr(of_run), most=60)}{ADVICE}"
        )
    try:
        key = key_of(settings)
    except RecursionError:
        raise InputError(f"{path}: settings is nested deeper than settings are{ADVICE}") from None
    if content["key"] != key:
        raise InputError(
            f"{path}: key is {plain(repr(content['key']), most=60)}, and the hash of its settings {key!r}{ADVICE}"
        )


def _check_pass(one: Any, path: Path, place: str) -> None:
    _check_kind(one, dict, "an object", path, place)
    _mapping(one, "settings", path, place)
    for name, figure in _mapping(one, "measures", path, place).items():
        _check_figure(name, figure, path, f"{place}.measures.{plain(name, most=60)}")
    for part in ("corruptions", "flips"):
        if part in one:
            check_part(one[part], part, f"{path}: {place}.{part}")
    if "frost" in one:
        _check_kind(one["frost"], str, "a text", path, f"{place}.frost")


def _check_figure(name: str, figure: Any, path: Path, place: str) -> None:
    """A measure's value, within its bounds; its interval in order, around the value where it is one that must be."""
    _check_kind(figure, dict, "an object", path, place)
    value = _needed(figure, "value", path, place)
    low, high = CLOCK_BOUNDS.get(name) or bounds_of(name)
    if value is not None:
        _check_number(value, path, f"{place}.value")
        if not low <= value <= high:
            expected = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
            raise _refused(path, f"{place}.value", expected, value)
    if figure.get("pictures") is not None:
        _check_whole(figure["pictures"], path, f"{place}.pictures", SEEDS)
    if (interval := figure.get("interval")) is None:
        return
    _check_kind(interval, list, "a list", path, f"{place}.interval")
    for number in interval:
        _check_number(number, path, f"{place}.interval")
    if len(interval) != 2 or interval[0] > interval[1]:
        raise _refused(path, f"{place}.interval", "two numbers, low, then high", interval)
    if value is None or (interval_holds_value(name) and not _holds(interval, value)):
        raise InputError(
            f"{path}: {place}.value is {'null' if value is None else value}, and its interval {interval}, which does "
            f"not hold it{ADVICE}"
        )


def _holds(interval: list[float], value: float) -> bool:
    rounding = 1e-9 * max(1.0, abs(value))
    return interval[0] - rounding <= value <= interval[1] + rounding


def _needed(content: Mapping[str, Any], key: str, path: Path, place: str = "") -> Any:
    if key not in content:
        raise InputError(f"{path} lacks {f'{place}.' if place else ''}{key}{ADVICE}")
    return content[key]


def _mapping(content: Mapping[str, Any], key: str, path: Path, place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = _needed(content, key, path, place)
    _check_kind(found, dict, "an object", path, f"{place}.{key}" if place else key)
    return found


def _check_kind(value: Any, kind: type, expected: str, path: Path, key: str) -> None:
    if not isinstance(value, kind):
        raise _refused(path, key, expected, value)


def _check_whole(value: Any, path: Path, key: str, end: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < end:
        raise _refused(path, key, "a whole number of at least 0", value)


def _check_number(value: Any, path: Path, key: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise _refused(path, key, "a finite number", value)
    return value


def _refused(path: Path, key: str, expected: str, value: Any) -> InputError:
    return InputError(f"{path}: {key} must be {expected}, got {plain(repr(value), most=60)}{ADVICE}")
