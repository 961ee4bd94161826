"""What a folder of results holds: of each study what is done, at work, interrupted, failed."""

from contextlib import suppress
from pathlib import Path

from ipmix.core.errors import InputError
from ipmix.core.progress import counted, duration
from ipmix.experiment.studies.results import Job, Results, jobs
from ipmix.experiment.studies.running import is_at_work, stage
from ipmix.experiment.studies.study import Study, open_study, study_names


def states(out: Path, results: Results, study: Study | None = None) -> list[str]:
    """Lines: one for each study and scale that anything was done of, and one for each cell that isn't done.

    ``study``: only of this one.
    """
    lines = []
    for folder in sorted(path for path in out.glob("*/*") if path.is_dir() and not path.name.endswith(".work")):
        name, scale = folder.parent.name, folder.name
        if study is not None and study.name != name:
            continue
        about = _named(name) if study is None else study
        there = [path.name for path in folder.iterdir()]
        done = results.within(folder)
        hours = sum(sum(one["hours"].values()) for one in done)
        lines.append(f"{name} at scale {scale}: {counted(len(done), 'result')}, {duration(3600 * hours)} of work")
        for path in sorted(there):
            if path.endswith(".work"):
                lines.append(f"  {path.removesuffix('.work')}: {_unfinished(about, scale, path, out)}")
            elif path.endswith(".log") and not {path.replace(".log", end) for end in (".work", ".json")} & {*there}:
                lines.append(f"  {path.removesuffix('.log')}: did not end; see {folder / path}")
        for job in _asked(about, scale, {one["seed"] for one in done}):
            if results.of(job) is None and not job.work(out).exists():
                lines.append(f"  {job.cell}-seed{job.seed}: missing")
    return lines


def _named(name: str) -> Study | None:
    """The study that comes with the package under this name."""
    return open_study(name) if name in study_names() else None


def _asked(study: Study | None, scale: str, seeds: set[int]) -> list[Job]:
    """The jobs of a study over the seeds that there are of it."""
    if study is None or not seeds:
        return []
    with suppress(InputError):
        return jobs(study, scale, sorted(seeds))
    return []


def _unfinished(study: Study | None, scale: str, path: str, out: Path) -> str:
    cell, _, seed = path.removesuffix(".work").rpartition("-seed")
    what = "begun"
    if study is not None:
        with suppress(InputError, KeyError, ValueError):
            (job,) = jobs(study, scale, [int(seed)], [cell])
            return f"{'at work' if is_at_work(job, out) else 'interrupted'}: {stage(job, out)}"
    return what
