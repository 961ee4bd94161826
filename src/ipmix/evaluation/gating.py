"""The gate of a pipeline behind an evaluation: bounds, another run to be held to, and files that CI systems read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from ipmix.core.errors import InputError, first_line
from ipmix.core.files import write_text
from ipmix.core.terminal import say, tell
from ipmix.corruptions.severities import CORRUPTIONS
from ipmix.evaluation.foreseen import Foreseen
from ipmix.evaluation.ready_made import is_ready_made
from ipmix.evaluation.request import MeasureRequest
from ipmix.evaluation.results import read_runs
from ipmix.measures.consistency import is_whole
from ipmix.measures.table import MEASURES, Needed
from ipmix.report import ci
from ipmix.report.comparison import Comparison, Scored, compare, differing
from ipmix.report.gates import Check, Checked, checked, not_worse, refuse_differing
from ipmix.report.numbers import run_names
from ipmix.report.scorecards import CHOSEN_SEQUENCES


def refuse_unwritable(junit: Path | None, summary: Path | None, out: Path | None = None) -> None:
    """Raise :class:`InputError` where a file of the gate's can't be written, before any work.

    Args:
        junit, summary: the files.
        out: the results' folder, which will be there in the end, with folders below it.
    """
    for option, path in (("--junit", junit), ("--summary", summary)):
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"{option} {path} is a folder; expected the name of a file to write")
        parent = path.absolute().parent
        if not parent.is_dir():
            if out is not None and parent.is_relative_to(out.absolute()):
                continue
            raise InputError(f"can't write {option} {path}: the folder {path.parent} does not exist; create it first")
        try:
            with TemporaryFile(dir=parent):  # on the disk alone shows what rights and kinds of folders hide
                pass
        except OSError as error:
            raise InputError(f"can't write {option} {path} ({error.strerror}): choose another file") from None


FAILED = 1
"""The exit code of a command whose checks failed; bad input has 2."""


@dataclass(frozen=True)
class Gate:
    """What a run is held to.

    Attributes:
        checks: bounds of its measures.
        baseline: the run that it is held to; None for none.
        margin: how much worse than that it may be.
        junit: where the checks go as JUnit's XML.
        summary: where the checks and the figures go in Markdown.
    """

    checks: tuple[Check, ...] = ()
    baseline: Scored | None = None
    margin: float | None = None
    junit: Path | None = None
    summary: Path | None = None

    @classmethod
    def of(
        cls,
        fail_if: Sequence[str],
        wanted: MeasureRequest,
        *,
        data: str,
        baseline: Path | None,
        anomalies: Path | None,
        no_worse_than: float | None,
        junit: Path | None,
        summary: Path | None,
        out: Path | None = None,
    ) -> "Gate":
        """Read the options, before any work.

        Raises:
            InputError: an expression or measure that can't be read, one that isn't measured, a baseline that is
                missing, or a file whose folder doesn't exist.
        """
        checks = tuple(map(Check.failing, fail_if))
        for check in checks:
            _refuse_unmeasured(check, wanted, baseline is not None, anomalies is not None, is_ready_made(data))
        refuse_unwritable(junit, summary, out)
        if no_worse_than is None:
            return cls(checks, None, None, junit, summary)
        if not (math.isfinite(no_worse_than) and no_worse_than >= 0.0):
            raise InputError(f"--no-worse-than is a finite number of at least 0, got {no_worse_than}")
        if baseline is None:
            raise InputError("--no-worse-than says how much worse than another run: pass --baseline")
        runs = read_runs(baseline)
        if len(runs) != 1:
            raise InputError(f"{baseline} holds {len(runs)} results; a baseline is one: pass one run's scorecard.json")
        if runs[0].per_image is None:
            raise InputError(
                f"{baseline} is a scorecard alone, and --no-worse-than compares image by image: pass the folder of its "
                "evaluation"
            )
        return cls(checks, runs[0], no_worse_than, junit, summary)

    def foresee(self, found: Foreseen, *, skip_broken: bool) -> None:
        """Refuse, before the first prediction, what it would be refused for after the last.

        Args:
            found: what is known of the run.
            skip_broken: how many images can be read is not known yet.

        Raises:
            InputError: a bound's measure will have no figure, or the run and the baseline differ in a setting.
        """
        for check in self.checks:
            if check.measure not in found.measures:
                reason = found.absent.get(check.measure, "it is not measured")
                raise InputError(f"{check.text}: {check.measure} will not be given: {reason}")
        if self.baseline is None:
            return
        counted = ("images", "attack", "auto_attack") if skip_broken else ()
        apart = [one for one in differing(self.baseline.card, found.card) if one.what not in counted]
        names = run_names([self.baseline.card, found.card])
        refuse_differing(names[0], names[1], apart)

    def passed(self, out: Path) -> int:
        """Hold the run in ``out`` to it, tell what failed and write the files; the exit code: 0 or 1."""
        if not (self.checks or self.baseline or self.junit or self.summary):
            return 0
        run = read_runs(out)[0]
        found = checked(run.card, self.checks)
        if self.baseline is not None:
            found = found + not_worse(compare(self.baseline, run), self.margin)
        return told(found, [run], self.junit, self.summary, "checks" if self.baseline else "bounds")


def not_worse_than_the_first(comparisons: Sequence[Comparison]) -> Checked:
    """Hold all runs to the first: fails what is decided to be worse.

    Raises:
        InputError: there is only one, or they can't be compared.
    """
    if not comparisons:
        raise InputError("--fail-if-worse compares with the first result: give at least two")
    found = Checked(())
    for compared in comparisons:
        found = found + not_worse(compared)
    return found


def told(found: Checked, runs: Sequence[Scored], junit: Path | None, summary: Path | None, what: str = "checks") -> int:
    """Say which checks failed, or that all ``what`` hold, write them to the files, and give the exit code.

    Raises:
        InputError: a file can't be written, and no check failed; else that is told, and the exit code is the verdict's.
    """
    cards = [run.card for run in runs]
    for row in found.failed:
        tell(f"ipmix: failed: {row.name}: {row.found} ({row.asked})\n")
    if found.rows and found:
        count = len(found.rows)
        say(f"all {count} {what} hold\n" if count > 1 else f"the {what.removesuffix('s')} holds\n")
    try:
        for path, text in (
            (junit, lambda: ci.junit(found, run_names(cards)[-1])), (summary, lambda: ci.summary(found, cards)),
        ):  # fmt: skip
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, text())
    except (InputError, OSError) as error:
        if found:
            raise
        tell(f"ipmix: {first_line(error)}\n")
    return 0 if found else FAILED


def _refuse_unmeasured(
    check: Check, wanted: MeasureRequest, baseline: bool, anomalies: bool, on_the_disk: bool
) -> None:
    """What the options alone say; what the data and the model say comes later (:meth:`Gate.foresee`)."""
    plan = wanted.plan(64)
    there: dict[Needed, tuple[bool, str]] = {
        "corruption": (on_the_disk or bool(plan.corruptions), "--corruptions"),
        "frames": (on_the_disk or bool(plan.perturbations), "--perturbations"),
        "top5": (on_the_disk or bool(plan.perturbations), "--perturbations"),
        "attack": (plan.attack is not None, "--attack"),
        "auto_attack": (plan.auto_attack is not None, "--autoattack"),
        "baseline": (baseline, "--baseline"),
        "anomalies": (anomalies, "--anomalies"),
    }
    whole = len(plan.severities) == 5 and set(CORRUPTIONS) <= set(plan.corruptions)
    if check.measure == "mean_corruption_error" and plan.corruptions and not (whole or on_the_disk):
        raise InputError(
            f"{check.text}: mCE goes over 15 corruptions at 5 severities, and others were chosen; write "
            "chosen_corruption_error"
        )
    chosen = plan.perturbations and not on_the_disk and not is_whole(plan.perturbations, plan.difficulty)
    if chosen and check.measure in CHOSEN_SEQUENCES:
        raise InputError(
            f"{check.text}: {MEASURES[check.measure].title} goes over the ten perturbations of -P, and others were "
            f"chosen; write {CHOSEN_SEQUENCES[check.measure]}"
        )
    for need in MEASURES[check.measure].needs:
        measured, option = there.get(need, (True, ""))
        if not measured:
            raise InputError(f"{check.text}: {check.measure} is not measured; pass {option}")
