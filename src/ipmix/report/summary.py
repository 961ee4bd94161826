"""What the figures say, in one sentence for somebody who reads no further; never more than they say."""

from collections.abc import Mapping, Sequence
from typing import Any

from ipmix.measures.corruption import ALEXNET
from ipmix.measures.table import HEADLINE
from ipmix.report import numbers
from ipmix.report.comparison import Comparison, why_no_verdict

FEW = 100
"""Of fewer images, the wrong ones are counted, not given in percent."""

ATTACKED = "images under attack"

WIDE = 0.2
"""An interval this wide or wider is told."""


def in_a_sentence(card: Mapping[str, Any]) -> str:
    """A run's figures in one sentence, and what chance leaves open in a second; empty if no error was measured.

    A corruption is called the worst only where its interval lies above the mildest one's, and confidence too high or
    low only where its mean lies outside the accuracy's interval.
    """
    parts = list(filter(None, (_clean(card), _corrupted(card), _attacked(card))))
    if not parts:
        return ""
    further = list(filter(None, (_extremes(card), _confidence(card))))
    said = _listed(parts)
    return "; ".join([f"Wrong on {said}", *further]) + "." + _open(card)


def against_the_first(comparisons: Sequence[Comparison]) -> str:
    """What was decided between the first run and the others, in a sentence or two; empty without comparisons."""
    if not comparisons:
        return ""
    apart = [found for found in comparisons if found.differing]
    judged = [found for found in comparisons if not found.differing and found.rows]
    parts = [_decided(judged[0])] if len(judged) == 1 else _counted(judged)
    if apart:
        whom = apart[0].second if len(apart) == 1 else f"{len(apart)} of the {len(comparisons)} runs after the first"
        reasons = dict.fromkeys(map(why_no_verdict, apart))
        parts.append(f"No verdict on {whom}: {'; or '.join(reasons)}.")
    return " ".join(parts)


def _clean(card: Mapping[str, Any]) -> str:
    return _share(card, "clean_error", "clean images")


def _attacked(card: Mapping[str, Any]) -> str:
    return _share(card, "attack_error", ATTACKED) or _share(card, "auto_attack_error", ATTACKED)


def _share(card: Mapping[str, Any], name: str, what: str) -> str:
    """ "24% of 2,000 clean images", "3 of 20 clean images"; empty if it wasn't measured."""
    figure = numbers.figure_of(card, name)
    value, count = figure["value"], figure["pictures"]
    if value is None:
        return ""
    if not count:
        return f"{_percent(value)} of {what}"
    if count < FEW or value in (0.0, 1.0):
        wrong = round(value * count)
        told = "none of the" if not wrong else "all" if wrong == count else f"{wrong} of"
        return f"{told} {count:,} {what}"
    return f"{_percent(value)} of {count:,} {what}"


def _corrupted(card: Mapping[str, Any]) -> str:
    for name in ("mean_corruption_error", "chosen_corruption_error"):
        value = numbers.figure_of(card, name)["value"]
        if value is not None:
            over = "mCE: 15 corruptions at 5 severities"
            if name == "chosen_corruption_error":
                title = numbers.title_of(name, [card]).removeprefix("Mean error over ")
                over = title.replace(", severities that differ", " at several severities").replace(
                    ", sever", " at sever"
                )
            clean = numbers.figure_of(card, "clean_error")["value"] is not None
            return f"{_percent(value)} of {'corrupted ones' if clean else 'corrupted images'} ({over})"
    return ""


def _extremes(card: Mapping[str, Any]) -> str:
    """The corruptions with the most and the fewest wrong answers, where chance alone doesn't make the difference."""
    errors = {name: by for name, by in card["corruptions"].items() if name in ALEXNET and by}
    if len(errors) < 2 or len({tuple(sorted(by)) for by in errors.values()}) > 1:
        return ""
    means = {name: sum(by.values()) / len(by) for name, by in errors.items()}
    most, least = max(means, key=lambda name: means[name]), min(means, key=lambda name: means[name])
    bounds = card.get("corruption_intervals", {})
    if any(set(errors[name]) - set(bounds.get(name, {})) for name in (most, least)):
        return ""
    # The mean of the intervals' ends is no narrower than the interval of the mean over the same images.
    lowest = sum(bounds[most][at][0] for at in errors[most]) / len(errors[most])
    highest = sum(bounds[least][at][1] for at in errors[least]) / len(errors[least])
    if lowest <= highest:
        return ""
    return (
        f"most under {most.replace('_', ' ')} ({_percent(means[most])}), "
        f"least under {least.replace('_', ' ')} ({_percent(means[least])})"
    )


def _confidence(card: Mapping[str, Any]) -> str:
    """How far the mean confidence on clean images lies from the accuracy, where that is more than chance."""
    table, interval = card.get("reliability"), numbers.figure_of(card, "clean_error")["interval"]
    if not table or not interval or not (total := sum(table["count"])):
        return ""
    confidence = sum(n * c for n, c in zip(table["count"], table["confidence"])) / total
    accuracy = sum(n * a for n, a in zip(table["count"], table["accuracy"])) / total
    if 1.0 - interval[1] <= confidence <= 1.0 - interval[0]:
        return ""
    points = abs(100.0 * (confidence - accuracy))
    told = f"{points:.1f} points"
    return f"its confidence on clean images is on average {told} too {'high' if confidence > accuracy else 'low'}"


def _open(card: Mapping[str, Any]) -> str:
    """What so few images leave open, as a sentence; empty if they are enough."""
    for name, what in (("clean_error", "clean images"), ("attack_error", ATTACKED)):
        figure = numbers.figure_of(card, name)
        interval = figure["interval"]
        if interval and interval[1] - interval[0] >= WIDE:
            return (
                f" So few images leave much open: on {what}, anything from {_percent(interval[0])} to "
                f"{_percent(interval[1])} wrong fits."
            )
    return ""


def _decided(found: Comparison) -> str:
    """ "Against plain, IPMix is better in clean error; too close to call: corruption error (mCE)." """
    groups = {"better": "is better in", "worse": "is worse in", "undecided": "too close to call:"}
    parts = [
        f"{words} {_listed([_lower(row.title) for row in found.rows if row.verdict == verdict])}"
        for verdict, words in groups.items()
        if any(row.verdict == verdict for row in found.rows)
    ]
    if all(row.verdict == "undecided" for row in found.rows):
        return f"Between {found.first} and {found.second} nothing is decided: all measures are too close to call."
    return f"Against {found.first}, {found.second} {'; '.join(parts)}."


def _counted(comparisons: Sequence[Comparison]) -> list[str]:
    """Of several runs, how many do better and worse than the first, measure by measure."""
    if not comparisons:
        return []
    parts = []
    for name in HEADLINE:
        rows = [row for found in comparisons if (row := found.row(name)) is not None]
        better, worse = (sum(row.verdict == verdict for row in rows) for verdict in ("better", "worse"))
        if better or worse:
            told = [f"better in {better}" if better else "", f"worse in {worse}" if worse else ""]
            parts.append(f"{_lower(rows[0].title)} {' and '.join(filter(None, told))}")
    if not parts:
        return [f"Of {len(comparisons)} runs, none is decided to be better or worse than {comparisons[0].first}."]
    return [
        f"Of {len(comparisons)} runs against {comparisons[0].first}: {'; '.join(parts)}. All else is too close to call."
    ]


def _percent(value: float) -> str:
    """A share as the tables have it; never 0 % where some are wrong, nor 100 % where some are right."""
    percent = 100.0 * value
    if 0.0 < percent < 0.005:
        return "under 0.01%"
    if 99.95 <= percent < 100.0:
        return "over 99.9%"
    return numbers.written("clean_error", value)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _lower(title: str) -> str:
    return title if title[1:2].isupper() or title.startswith("mCE") else title[0].lower() + title[1:]
