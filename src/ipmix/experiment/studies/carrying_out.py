"""One cell, from nothing or from where it was interrupted, to its result: trained, measured, written down."""

import io
import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError
from ipmix.core.files import alone, sweep, write_text
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.json_text import json_text, read_json_object
from ipmix.core.torchrun import is_first, process_count
from ipmix.experiment.config import ExecutionConfig
from ipmix.experiment.run import look_through, measure, measures_of, train
from ipmix.experiment.studies.measuring import CLOCK
from ipmix.experiment.studies.places import Places
from ipmix.experiment.studies.provenance import provenance
from ipmix.experiment.studies.result_files import SCHEMA
from ipmix.experiment.studies.results import Job, Results, refuse_other, settings_of
from ipmix.experiment.studies.study_config import PassConfig
from ipmix.methods.choosing import chosen_method

RUN = "run"
"""The folder of the training within the job's work folder."""

CLOCK_FILE = "clock.json"
"""Seconds of measuring so far, over all interruptions."""

KEPT = ("measures", "corruptions", "flips", "pictures", "images", "frost")
"""What a result keeps of a scorecard, where it holds it."""


@dataclass(frozen=True)
class Manner:
    """How cells are carried out; nothing of it changes a figure.

    Attributes:
        places: where the images lie.
        sources: all names of data that the study's cells use.
        execution: threads, device and the like.
        keep: keep the last network beside the result.
        force: replace the result of other settings.
        trust: a study's file may name code.
    """

    places: Places = field(default_factory=Places)
    sources: tuple[str, ...] = ()
    execution: ExecutionConfig = ExecutionConfig()
    keep: bool = False
    force: bool = False
    trust: bool = False


def carry_out(job: Job, out: Path, manner: Manner) -> Path:
    """Train and measure a cell; the result's file.

    Interrupted at any moment, the same call goes on where it was. Started by torchrun, all processes work on it
    together.

    Raises:
        InputError: another process is at this very cell, there is the result of other settings, or the images, the
            settings or the machine are not what is needed.
    """
    first = is_first()
    alone_here = process_count() == 1  # several have agreed on what to do
    about = provenance()  # of now: the source may have moved on when the cell is done
    path, work = job.path(out), job.work(out)
    with alone(work) if first else nullcontext():
        if alone_here and Results([path.parent]).of(job, weights=job.needs_weights) is not None:
            return path  # another process has made it meanwhile
        if not manner.force:
            refuse_other(job, out)
        how = replace(manner.execution, resume=True, root=manner.places.root, download=manner.places.download)
        experiment = manner.places.experiment(job.experiment, manner.sources)
        outcome = train(experiment, work / RUN, how)
        weights = work / RUN / "last.safetensors"
        passes = {name: _measured(job, name, one, experiment, weights, work, how, manner) for name, one in
                  job.passes.items() if name != CLOCK}  # fmt: skip
        if not first:
            return path
        speed = [json.loads(line) for line in (work / RUN / "speed.jsonl").read_bytes().splitlines()]
        passes[CLOCK] = {"settings": {}, "measures": _clock(speed)}
        measuring = sum(_seconds(work).values())
        record = read_json_object(work / RUN / "experiment.json")
        result = {
            "schema": SCHEMA,
            "study": job.study,
            "cell": job.cell,
            "scale": job.scale,
            "seed": job.seed,
            "key": job.key,
            "settings": job.settings,
            "passes": passes,
            "last": outcome.last,
            "best": outcome.best,
            "hours": {
                "training": round(sum(row["seconds"] for row in speed) / 3600, 6),
                "measuring": round(measuring / 3600, 4),
            },
            "data": {"train": record["data"], "test": record["test"], "mixing": record["mixing"]},
            "command": command_of(job, manner),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **about,
        }
        if manner.keep:
            shutil.copyfile(weights, path.with_suffix(".safetensors"))
            if (card := work / "measured-clean" / "scorecard.json").exists():
                shutil.copyfile(card, path.with_suffix(".scorecard.json"))
        write_text(path, json_text(result, indent=1) + "\n")
        _clear(work)
    with suppress(OSError):
        work.rmdir()
    return path


def check_settings(job: Job) -> None:
    """Refuse, before anything is trained, a network, a method or a measurement that there isn't.

    Raises:
        InputError: naming study, cell and key.
    """
    from ipmix.models import check_name

    experiment, about, where = job.experiment, job.experiment.method, f"study {job.study}, cell {job.cell}"
    look_through(
        {
            f"{where}: training.model": lambda: check_name(experiment.training.model),
            f"{where}: method": lambda: chosen_method(about.name, about.preset, about.options),
            **{f"{where}: pass {name}": partial(_planned, one) for name, one in job.passes.items()},
        }
    )


def _planned(one: PassConfig) -> object:
    return measures_of(one).plan(SMALL_SIDE)


def command_of(job: Job, manner: Manner) -> str:
    """What makes a job's result again, with the study and folders as they were given.

    Not where results go: in the same folder, where the result is, it would do nothing.
    """
    places, how = manner.places, manner.execution
    words = ["ipmix", "reproduce", "run", job.source or job.study, "--scale", job.scale, "--cells", job.cell,
             "--seeds", str(job.seed)]  # fmt: skip
    words += [] if places.data is None else ["--data", str(places.data)]
    for name, folder in places.folders.items():
        words += ["--folder", f"{name}={folder}"]
    words += [] if how.device == "auto" else ["--device", how.device]
    words += [] if how.threads == 1 else ["--threads", str(how.threads)]
    for option, wanted in (("--download", places.download), ("--keep-weights", manner.keep), ("--trust", manner.trust)):
        words += [option] if wanted else []
    return shlex.join(words)


def sweep_killed(finished: Iterable[Job], every: Iterable[Job], out: Path) -> None:
    """Remove what killed processes left: half-written results, and the work of cells that are finished."""
    for folder in dict.fromkeys(job.path(out).parent for job in every):
        if folder.is_dir():
            sweep(folder)
    for job in finished:
        sweep_finished(job, out)


def sweep_finished(job: Job, out: Path) -> None:
    """Remove what a process that was killed right after it had written a cell's result left of its work.

    Only what is older than the result: a folder of later work is that of other settings (``--force``), and goes on.
    """
    path, work = job.path(out), job.work(out)
    if not path.exists() or not work.is_dir() or work.is_symlink():
        return
    try:
        left = path.stat().st_mtime_ns >= (work / CLOCK_FILE).lstat().st_mtime_ns
    except OSError:  # killed at its very end, or before anything was trained: nothing to lose
        left = not (work / RUN).exists()
    if not left:
        return
    with suppress(InputError), alone(work):  # another process may be at the removing itself
        _clear(work)
    with suppress(OSError):
        work.rmdir()
    job.log(out).unlink(missing_ok=True)


def _measured(
    job: Job, name: str, wanted: PassConfig, experiment: Any, weights: Path, work: Path, how: ExecutionConfig,
    manner: Manner,
) -> dict[str, Any]:  # fmt: skip
    began = time.monotonic()
    other: dict[str, Any] = {}
    if wanted.data is not None:
        other = {"data": manner.places.named(wanted.data), "class_map": wanted.class_map, "trim": wanted.trim,
                 "split": None}  # fmt: skip
    # Its tables would fill a log with what the result says again.
    with redirect_stdout(io.StringIO()):
        card = measure(experiment, wanted, weights, work / f"measured-{name}", how, name=job.name, **other)
    if card:
        seconds = _seconds(work)
        seconds[name] = max(seconds.get(name, 0.0), time.monotonic() - began)
        write_text(work / CLOCK_FILE, json_text(seconds) + "\n")
    return {"settings": settings_of(wanted), **{key: card[key] for key in KEPT if card.get(key) is not None}}


def _seconds(work: Path) -> dict[str, float]:
    """Seconds of measuring so far, by pass."""
    if not (work / CLOCK_FILE).exists():
        return {}
    return {str(key): float(value) for key, value in read_json_object(work / CLOCK_FILE).items()}


def _clock(speed: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds an epoch and the share of waiting for images, of the last epoch: the first one compiles."""
    last = speed[-1]
    return {"epoch_seconds": {"value": last["seconds"]}, "loader_share": {"value": last["waiting_share"]}}


def _clear(work: Path) -> None:
    """Remove the run and the predictions: dozens of cells would fill the disk."""
    # The clock last: by it, what is left where this is killed is known to be older than the result.
    for path in sorted(work.iterdir(), key=lambda path: path.name == CLOCK_FILE):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != ".lock":
            path.unlink(missing_ok=True)
    sys.stderr.flush()
