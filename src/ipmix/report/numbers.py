"""How figures are written: the same in the terminal, the page and the tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ipmix.core.errors import plain
from ipmix.core.extensions import is_own
from ipmix.measures.consistency import chosen_over
from ipmix.measures.corruption import chosen_title
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


def title_of(name: str, cards: Sequence[Mapping[str, Any]]) -> str:
    """What a measure is called here: a mean over a choice by what it is over, if that is the same in all."""
    told = {_of_a_choice(name, card) for card in cards if name in card["measures"]}
    return (told.pop() if len(told) == 1 else "") or measure_named(name).title


def _of_a_choice(name: str, card: Mapping[str, Any]) -> str:
    """ "Mean flip probability over 3 perturbations", an attack's settings; empty for measures that have no choice."""
    if name in _OF_ATTACKS:
        settings = (card["run"].get("plan") or {}).get(_OF_ATTACKS[name])
        return f"{measure_named(name).title} ({attack_in_short(_OF_ATTACKS[name], settings)})" if settings else ""
    if name == "chosen_corruption_error":
        return chosen_title(card["corruptions"])
    if name not in _OVER_SEQUENCES:
        return ""
    return f"{_OVER_SEQUENCES[name]} {chosen_over(sequences_of(name, card), difficulty_of(card))}"


_OF_ATTACKS = {"attack_error": "attack", "auto_attack_error": "auto_attack"}


def attack_in_short(kind: str, settings: Mapping[str, Any]) -> str:
    """ "PGD, Linf 2/255"; of AutoAttack "Linf 8/255". Steps stand among the facts: a title is short."""
    norm = str(settings.get("norm", "linf"))
    reach = settings.get("epsilon")
    if not isinstance(reach, int | float):
        told = "reach not known"
    else:
        told = f"{255 * reach:.4g}/255" if norm == "linf" else f"{reach:.4g}"
    told = f"{norm.capitalize()} {told}"
    return told if kind == "auto_attack" else f"PGD, {told}"


_OVER_SEQUENCES = {
    "chosen_flip_probability": "Mean flip probability",
    "chosen_top5_distance": "Mean top-5 distance",
    "baseline_chosen_flip_rate": "Flip rate against the baseline",
}


def sequences_of(name: str, card: Mapping[str, Any]) -> Collection[str]:
    """The perturbations that a measure of sequences goes over: top-5 distances may be there for others than flips."""
    found: Collection[str] = card["flips"]
    if "top5" in name:
        found = card.get("top5") or found  # earlier scorecards don't have them one by one
    return found


def difficulty_of(card: Mapping[str, Any]) -> int:
    """The difficulty of a run's perturbation sequences."""
    return int((card["run"].get("plan") or {}).get("difficulty", 1))


def written_change(name: str, change: float, interval: Sequence[float] | None) -> str:
    """A difference with its sign, in points of percent or the measure's unit: ``"-3.9 (-7.4 to -0.6)"``."""
    scale, digits = (100.0, 1) if measure_named(name).unit == "%" else (1.0, 3)

    def signed(value: float) -> str:
        text = f"{scale * value:+.{digits}f}"
        return text[1:] if float(text) == 0.0 else text

    return signed(change) + (f" ({signed(interval[0])} to {signed(interval[1])})" if interval else "")


def images_of(name: str, cards: Sequence[Mapping[str, Any]]) -> str:
    """How many images stand behind a row, "20" or, where runs differ, "20 / 50"."""
    counts = [figure_of(card, name)["pictures"] for card in cards]
    return " / ".join(str(count) if count else "–" for count in (counts if len(set(counts)) > 1 else counts[:1]))


def below_floor(figure: Mapping[str, Any]) -> bool:
    """Whether a calibration error is no larger than bins of so few images give a perfectly calibrated model."""
    return figure["value"] is not None and "floor" in figure and not figure["floor"]["cleared"]


def written_floor(name: str, figure: Mapping[str, Any]) -> str:
    """The noise floor in words; empty where there is none."""
    if figure["value"] is None or "floor" not in figure:
        return ""
    mean, high = (written(name, figure["floor"][key]) for key in ("mean", "high"))
    return f"noise floor {mean}, up to {high}"


def frost_note(card: Mapping[str, Any]) -> str:
    """What is to be said of frost that isn't the published photographs'; empty if nothing is."""
    if card.get("frost") == "procedural":
        return "frost was grown by a procedure, not made of the published photographs: figures with it don't compare"
    if card.get("frost") == "not known":
        return "which frost was used is not known: figures with it may not compare with published ones"
    return ""


def measure_names(cards: Sequence[Mapping[str, Any]]) -> list[str]:
    """The measures that any of the scorecards has, in the order of :data:`MEASURES`, then those of one's own."""
    own = dict.fromkeys(name for card in cards for name in card["measures"] if name not in MEASURES and is_own(name))
    return [*(name for name in MEASURES if any(name in card["measures"] for card in cards)), *own]


def figure_of(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A scorecard's entry for a measure; an empty one if it wasn't measured."""
    absent = {"value": None, "interval": None, "pictures": 0, "reason": "not measured"}
    found: dict[str, Any] = card["measures"].get(name, absent)
    return found


def unfinished(card: Mapping[str, Any]) -> str:
    """ "Not finished: only 256 of 1,500 images are scored"; empty for an evaluation that came to its end."""
    part = card.get("partial")
    return f"Not finished: only {part['images']:,} of {part['of']:,} images are scored" if part else ""


def unanswered_under(condition: str, count: int) -> str:
    """ "12 images have no valid answer (NaN or infinite logits) under clean"."""
    images = "1 image has" if count == 1 else f"{count:,} images have"
    return f"{images} no valid answer (NaN or infinite logits) under {condition}"


def unanswered(name: str, card: Mapping[str, Any]) -> str:
    """That images behind a measure have no valid answer, and under which condition most; empty where all have one."""
    kinds = measure_named(name).needs
    found = {key: n for key, n in card["without_answer"].items() if key.partition("/")[0] in kinds}
    if not found:
        return ""
    most = max(found, key=lambda key: found[key])
    more = f" and {len(found) - 1} more conditions" if len(found) > 1 else ""
    return f"{unanswered_under(most, found[most])}{more}: they count as wrong"


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


SHOWN = 26
"""Letters of a setting in the table of what differs, so that it fits 80 columns; the page has them whole."""


def told_apart(first: str, second: str, most: int = SHOWN) -> tuple[str, str]:
    """Two settings that differ, each in at most ``most`` (10 or more) characters, their first difference among these.

    >>> told_apart("fog, frost, snow, spatter", "fog, frost, snow, zoom blur", most=16)
    ('… snow, spatter', '… snow, zoom bl…')
    """
    if first == second or max(len(first), len(second)) <= most:
        return first, second
    apart = next((place for place, (a, b) in enumerate(zip(first, second)) if a != b), min(len(first), len(second)))
    begin = 0
    if apart >= most - 1:  # it is out of sight from the beginning
        begin = apart - most // 2
        space = first.find(" ", begin, apart)
        begin = begin if space < 0 else space + 1

    def window(text: str) -> str:
        head = "… " if begin else ""
        rest, room = text[begin:], most - len(head)
        return head + (rest if len(rest) <= room else f"{rest[: room - 1]}…")

    return window(first), window(second)


def plainly(value: Any) -> str:
    """A setting in words: lists with commas, numbers with 4 digits."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plainly, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def clearly_apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two figures' intervals don't overlap: a cautious "this is no accident of the test images"."""
    a, b = first["interval"], second["interval"]
    return bool(a and b and (a[1] < b[0] or b[1] < a[0]))
