"""What a benchmark hands to the report: rows in sections, checks against a target, curves, what was absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.timing import Timing, ratio


@dataclass(frozen=True)
class Row:
    """One line of a table: the median rate of the rounds, and its slowest and fastest round."""

    name: str
    rate: float
    slowest: float
    fastest: float
    threads: int = 1
    busy: float = 1.0
    """Processor seconds per second of the clock: one thread that was never kept waiting has 1."""
    times: float | None = None
    """How many times as fast as the section's ``beside`` row (or the inverse): the median of the rounds' ratios."""
    memory: tuple[float, float] | None = None
    """(resident before the loader started, at most while it ran), MiB."""
    note: str = ""


@dataclass(frozen=True)
class Absent:
    """A row that could not be measured, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Section:
    """One table.

    ``beside`` names the row that the others' ``times`` refer to; "" if there is none. ``inverse``: they say
    how many times as fast *that* row is.
    """

    title: str
    rows: tuple[Row, ...]
    unit: str = "images/s"
    beside: str = ""
    absent: tuple[Absent, ...] = ()
    note: str = ""
    inverse: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class Check:
    """A target and what was measured; ``at_most`` where small is good."""

    name: str
    value: float
    least: float
    aim: float | None = None
    unit: str = "times"
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """ "missed", "met", or "aim reached" (also where there is no further aim, "met")."""

        def reached(target: float) -> bool:
            return self.value <= target if self.at_most else self.value >= target

        if not reached(self.least):
            return "missed"
        return "aim reached" if self.aim is not None and reached(self.aim) else "met"


@dataclass(frozen=True)
class Curve:
    """Rates along one axis: ``points`` maps a label (one line of the plot) to its (x, images/s) pairs."""

    title: str
    axis: str
    points: Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Suite:
    """All that one benchmark found."""

    name: str
    title: str
    images: str
    sections: tuple[Section, ...] = ()
    checks: tuple[Check, ...] = ()
    curves: tuple[Curve, ...] = ()
    text: str = ""
    """Output of another program."""
    summary: str = ""
    """What the figures say, in sentences."""
    metadata: Mapping[str, object] = field(default_factory=dict)


def section(
    title: str,
    timings: Mapping[str, Timing],
    beside: str = "",
    *,
    absent: Sequence[Absent] = (),
    note: str = "",
    unit: str = "images/s",
    memory: Mapping[str, tuple[float, float]] | None = None,
    inverse: bool = False,
    drawn: bool = False,
) -> Section:
    """The table of one race, or of some of its rows."""

    def times(timing: Timing) -> float | None:
        if reference is None:
            return None
        return ratio(reference, timing) if inverse else ratio(timing, reference)

    reference = timings.get(beside)
    rows = tuple(
        Row(
            name,
            *(timing.rate, timing.slowest, timing.fastest, timing.threads, timing.busy),
            times=times(timing),
            memory=(memory or {}).get(name),
            note=timing.note,
        )
        for name, timing in timings.items()
    )
    return Section(title, rows, unit, beside if reference is not None else "", tuple(absent), note, inverse, drawn)
