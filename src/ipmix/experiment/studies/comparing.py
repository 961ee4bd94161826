"""Our figures over seeds beside the paper's: means, deviations, pairs over seeds, and where the order differs."""

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipmix.core.errors import plain
from ipmix.experiment.studies.measuring import column_of, measure_of, pass_of
from ipmix.experiment.studies.results import Job, Results, jobs
from ipmix.experiment.studies.study import Study
from ipmix.experiment.studies.study_config import PaperValue


@dataclass(frozen=True)
class Figures:
    """One measure of one cell, in the table's unit.

    Attributes:
        by_seed: our figure of each seed.
    """

    by_seed: Mapping[int, float]

    @property
    def mean(self) -> float | None:
        return statistics.mean(self.by_seed.values()) if self.by_seed else None

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation over the seeds; None of one seed."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None


@dataclass(frozen=True)
class Lacking:
    """A figure that a result doesn't have."""

    cell: str
    measure: str
    seed: int
    reason: str | None


@dataclass(frozen=True)
class Comparison:
    """A study's table: the paper's figures and ours.

    Attributes:
        study, scale, seeds: what was asked for.
        figures: cell -> measure -> ours.
        found: the results behind it, each with the ``row`` that it stands in.
        missing: the jobs that have no result.
        lacking: cell, measure, seed of each figure that a result doesn't have, and its reason where it gives one.
        reference: the figures of the study's reference cell, whether the table shows that row or not.
    """

    study: Study
    scale: str
    seeds: tuple[int, ...]
    figures: Mapping[str, Mapping[str, Figures]]
    found: Sequence[Mapping[str, Any]]
    missing: Sequence[Job]
    lacking: Sequence["Lacking"] = ()
    reference: Mapping[str, Figures] | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(self.figures)

    def paper(self, cell: str, measure: str) -> PaperValue | None:
        return self.study.paper.get(cell, {}).get(measure)

    def paired(self, cell: str, measure: str) -> Figures:
        """Ours minus the reference cell's, seed by seed: what the seeds have in common falls out."""
        if self.reference is None:
            return Figures({})
        ours, base = self.figures[cell][measure].by_seed, self.reference[measure].by_seed
        return Figures({seed: value - base[seed] for seed, value in ours.items() if seed in base})


def frost_of(result: Mapping[str, Any], passes: Iterable[str]) -> str | None:
    """Which frost a result's images have in these passes, "published" or "procedural"; None where none is said."""
    kinds = {str(one["frost"]) for name, one in result["passes"].items() if name in passes and "frost" in one}
    return " and ".join(sorted(kinds)) or None


def made_on(result: Mapping[str, Any]) -> str:
    """The accelerator, or else the processor, that a result was made on; of files by hand "a machine not named"."""
    hardware = result.get("hardware")
    about = hardware if isinstance(hardware, Mapping) else {}
    return plain(str(about.get("accelerator") or about.get("processor") or "a machine not named"), most=200)


@dataclass(frozen=True)
class Disagreement:
    """Two cells that the paper and we order differently.

    Attributes:
        measure: by which measure.
        better, worse: as the paper has them.
        paper: by how much, there.
        ours: by how much here, the other way round, over the seeds that both have.
        sure: whether that is more than its deviation; None of one seed, which can't say.
    """

    measure: str
    better: str
    worse: str
    paper: float
    ours: float
    seeds: int
    sure: bool | None


def compare(study: Study, scale: str, seeds: Iterable[int], results: Results, cells: Iterable[str] = ()) -> Comparison:
    """The table of a study at a scale, from the results that there are.

    If no seeds are named, over all that any row but the reference has: that one stands in several tables, and with
    its further seeds every other row would lack some.

    Raises:
        InputError: two results of the same settings and seed hold different figures.
    """
    names = study.cells(scale, cells)
    others = [name for name in names if name != study.reference]
    seeds = (
        tuple(seeds)
        or (seeds_of(study, scale, results, others) if others else ())
        or seeds_of(study, scale, results, names)
        or (0,)
    )
    figures: dict[str, dict[str, dict[int, float]]] = {
        cell: {measure: {} for measure in study.config.measures} for cell in study.cells(scale)
    }
    found, missing, lacking = [], [], []
    for job in jobs(study, scale, seeds):
        result = results.agreed(job)
        if result is None:
            if job.cell in names:
                missing.append(job)
            continue
        if job.cell in names:
            found.append({**result, "row": job.cell})
        for measure in study.config.measures:
            value = figure(result, measure)
            if value is not None:
                figures[job.cell][measure][job.seed] = value
            elif job.cell in names:
                lacking.append(Lacking(job.cell, measure, job.seed, _reason(result, measure)))
    rows = {cell: {measure: Figures(values) for measure, values in row.items()} for cell, row in figures.items()}
    shown = {cell: row for cell, row in rows.items() if cell in names}
    return Comparison(study, scale, seeds, shown, found, missing, lacking, rows.get(study.reference))


def seeds_of(study: Study, scale: str, results: Results, cells: Iterable[str] = ()) -> tuple[int, ...]:
    """The seeds that there is any result of these cells of; of all, if none are named."""
    return tuple(
        seed
        for seed in results.seeds()
        if any(results.of(job) is not None for job in jobs(study, scale, [seed], cells))
    )


def figure(result: Mapping[str, Any], measure: str) -> float | None:
    """A measure of a result in the table's unit, or None."""
    name, column = measure_of(measure), column_of(measure)
    measures = result["passes"].get(pass_of(measure), {}).get("measures", {})
    if name == "accuracy":
        error = measures.get("clean_error", {}).get("value")
        return None if error is None else 100.0 * (1.0 - error)
    value = measures.get(name, {}).get("value")
    return None if value is None else column.factor * value


def _reason(result: Mapping[str, Any], measure: str) -> str | None:
    """Why a result has no figure of a measure, where it says so."""
    measures = result["passes"].get(pass_of(measure), {}).get("measures", {})
    reason = measures.get("clean_error" if measure_of(measure) == "accuracy" else measure_of(measure), {}).get("reason")
    return None if reason is None else str(reason)


def disagreements(table: Comparison) -> list[Disagreement]:
    """Pairs of cells whose order by a measure is not the paper's; equal figures have no order."""
    return [one for one in compared_pairs(table) if one.ours > 0]


def compared_pairs(table: Comparison) -> list[Disagreement]:
    """All pairs that the paper orders by a measure and we have seeds of; ``ours`` is above 0 where we disagree."""
    found = []
    for measure in table.study.config.measures:
        sign = 1.0 if column_of(measure).better == "lower" else -1.0
        for one, other in itertools.combinations(table.cells, 2):
            theirs = [table.paper(cell, measure) for cell in (one, other)]
            if any(value is None or value.value is None for value in theirs):
                continue
            first, second = (sign * value.value for value in theirs if value and value.value is not None)
            better, worse = (one, other) if first < second else (other, one)
            ours = [table.figures[cell][measure].by_seed for cell in (better, worse)]
            shared = [seed for seed in ours[0] if seed in ours[1]]
            if first == second or not shared:
                continue
            gaps = [sign * (ours[0][seed] - ours[1][seed]) for seed in shared]
            gap = statistics.mean(gaps)
            sure = abs(gap) > statistics.stdev(gaps) if len(gaps) > 1 else None
            found.append(Disagreement(measure, better, worse, abs(first - second), gap, len(gaps), sure))
    return found
