"""An experiment: which images, which augmentation, which network trained how, measured how.

Made from a settings file (``experiments/*.yaml``) or from the words of ``ipmix train``; everything that
decides the figures is in it, and nothing else (not the number of threads, not the device).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipmix.core.checking import shown
from ipmix.core.errors import InputError, visible
from ipmix.core.extensions import is_of_a_hub, is_own
from ipmix.core.torchrun import is_first
from ipmix.data import datasets
from ipmix.data.broken import LIST, list_broken
from ipmix.data.built_in import BUILT_IN
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.decoding import DecodeConfig
from ipmix.data.sources import OnDisk
from ipmix.experiment.config import TEST_CROP, DataConfig, EvaluationConfig, ExecutionConfig, ExperimentConfig
from ipmix.methods.choosing import chosen_method
from ipmix.methods.protocol import Method
from ipmix.mixing_set.composition import compose, parse_mix
from ipmix.mixing_set.mixing_set import MixingSet, margin
from ipmix.training.loop import Outcome
from ipmix.training.loop import train as train_network

if TYPE_CHECKING:
    from ipmix.evaluation.request import MeasureRequest


KINDS = "mix (--mixing-kinds)"
"""What an experiment's file and the command line call the kinds of mixing images."""


def check(experiment: ExperimentConfig) -> None:
    """Refuse what can be refused before any image is read: a method's options, what is to be measured.

    Raises:
        InputError: naming the key.
    """
    from ipmix.models import check_name

    look_through(
        {
            "data.source": lambda: _check_source(experiment.data.source),
            "training.model": lambda: check_name(experiment.training.model),
            "method": lambda: chosen_method(*_method_words(experiment)),
            "mixing": lambda: compose(experiment.mixing.count, parse_mix(experiment.mixing.mix, KINDS)),
            "evaluation": lambda: measures_of(experiment.evaluation).plan(32),
        }
    )


def look_through(looks: Mapping[str, Callable[[], object]]) -> None:
    """Call each in turn; what one refuses is told with its key before it."""
    for key, look in looks.items():
        try:
            look()
        except InputError as error:
            raise InputError(f"{key}: {error}") from None


def _check_source(source: str) -> None:
    if source not in BUILT_IN and not Path(source).is_dir():
        raise InputError(
            f"{shown(source)} is not a folder; expected a folder of images (<split>/<class>/<image>) or one of "
            f"{', '.join(BUILT_IN)}"
        )


def train(experiment: ExperimentConfig, out: Path, execution: ExecutionConfig | None = None) -> Outcome:
    """Train the experiment's network in the folder ``out``."""
    from ipmix.training.checkpoint import refuse_taken

    how = execution or ExecutionConfig()
    # What can be refused is refused before any image is read.
    method = chosen_method(*_method_words(experiment))
    if method is None or not method.needs_mixing_images:
        if experiment.mixing.folder is not None:
            raise InputError("this method mixes in no images: leave out the mixing set")
    elif experiment.mixing.folder is None:
        compose(experiment.mixing.count, parse_mix(experiment.mixing.mix, KINDS))
    else:
        MixingSet.open(experiment.mixing.folder, decoding=_decoding(experiment.data))
    first = is_first()
    if first:  # alone: it has begun to write in there when a slower process of torchrun's comes to look
        refuse_taken(out, resume=how.resume, force=how.force)
    broken: list[Path] = []
    dataset, test = open_datasets(
        experiment.data,
        experiment.training.crop_size,
        root=how.root,
        download=how.download,
        quiet=how.quiet,
        broken=broken,
    )
    mixing = _mixing_set(experiment, method, dataset)
    if mixing is not None:
        broken += mixing.skipped
    outcome = train_network(
        experiment.training,
        dataset,
        test,
        out,
        method=method,
        mixing=mixing,
        resume=how.resume,
        force=how.force,
        threads=how.threads,
        engine=how.engine,
        device=how.device,
        checkpoint_seconds=how.checkpoint_seconds,
        trackers=how.trackers,
        quiet=how.quiet,
    )
    if first:
        list_broken(broken, out)
    return outcome


def run_experiment(
    experiment: ExperimentConfig,
    out: Path,
    execution: ExecutionConfig | None = None,
    *,
    names: Sequence[str] = ("last", "best"),
) -> dict[str, Any]:
    """Train, measure the last and the best epoch, and write ``results.json``: the record of the experiment.

    Interrupted at any moment, the same call with ``resume=True`` goes on where it was.

    Args:
        experiment: what to do.
        out: the folder for everything.
        execution: how to carry it out.
        names: which of the kept networks to measure.

    Returns:
        What ``results.json`` holds; ``{}`` in all of torchrun's processes but the first, which alone writes it.
    """
    from ipmix.core.files import sweep, write_text
    from ipmix.core.json_text import json_text, read_json_object
    from ipmix.core.processes import Team
    from ipmix.core.versions import versions

    how = execution or ExecutionConfig()
    check(experiment)
    if names:
        _refuse_unmeasurable(experiment, out, names)
    outcome = train(experiment, out, how)
    cards = {}
    same = outcome.best["epoch"] == outcome.last["epoch"]
    team = Team(how.device)
    # One process looks for all: another would not yet see what the first is still writing, and leave.
    there = team.first_does(lambda: [name for name in names if (out / f"{name}.safetensors").exists()])
    for name in there:
        if name == "best" and same and "last" in names:
            continue
        cards[name] = measure(
            experiment, experiment.evaluation, out / f"{name}.safetensors", out / f"measured-{name}", how,
            name=visible(f"{out.name} ({name} epoch)"),
        )  # fmt: skip
    if not team.first:
        return {}
    results = {
        "record": read_json_object(out / "experiment.json"),
        "versions": versions(),
        "last": outcome.last,
        "best": outcome.best,
        "measured": cards,
        "broken": len((out / LIST).read_bytes().splitlines()) if (out / LIST).exists() else 0,
    }
    sweep(out)
    write_text(out / "results.json", json_text(results, indent=1) + "\n")
    return results


def _refuse_unmeasurable(experiment: ExperimentConfig, out: Path, names: Sequence[str]) -> None:
    """Refuse before the training, which may take days, what would be refused behind it."""
    from ipmix.core.files import refuse_links

    refuse_links(out, [f"measured-{name}" for name in names])
    source = experiment.data.source
    if _test_split(experiment.data) is None and (there := datasets.splits(source)):
        raise InputError(
            f"data.source: {shown(source)} has only {', '.join(there)} and nothing to measure the network on; add a "
            "folder test or val, or pass --no-evaluate"
        )


def measure(
    experiment: ExperimentConfig,
    wanted: EvaluationConfig,
    weights: Path,
    out: Path,
    how: ExecutionConfig,
    *,
    name: str,
    **other_images: Any,
) -> dict[str, Any]:
    """Measure a trained network of the experiment on its test images; the scorecard.

    Args:
        experiment: what was trained.
        wanted: what to measure.
        weights: the network's file.
        out: the folder for predictions and scorecard.
        how: how to carry it out.
        name: what the network is called there.
        other_images: fields of :class:`~ipmix.evaluation.request.EvaluationRequest` (data, class_map, trim) where
            other images are measured on.
    """
    from ipmix.core.files import refuse_links
    from ipmix.evaluation import evaluating
    from ipmix.evaluation.request import EvaluationRequest

    resized = experiment.data.crop == "resized"
    about: dict[str, Any] = {"data": experiment.data.source, "split": _test_split(experiment.data), **other_images}
    request = EvaluationRequest(
        model=str(weights),
        out=out,
        name=name,
        size=experiment.training.crop_size if resized else experiment.data.size,
        crop=TEST_CROP if resized else None if about["data"] in BUILT_IN else 1.0,
        exif=experiment.data.exif,
        root=how.root,
        skip_broken=experiment.data.skip_broken,
        limit=wanted.limit,
        trust=is_own(experiment.training.model) or is_of_a_hub(experiment.training.model),  # training ran, or asked, it
        **about,
    )
    refuse_links(out.parent, (out.name,))
    out.mkdir(exist_ok=True)
    # What was measured otherwise, or of other weights, is measured anew by --resume: the training stays as it is.
    force = how.force or how.resume
    return evaluating.evaluate(
        request, measures_of(wanted), device=how.device, threads=how.threads, force=force, quiet=how.quiet
    )


def measures_of(wanted: EvaluationConfig) -> "MeasureRequest":
    """What is measured, as ``ipmix evaluate`` has it."""
    from ipmix.evaluation.plan import AttackConfig
    from ipmix.evaluation.request import MeasureRequest

    return MeasureRequest(
        corruptions=wanted.corruptions,
        severities=wanted.severities,
        perturbations=wanted.perturbations,
        own=wanted.own_measures,
        attack=AttackConfig() if wanted.attack else None,
    )


def _method_words(experiment: ExperimentConfig) -> tuple[str, str | None, dict[str, Any]]:
    return experiment.method.name, experiment.method.preset, experiment.method.options


def open_datasets(
    data: DataConfig,
    size: int,
    *,
    root: Path | None = None,
    download: bool = False,
    quiet: bool = False,
    broken: list[Path] | None = None,
) -> tuple[ArrayDataset | FileDataset, ArrayDataset | OnDisk | None]:
    """The images to train on, and those to test on (None if there are none); broken files are added to ``broken``."""
    broken = [] if broken is None else broken
    if data.crop == "resized":
        return _open_files(data, size, quiet, broken)
    where: dict[str, Any] = {
        "root": root, "download": download, "skip_broken": data.skip_broken, "quiet": quiet,
        "decoding": _decoding(data),
    }  # fmt: skip
    dataset = datasets.load(data.source, "train", size=data.size, **where)
    side = data.size
    if side is None and dataset.images.shape[1] == dataset.images.shape[2]:
        side = dataset.images.shape[1]
    split = _test_split(data)
    test = None if split is None else datasets.load(data.source, split, size=side, **where)
    for loaded in (dataset, test):
        if loaded is not None:
            broken += loaded.skipped
            datasets.tell_hidden(loaded)
    return dataset, test


def _open_files(data: DataConfig, size: int, quiet: bool, broken: list[Path]) -> tuple[FileDataset, OnDisk | None]:
    files = datasets.scan(data.source, "train", replace(_decoding(data), exact=data.exact))
    datasets.tell_hidden(files)
    if data.skip_broken:
        files, found = files.whole(quiet=quiet)
        broken += found
    split = _test_split(data)
    if split is None:
        return files, None
    found_test = datasets.scan(data.source, split, _decoding(data))
    datasets.tell_hidden(found_test)
    test = OnDisk(found_test, size, TEST_CROP, data.skip_broken)
    if data.skip_broken:
        test, found = test.whole(skip_broken=True)
        broken += found
    return files, test


def _test_split(data: DataConfig) -> str | None:
    if data.test_split is not None:
        return data.test_split
    return next((name for name in ("test", "val") if name in datasets.splits(data.source)), None)


def _decoding(data: DataConfig) -> DecodeConfig:
    return DecodeConfig(exif=data.exif)


def _mixing_set(
    experiment: ExperimentConfig, method: Method | None, dataset: ArrayDataset | FileDataset
) -> MixingSet | None:
    if method is None or not method.needs_mixing_images:
        return None
    if experiment.mixing.folder is not None:
        return MixingSet.open(
            experiment.mixing.folder, skip_broken=experiment.data.skip_broken, decoding=_decoding(experiment.data)
        )
    height = width = experiment.training.crop_size
    if isinstance(dataset, ArrayDataset):
        height, width = dataset.images.shape[1:3]
    wanted = experiment.mixing
    return MixingSet.generate(wanted.count, margin(height, width), wanted.seed, mix=parse_mix(wanted.mix, KINDS))
