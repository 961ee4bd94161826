"""Runs compared: what decides and what doesn't, from the same images under the same conditions; or what differs.

A verdict needs the outcomes image by image (:class:`ipmix.measures.comparing.PerImage`), which are kept beside a
scorecard. Without them there is no paired interval: "better" and "worse" are then said only where the two runs' own
intervals don't overlap, which is stricter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ipmix.core.errors import InputError, visible
from ipmix.measures import comparing
from ipmix.measures.comparing import Arguments, PerImage
from ipmix.measures.table import HEADLINE, MEASURES, Measure, mean, measure_named
from ipmix.report import numbers

LEVEL = 0.95
SAMPLES = 1000
Verdict = Literal["better", "worse", "undecided"]

NOT_KNOWN = "not known"
"""Of a setting that a scorecard doesn't say: those of predictions of others, and earlier ones."""

NONE = "none"

OF_SOME = ("severities", "form of corruptions", "difficulty", "seed")
"""Settings of corruptions or perturbations: where a run has none, that alone is said."""

ALONE = (
    "Not paired: a scorecard alone doesn't say how each image was answered (outcomes.npz beside it does, or the "
    "predictions)"
)


@dataclass(frozen=True, eq=False)
class Scored:
    """A run: its scorecard, and its outcomes image by image where they were kept."""

    card: Mapping[str, Any]
    per_image: PerImage | None = None


@dataclass(frozen=True, slots=True)
class Differing:
    """A setting in which two runs differ, in words."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of two runs.

    Attributes:
        name: of the measure, as :data:`ipmix.measures.table.MEASURES` has it.
        title: what it is called.
        first, second: the two values.
        difference: second minus first.
        interval: of the difference, paired; None where there is none.
        images: how many images stand behind it.
        p: of the test that swaps outcomes; None where the runs aren't paired.
        p_corrected: the same after Holm's correction for all measures and runs compared at once.
        verdict: whether the second is "better" or "worse" than the first; "undecided" unless that is certain.
    """

    name: str
    title: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    images: int
    p: float | None
    p_corrected: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """Two runs compared.

    Attributes:
        first, second: their names.
        differing: settings in which they differ; if there is one, there is no verdict and ``rows`` is empty.
        rows: measure by measure.
        paired: whether the runs were compared image by image.
        family: how many tests Holm's correction went over; 0 if not paired.
        reason: why the runs are not paired; None if they are, or can't be compared at all.
    """

    first: str
    second: str
    differing: tuple[Differing, ...]
    rows: tuple[Compared, ...]
    paired: bool
    family: int
    reason: str | None

    def row(self, name: str) -> Compared | None:
        """A measure's row; None if it wasn't compared."""
        return next((row for row in self.rows if row.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        """The table of differences with their verdicts, or of what differs, and how that comes about."""
        from ipmix.report import tables  # it writes comparisons, and so stands above them

        header, rows = tables.differences(self)
        return (tables.plain(header, rows) if rows else "") + visible(explained(self))

    __repr__ = __str__


def compare(
    first: Scored,
    second: Scored,
    *,
    names: Sequence[str] = HEADLINE,
    despite: Sequence[str] = (),
    seed: int = 0,
    samples: int = SAMPLES,
) -> Comparison:
    """How the second run does against the first.

    Args:
        first: the run to compare with.
        second: the run that is judged.
        names: measures; those that either lacks are left out.
        despite: settings that may differ all the same, by :attr:`Differing.what` ("mean", "std").
        seed: of the intervals and tests.
        samples: resamples for an interval, at least 20.
    """
    return compare_runs([first, second], names=names, despite=despite, seed=seed, samples=samples)[0]


def compare_runs(
    runs: Sequence[Scored],
    *,
    names: Sequence[str] = HEADLINE,
    despite: Sequence[str] = (),
    seed: int = 0,
    samples: int = SAMPLES,
) -> list[Comparison]:
    """Each run but the first against the first; all tests are corrected together. Arguments as for :func:`compare`."""
    if len(runs) < 2:
        raise InputError(f"a comparison is about at least 2 runs, got {len(runs)}")
    if unknown := [name for name in names if name not in MEASURES]:
        raise InputError(f"unknown measure {unknown[0]!r}; known are {', '.join(MEASURES)}")
    titles = numbers.run_names([run.card for run in runs])
    found = [
        _compared(runs[0], run, (titles[0], title), names, despite, seed, samples)
        for run, title in zip(runs[1:], titles[1:])
    ]
    tested = [row.p for one in found for row in one.rows if row.p is not None]
    corrected = iter(comparing.holm(tested))
    return [
        replace(
            one,
            rows=tuple(row if row.p is None else _decided(row, next(corrected)) for row in one.rows),
            family=len(tested) if one.paired else 0,
        )
        for one in found
    ]


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Differing]:
    """The settings in which two scorecards differ, so that their figures don't compare."""
    one, other = settings_of(first), settings_of(second)
    return [
        Differing(what, one.get(what, NOT_KNOWN), other.get(what, NOT_KNOWN))
        for what in dict.fromkeys((*one, *other))
        if one.get(what) != other.get(what) and not (what in OF_SOME and NONE in (one.get(what), other.get(what)))
    ]


def settings_of(card: Mapping[str, Any]) -> dict[str, str]:
    """What must be the same for two scorecards' figures to compare, each in words; what isn't known is left out."""
    run = card["run"]
    data, plan, form = run.get("data") or {}, run.get("plan") or {}, run.get("form") or {}
    normalisation = (card.get("made") or {}).get("normalisation") or {}
    severities = sorted({severity for by_severity in card["corruptions"].values() for severity in by_severity})
    found: dict[str, Any] = {
        "data": data.get("sha256"),
        "corrupted data": data.get("ready_made"),
        "images": card["pictures"],
        "classes": numbers.among(card) or "all",
        "size": form.get("size", (card.get("made") or {}).get("side")),
        **{key: form.get(key) for key in ("crop", "interpolation", "mode", "channels")},
        **{key: form.get(key, normalisation.get(key)) for key in ("mean", "std")},
        "corruptions": ", ".join(sorted(card["corruptions"])) or NONE,
        "severities": ", ".join(severities) or NONE,
        "perturbations": ", ".join(sorted(card["flips"])) or NONE,
        "frost": card.get("frost") if "frost" in card["corruptions"] else card.get("frost") or NONE,
        "form of corruptions": plan.get("form") if card["corruptions"] else NONE,
        "difficulty": plan.get("difficulty") if card["flips"] else NONE,
        "seed": plan.get("seed") if card["corruptions"] or card["flips"] else NONE,
    }
    for key in ("attack", "auto_attack"):
        settings = plan.get(key)
        images = numbers.figure_of(card, f"{key}_error")["pictures"]
        told = (
            "" if not settings else ", ".join(f"{k} {numbers.plainly(v)}" for k, v in settings.items() if v is not None)
        )
        found[key] = f"{told or 'settings not known'} on {images} images" if images else NONE
    return {key: numbers.plainly(value) for key, value in found.items() if value is not None}


def _compared(
    first: Scored,
    second: Scored,
    titles: tuple[str, str],
    names: Sequence[str],
    despite: Sequence[str],
    seed: int,
    samples: int,
) -> Comparison:
    apart = [found for found in differing(first.card, second.card) if found.what not in despite]
    if not apart and first.per_image and second.per_image and not first.per_image.same_images(second.per_image):
        apart = [Differing("labels", "of other images, or in another order", "")]
    if apart:
        return Comparison(*titles, tuple(apart), (), False, 0, None)
    paired = first.per_image is not None and second.per_image is not None
    rows = []
    for name in names:
        figures = numbers.figure_of(first.card, name), numbers.figure_of(second.card, name)
        if any(figure["value"] is None for figure in figures):
            continue
        if "baseline" in measure_named(name).needs and first.card["run"].get("baseline") != second.card["run"].get(
            "baseline"
        ):
            continue
        both = [(run.per_image.arguments.get(name) if run.per_image else None) for run in (first, second)]
        rows.append(_row(name, numbers.title_of(name, (first.card, second.card)), figures, both, seed, samples))
    return Comparison(*titles, (), tuple(rows), paired, 0, None if paired else ALONE)


def _row(
    name: str,
    title: str,
    figures: tuple[Mapping[str, Any], Mapping[str, Any]],
    both: Sequence[Arguments | None],
    seed: int,
    samples: int,
) -> Compared:
    measure, (one, other) = measure_named(name), both
    values = figures[0]["value"], figures[1]["value"]
    row = Compared(name, title, *values, values[1] - values[0], None, figures[1]["pictures"], None, None, "undecided")
    if measure.interval == "none":
        return row
    if one is None or other is None or len(one[0]) != len(other[0]) or len(one[0]) < 2:
        if numbers.clearly_apart(*figures):
            return replace(row, verdict=_judged(measure, row.difference))
        return row
    found = _difference(measure, one, other, seed, samples)
    return replace(row, interval=found.interval, p=found.p)


def _difference(measure: Measure, one: Arguments, other: Arguments, seed: int, samples: int) -> comparing.Difference:
    if measure.function is mean:
        return comparing.difference_of_means(
            one[0], other[0], seed=seed, level=LEVEL, samples=samples, bounds=measure.bounds
        )
    groups = None
    if "anomalies" in measure.needs:
        unknown = int(one[1].sum())
        groups = [len(one[1]) - unknown, unknown]
    return comparing.difference(measure.function, one, other, seed=seed, level=LEVEL, samples=samples, groups=groups)


def _decided(row: Compared, corrected: float) -> Compared:
    """The row with its corrected p-value; decided if that and the interval agree that the difference is not 0."""
    certain = corrected < 1.0 - LEVEL and row.interval is not None and not row.interval[0] <= 0.0 <= row.interval[1]
    return replace(
        row,
        p_corrected=corrected,
        verdict=_judged(measure_named(row.name), row.difference) if certain else "undecided",
    )


def _judged(measure: Measure, change: float) -> Verdict:
    return "better" if (change < 0.0) == (measure.better == "lower") else "worse"


def verdicts(
    cards: Sequence[Mapping[str, Any]], names: Sequence[str], comparison: Comparison | None = None
) -> list[dict[str, Any]]:
    """The first run against the last, measure by measure: both values, the change, and "better", "worse" or "level".

    "level" means that nothing is decided. Without a ``comparison`` that of the scorecards alone.
    """
    found = comparison or compare(Scored(cards[0]), Scored(cards[-1]), names=names)
    return [
        {
            "name": row.name,
            "title": row.title,
            "from": numbers.written(row.name, row.first),
            "to": numbers.written(row.name, row.second),
            "change": numbers.written_change(row.name, row.difference, row.interval),
            "judgement": "level" if row.verdict == "undecided" else row.verdict,
            "images": row.images,
        }
        for row in found.rows
    ]


def why_no_verdict(comparison: Comparison) -> str:
    """Why two runs that differ get no verdict: a setting that isn't known of one of them may be the same."""
    unknown = sum(NOT_KNOWN in (found.first, found.second) for found in comparison.differing)
    if unknown == len(comparison.differing):
        return "how they were made is not known of both runs, so that whether their figures compare can't be told"
    known = ", as far as that is known" if unknown else ""
    return f"the runs were made in different ways{known}, so that their figures don't compare"


def explained(comparison: Comparison) -> str:
    """How verdicts come about, in a sentence or two."""
    if comparison.differing:
        return f"No verdict: {why_no_verdict(comparison)}."
    if not comparison.paired:
        return f"{comparison.reason}. Better and worse only where the two 95% intervals don't overlap."
    corrected = (
        f" {comparison.family} comparisons were made at once and are corrected for that (Holm), so that "
        "a difference whose interval leaves out 0 may still be too close to call."
        if comparison.family > 1 else ""
    )  # fmt: skip
    return (
        "Differences on the same images, with paired 95% intervals. Better and worse only where that is decided."
        + corrected
    )
