"""Whether JSON is a scorecard: compared with ``scorecard.schema.json``, once, where a file is read.

Scorecards of the first version are read as well, and brought to what the second says of them.
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ipmix.core.errors import InputError, plain
from ipmix.measures import consistency, proportions
from ipmix.measures.calibration import PUBLISHED_LEAST, few_for_published
from ipmix.measures.corruption import is_whole
from ipmix.measures.table import MEASURES, SINGLE, mean
from ipmix.report.numbers import difficulty_of, sequences_of

SCHEMA = "ipmix scorecard 2"
EARLIER = "ipmix scorecard 1"

_CHOSEN = {
    "mean_corruption_error": "chosen_corruption_error",
    "baseline_mean_corruption_error": "baseline_chosen_corruption_error",
}

CHOSEN_SEQUENCES = {
    "mean_flip_probability": "chosen_flip_probability",
    "baseline_mean_flip_rate": "baseline_chosen_flip_rate",
    "top5_distance": "chosen_top5_distance",
}
"""What the means over perturbation sequences are called where those aren't a benchmark's ten."""

DEPTH = 20
"""Scorecards are no deeper than this; what is would only exhaust the stack."""

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
    if not isinstance(card, dict) or card.get("schema") not in (SCHEMA, EARLIER):
        raise InputError(f"{where} is not a scorecard (expected schema {SCHEMA!r})")
    _check({**card, "schema": SCHEMA}, schema(), where, "")
    _check_figures(card["measures"], where)
    _check_whole(card, where)
    if (table := card["reliability"]) is not None:
        sizes = {key: len(values) for key, values in table.items()}
        if any(size != sizes["edges"] - 1 for key, size in sizes.items() if key != "edges"):
            raise InputError(f"{where}: reliability has lists of lengths that don't go together ({sizes})")
    if (curve := card["risk_coverage"]) is not None and len(curve["coverage"]) != len(curve["risk"]):
        raise InputError(f"{where}: risk_coverage must have as many entries in coverage as in risk")


def check_part(content: Any, part: str, where: str) -> None:
    """Raise :class:`InputError`, naming ``where`` and the key, unless this could be a scorecard's ``part``.

    What an evaluation writes beside its predictions (``run``, ``made``) goes into scorecards: it is refused where it is
    read, before anything is written that no report takes.
    """
    _check(content, schema()["properties"][part], where, "")


def _check_whole(card: Mapping[str, Any], where: str) -> None:
    """Entries that are there with all that is shown of them, or with none of it but a reason."""
    needed = {
        "temperature": ("temperature", ("fitted_on", "pictures", "before", "after")),
        "conformal": ("conditions", ("level", "fitted_on", "pictures")),
    }
    for entry, (key, others) in needed.items():
        found = card.get(entry) or {}
        if missing := [other for other in others if key in found and other not in found]:
            raise InputError(f"{where}: {entry} lacks {', '.join(missing)}; is it a scorecard of ipmix evaluate?")
    found = card.get("temperature") or {}
    if "temperature" in found and set(found["before"]) != set(found["after"]):
        raise InputError(f"{where}: temperature.before and temperature.after must be about the same measures")
    if unknown := [name for name in found.get("before", ()) if name not in MEASURES]:
        raise InputError(f"{where}: temperature.before.{plain(unknown[0], most=60)} is no measure")
    attack = (card["run"].get("plan") or {}).get("attack")
    if attack and not {"images", "pictures"} & set(attack):
        raise InputError(f"{where}: run.plan.attack lacks images; is it a scorecard of ipmix evaluate?")


def _check_figures(measures: Mapping[str, Any], where: str) -> None:
    """The bounds of each measure that is known; of others a later version may have made, nothing is known."""
    known = [name for name in MEASURES if name in measures]
    if not known:
        raise InputError(f"{where}: measures holds no figure that is known, such as clean_error; nothing can be shown")
    for name in known:
        value = measures[name]["value"]
        low, high = bounds_of(name)
        if value is not None and not low <= value <= high:
            raise InputError(f"{where}: measures.{name}.value must be from {low:g} to {high:g}, got {value}")
        if (interval := measures[name]["interval"]) is not None and interval[0] > interval[1]:
            raise InputError(f"{where}: measures.{name}.interval must be low, then high, got {interval}")


def bounds_of(name: str) -> tuple[float, float]:
    """Between which values a measure's figure lies; of one that is not known, and of one without ends, infinities."""
    bounds = MEASURES[name].bounds if name in MEASURES else None
    return bounds or (-math.inf, math.inf)


def interval_holds_value(name: str) -> bool:
    """Whether a measure's interval always holds its value: of means and centred ones; others' resamples may not."""
    return name in MEASURES and (MEASURES[name].function is mean or MEASURES[name].interval == "centred")


def upgraded(card: Mapping[str, Any]) -> dict[str, Any]:
    """A checked scorecard of either version as one of the second, which says less where the first said too much.

    A mean over other corruptions than the 15 at 5 severities is no mCE, one over other perturbations than -P's ten no
    mFP; single proportions, cells and bars get exact
    intervals; an interval that is a point goes; an mCE against AlexNet of unknown frost goes.
    """
    measures = {name: dict(figure) for name, figure in card["measures"].items()}
    measures = {_of_a_choice(name, card): figure for name, figure in measures.items()}
    published = measures.get("rms_calibration_error_published")
    if published and published["value"] is not None and published["pictures"] < PUBLISHED_LEAST:
        reason = few_for_published(published["pictures"])
        measures["rms_calibration_error_published"] = {"value": None, "interval": None, "pictures": 0, "reason": reason}
    if card["schema"] == SCHEMA:
        return {**card, "measures": measures}
    if not is_whole(card["corruptions"]):
        measures = {_CHOSEN.get(name, name): figure for name, figure in measures.items()}
    for name, figure in measures.items():
        interval, value, count = figure["interval"], figure["value"], figure["pictures"]
        if name in SINGLE and value is not None and count:
            figure["interval"] = list(proportions.interval(round(value * count), count))
        elif interval and interval[0] == interval[1]:
            ends = value in (0.0, 1.0) and name in MEASURES and MEASURES[name].bounds == (0.0, 1.0)
            figure["interval"] = list(proportions.interval(value * count, count)) if ends and count else None
    against = "normalised_mean_corruption_error"
    if against in measures and measures[against]["value"] is not None:
        reason = "which frost was used isn't known"
        measures[against] = {"value": None, "interval": None, "pictures": 0, "reason": reason}
    total = card["pictures"]
    found = {
        **card,
        "schema": SCHEMA,
        "measures": measures,
        "frost": "not known" if "frost" in card["corruptions"] else None,
        "corruption_intervals": {
            name: {at: list(proportions.interval(round(error * total), total)) for at, error in each.items()}
            for name, each in card["corruptions"].items()
        },
    }
    if (table := card["reliability"]) is not None:
        right = [round(count * accuracy) for count, accuracy in zip(table["count"], table["accuracy"])]
        bounds = proportions.intervals(right, table["count"])
        found["reliability"] = {**table, "low": bounds[:, 0].tolist(), "high": bounds[:, 1].tolist()}
    return found


def _of_a_choice(name: str, card: Mapping[str, Any]) -> str:
    """The measure's name; that of a mean over chosen perturbations where it isn't over a benchmark's ten."""
    if name in CHOSEN_SEQUENCES and not consistency.is_whole(sequences_of(name, card), difficulty_of(card)):
        return CHOSEN_SEQUENCES[name]
    return name


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
