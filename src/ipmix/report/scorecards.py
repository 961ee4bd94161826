"""Whether JSON is a scorecard: compared with ``scorecard.schema.json``, once, where a file is read."""

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ipmix.core.errors import InputError, plain
from ipmix.measures.table import MEASURES, measure_named

DEPTH = 20
"""Scorecards are no deeper than this; what is would only exhaust the stack."""

DIVIDED = ("normalised_", "baseline_", "relative_")
"""How the names of measures begin that are divided by another model's: they can be above 1."""

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}
_CALLED = {"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number", "null": "null"}


def check_card(card: Any, where: str) -> None:
    """Raise :class:`InputError`, naming ``where`` and the key, unless ``card`` follows the scorecard's schema."""
    if not isinstance(card, dict) or card.get("schema") != schema()["title"]:
        raise InputError(f"{where} is not a scorecard (expected schema {schema()['title']!r})")
    _check(card, schema(), where, "")
    _check_figures(card["measures"], where)
    if (table := card["reliability"]) is not None:
        sizes = {key: len(values) for key, values in table.items()}
        if not sizes["edges"] - 1 == sizes["count"] == sizes["confidence"] == sizes["accuracy"]:
            raise InputError(f"{where}: reliability has lists of lengths that don't go together ({sizes})")
    if (curve := card["risk_coverage"]) is not None and len(curve["coverage"]) != len(curve["risk"]):
        raise InputError(f"{where}: risk_coverage must have as many entries in coverage as in risk")


def _check_figures(measures: Mapping[str, Any], where: str) -> None:
    """The bounds of each measure that is known; of others a later version may have made, nothing is known."""
    known = [name for name in MEASURES if name in measures]
    if not known:
        raise InputError(f"{where}: measures holds no figure that is known, such as clean_error; nothing can be shown")
    for name in known:
        value = measures[name]["value"]
        most = 1.0 if measure_named(name).unit == "%" and not name.startswith(DIVIDED) else math.inf
        if value is not None and not 0.0 <= value <= most:
            limits = "at least 0" if most == math.inf else "a share in 0 .. 1"
            raise InputError(f"{where}: measures.{name}.value must be {limits}, got {value}")
        if (interval := measures[name]["interval"]) is not None and interval[0] > interval[1]:
            raise InputError(f"{where}: measures.{name}.interval must be low, then high, got {interval}")


@cache
def schema() -> dict[str, Any]:
    """The schema, as JSON holds it."""
    found: dict[str, Any] = json.loads(
        files("ipmix.report").joinpath("scorecard.schema.json").read_text(encoding="utf-8")
    )
    return found


def _check(value: Any, rule: Mapping[str, Any], where: str, place: str, depth: int = 0) -> None:
    """The part of JSON Schema that the scorecard's needs: types, required keys, bounds, lengths, words."""

    def refuse(expected: str) -> InputError:
        return InputError(f"{where}: {place or 'it'} must be {expected}, got {plain(repr(value), most=60)}")

    if depth > DEPTH:
        raise InputError(f"{where}: {place[:80]} is nested deeper than a scorecard is")
    wanted = rule.get("type")
    kinds = [wanted] if isinstance(wanted, str) else list(wanted or ())
    fits = any(isinstance(value, _KINDS[kind]) for kind in kinds)
    if kinds and (not fits or (isinstance(value, bool) and "boolean" not in kinds)):
        raise refuse(" or ".join(_CALLED.get(kind, f"a {kind}") for kind in kinds))
    if "const" in rule and value != rule["const"]:
        raise refuse(repr(rule["const"]))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= 1e300 or not math.isfinite(value):
            raise refuse("a finite number")
        low, high = rule.get("minimum", -math.inf), rule.get("maximum", math.inf)
        if not low <= value <= high:
            raise refuse(f"at least {low}" if high == math.inf else f"in {low} .. {high}")
    if isinstance(value, list):
        if not rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value)):
            most = rule.get("maxItems")
            raise refuse(f"a list of {rule.get('minItems', 0)}{'' if most is None else f' to {most}'} or more entries")
        for number, item in enumerate(value):
            _check(item, rule.get("items", {}), where, f"{place}[{number}]", depth + 1)
    if isinstance(value, dict):
        _check_object(value, rule, where, place, depth)


def _check_object(value: Mapping[str, Any], rule: Mapping[str, Any], where: str, place: str, depth: int) -> None:
    if missing := [key for key in rule.get("required", ()) if key not in value]:
        raise InputError(f"{where}: {place or 'it'} lacks {', '.join(missing)}; is it a scorecard of ipmix evaluate?")
    if len(value) < rule.get("minProperties", 0):
        raise InputError(f"{where}: {place} is empty; expected at least {rule['minProperties']} entry")
    named, rest = rule.get("properties", {}), rule.get("additionalProperties", {})
    names = rule.get("propertyNames", {}).get("enum")
    for key, item in value.items():
        inner = f"{place}.{plain(key, most=60)}" if place else plain(key, most=60)
        if key not in named and (rest is False or (names is not None and key not in names)):
            known = ", ".join(names or named)
            raise InputError(f"{where}: {inner} is no key of a scorecard; expected {known}")
        _check(item, named.get(key, rest if isinstance(rest, dict) else {}), where, inner, depth + 1)
