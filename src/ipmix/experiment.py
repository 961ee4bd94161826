"""An experiment: which pictures, which augmentation, which network trained how, measured how.

Made from a settings file (``experiments/*.yaml``) or from the words of ``ipmix train``; everything that
decides the figures is in it, and nothing else (not the number of threads, not the device).
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ipmix import datasets
from ipmix.datasets import PictureFiles, Pictures
from ipmix.errors import InputError
from ipmix.method_choice import chosen_method
from ipmix.mixing_set import MixingSet, margin
from ipmix.optimising import Training
from ipmix.sources import OnDisk
from ipmix.training import Outcome
from ipmix.training import train as train_network

TEST_CROP = 0.875
"""The share of the shorter side that is kept for testing where training cuts out random parts (256 and 224)."""


@dataclass(frozen=True)
class Data:
    """The pictures.

    Attributes:
        source: a folder (train/<class>/<picture>, and the same under test or val), cifar10, cifar100, digits.
        size: bring all pictures to this side.
        crop: "pad" keeps the pictures in memory and shifts them in training; "resized" reads files in every
            epoch and brings a random part of each to ``size`` (ImageNet).
        test_split: what to test on after each epoch; test or val, whichever is there, if left out.
        skip_broken: pass over pictures that can't be decoded.
    """

    source: str
    size: int | None = None
    crop: Literal["pad", "resized"] = "pad"
    test_split: str | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if self.crop == "resized" and self.source in datasets.BUILT_IN:
            raise InputError(f"crop 'resized' reads files from a folder; {self.source} is not one")


@dataclass(frozen=True)
class Method:
    """The augmentation: a name ("none" for flips and crops alone), a preset, single options."""

    name: str = "ipmix"
    preset: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mixing:
    """The mixing set: a folder, or ``count`` pictures generated from ``seed``."""

    folder: str | None = None
    count: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """What is measured on the test pictures at the end (see ``ipmix evaluate``).

    Attributes:
        corruptions: which, by name or group.
        severities: of each corruption.
        perturbations: films for the flip probability.
        attack: measure the error under PGD.
        limit: take this many test pictures, evenly spread; all if left out. (The test error after each epoch is
            always that of all pictures.)
    """

    corruptions: tuple[str, ...] = ("test",)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    perturbations: tuple[str, ...] = ()
    attack: bool = True
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit is at least 1, got {self.limit}")


@dataclass(frozen=True)
class Experiment:
    """One training run and its measurement."""

    data: Data
    method: Method = Method()
    mixing: Mixing = Mixing()
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = Evaluation()


def train(
    experiment: Experiment,
    out: Path,
    *,
    root: Path | None = None,
    download: bool = False,
    resume: bool = False,
    force: bool = False,
    threads: int = 1,
    engine: str = "compiled",
    device: str = "auto",
    checkpoint_seconds: float = 300.0,
    trackers: Sequence[str] = (),
    quiet: bool = False,
) -> Outcome:
    """Train the experiment's network in the folder ``out``; the arguments are those of ``ipmix train``."""
    from ipmix.checkpoint import refuse_taken

    # What can be refused is refused before any picture is read.
    method = chosen_method(experiment.method.name, experiment.method.preset, experiment.method.options)
    if method is None or not method.needs_pictures:
        if experiment.mixing.folder is not None:
            raise InputError("this method mixes in no pictures: leave out the mixing set")
    elif experiment.mixing.folder is not None:
        MixingSet.open(experiment.mixing.folder)
    refuse_taken(out, resume=resume, force=force)
    pictures, test = open_pictures(experiment.data, experiment.training.size, root=root, download=download, quiet=quiet)
    return train_network(
        experiment.training,
        pictures,
        test,
        out,
        method=method,
        mixing=_mixing_set(experiment, method, pictures),
        resume=resume,
        force=force,
        threads=threads,
        engine=engine,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        trackers=trackers,
        quiet=quiet,
    )


def run(
    experiment: Experiment, out: Path, *, names: Sequence[str] = ("last", "best"), **options: Any
) -> dict[str, Any]:
    """Train, measure the last and the best epoch, and write ``results.json``: the record of the experiment.

    Interrupted at any moment, the same call with ``resume=True`` goes on where it was.

    Args:
        experiment: what to do.
        out: the folder for everything.
        names: which of the kept networks to measure.
        options: those of :func:`train`.
    """
    from ipmix import assessment
    from ipmix.versions import versions
    from ipmix.writing import write_text

    outcome = train(experiment, out, **options)
    wanted = experiment.evaluation
    cards = {}
    same = outcome.best["epoch"] == outcome.last["epoch"]
    for name in names:
        if not (out / f"{name}.safetensors").exists() or (name == "best" and same and "last" in names):
            continue
        measured = assessment.Wanted(
            corruptions=wanted.corruptions,
            severities=wanted.severities,
            perturbations=wanted.perturbations,
            attack=assessment.Attack() if wanted.attack else None,
        )
        request = assessment.Request(
            model=str(out / f"{name}.safetensors"),
            data=experiment.data.source,
            out=out / f"measured-{name}",
            name=f"{out.name} ({name} epoch)",
            split=experiment.data.test_split,
            size=experiment.training.size if experiment.data.crop == "resized" else experiment.data.size,
            crop=TEST_CROP if experiment.data.crop == "resized" else 1.0,
            root=options.get("root"),
            skip_broken=experiment.data.skip_broken,
            limit=wanted.limit,
        )
        (out / f"measured-{name}").mkdir(exist_ok=True)
        cards[name] = assessment.assess(
            request,
            measured,
            device=options.get("device", "auto"),
            threads=options.get("threads", 1),
            force=options.get("force", False),
            quiet=options.get("quiet", False),
        )
    results = {
        "record": json.loads((out / "experiment.json").read_text()),
        "versions": versions(),
        "last": outcome.last,
        "best": outcome.best,
        "measured": cards,
    }
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    return results


def open_pictures(
    data: Data, size: int, *, root: Path | None = None, download: bool = False, quiet: bool = False
) -> tuple[Pictures | PictureFiles, Pictures | OnDisk | None]:
    """The pictures to train on, and those to test on (None if there are none)."""
    if data.crop == "resized":
        return _open_files(data, size, quiet)
    where: dict[str, Any] = {
        "root": root, "download": download, "skip_broken": data.skip_broken, "quiet": quiet,
    }  # fmt: skip
    pictures = datasets.load(data.source, "train", size=data.size, **where)
    side = data.size
    if side is None and pictures.images.shape[1] == pictures.images.shape[2]:
        side = pictures.images.shape[1]
    split = _test_split(data)
    test = None if split is None else datasets.load(data.source, split, size=side, **where)
    for loaded in (pictures, test):
        if loaded is not None:
            _tell_skipped(loaded.name, loaded.skipped)
    return pictures, test


def _open_files(data: Data, size: int, quiet: bool) -> tuple[PictureFiles, OnDisk | None]:
    files = datasets.scan(data.source, "train")
    if data.skip_broken:
        files, broken = files.whole(quiet=quiet)
        _tell_skipped(files.name, broken)
    split = _test_split(data)
    if split is None:
        return files, None
    test = datasets.scan(data.source, split)
    return files, OnDisk(test, size, TEST_CROP, data.skip_broken)


def _test_split(data: Data) -> str | None:
    if data.test_split is not None:
        return data.test_split
    return next((name for name in ("test", "val") if name in datasets.splits(data.source)), None)


def _tell_skipped(name: str, skipped: Sequence[Path]) -> None:
    if skipped:
        sys.stderr.write(f"{name}: passed over {len(skipped)} broken pictures, the first {skipped[0]}\n")


def _mixing_set(experiment: Experiment, method: Any, pictures: Pictures | PictureFiles) -> MixingSet | None:
    if method is None or not method.needs_pictures:
        return None
    if experiment.mixing.folder is not None:
        return MixingSet.open(experiment.mixing.folder)
    height = width = experiment.training.size
    if isinstance(pictures, Pictures):
        height, width = pictures.images.shape[1:3]
    return MixingSet.generate(experiment.mixing.count, margin(height, width), experiment.mixing.seed)
