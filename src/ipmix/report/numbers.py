"""How figures are written: the same in the terminal, the page and the tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from ipmix.core.errors import plain
from ipmix.core.extensions import is_own
from ipmix.measures.table import MEASURES, measure_named


def written(name: str, value: float | None) -> str:
    """A measure's value: ``"12.3%"``, ``"0.45%"``, ``"0.123"``, or a dash where there is none."""
    if value is None:
        return "–"
    if measure_named(name).unit == "%":
        percent = 100.0 * value
        return f"{percent:.2f}%" if abs(percent) < 0.995 else f"{percent:.1f}%"
    return f"{value:.3f}"


def written_interval(name: str, interval: Sequence[float] | None) -> str:
    """An interval in the measure's unit: ``"11.9–12.8"``; empty where there is none."""
    if not interval:
        return ""
    low, high = (written(name, bound).removesuffix("%") for bound in interval)
    return f"{low}–{high}"


def measure_names(cards: Sequence[Mapping[str, Any]]) -> list[str]:
    """The measures that any of the scorecards has, in the order of :data:`MEASURES`, then those of one's own."""
    own = dict.fromkeys(name for card in cards for name in card["measures"] if name not in MEASURES and is_own(name))
    return [*(name for name in MEASURES if any(name in card["measures"] for card in cards)), *own]


def figure_of(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A scorecard's entry for a measure; an empty one if it wasn't measured."""
    absent = {"value": None, "interval": None, "pictures": 0, "reason": "not measured"}
    found: dict[str, Any] = card["measures"].get(name, absent)
    return found


def run_names(cards: Sequence[Mapping[str, Any]]) -> list[str]:
    """A distinct name for each run, :func:`ipmix.core.errors.plain`: repeated ones are numbered."""
    names: list[str] = []
    for number, card in enumerate(cards, 1):
        name = plain(card["run"].get("name") or "") or f"run {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return names


def among(card: Mapping[str, Any]) -> str:
    """ "among 200 of 1,000 classes" where not all of the model's outputs competed; else empty."""
    columns = card["run"].get("columns")
    # Earlier scorecards say only which outputs competed: the data's, and never others.
    found = card.get("among") or {"classes": len(columns or ()), "outputs": None, "all": not columns}
    if found["all"]:
        return ""
    whole = "the model's" if found["outputs"] is None else f"{found['outputs']:,}"
    return f"among {found['classes']:,} of {whole} classes"


def plainly(value: Any) -> str:
    """A setting in words: lists with commas, numbers with 4 digits."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plainly, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def clearly_apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two figures' intervals don't overlap: a cautious "this is no accident of the test images"."""
    a, b = first["interval"], second["interval"]
    return bool(a and b and (a[1] < b[0] or b[1] < a[0]))


def verdicts(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The first run against the last, measure by measure: both values and "better", "worse" or "level".

    "level" means that the intervals overlap, or that there are none to tell.
    """
    found = []
    for name in names:
        first, last = figure_of(cards[0], name), figure_of(cards[-1], name)
        if first["value"] is None or last["value"] is None:
            continue
        lower_is_better = measure_named(name).better == "lower"
        judgement = "level"
        if clearly_apart(first, last):
            judgement = "better" if (last["value"] < first["value"]) == lower_is_better else "worse"
        found.append(
            {
                "name": name,
                "title": measure_named(name).title,
                "from": written(name, first["value"]),
                "to": written(name, last["value"]),
                "judgement": judgement,
            }
        )
    return found
