"""From a model's name and a folder of pictures to predictions, a scorecard and a page: ``ipmix evaluate``."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ipmix import datasets
from ipmix.auto_attack import require
from ipmix.class_maps import Outputs, is_numbered_out_of_order, is_wordnet, outputs_of
from ipmix.corruptions.severities import (
    C_BAR_CIFAR,
    C_BAR_IMAGENET,
    CORRUPTIONS,
    PERTURBATIONS_CIFAR,
    PERTURBATIONS_IMAGENET,
    VALIDATION,
)
from ipmix.errors import InputError
from ipmix.evaluate import Attack, AutoAttack, Plan, check_beforehand, describe, predict
from ipmix.measures.subsets import subset as subset_classes
from ipmix.model_sources import open_model
from ipmix.predictions import PredictionFolder
from ipmix.report.exports import read_baseline
from ipmix.scorecard import score
from ipmix.sources import InMemory, OnDisk, Source, read_arrays
from ipmix.writing import write_text

__all__ = ["Attack", "AutoAttack", "Request", "Wanted", "assess"]

SMALL_SIDE = 64
"""Up to this side, "bar" and the like mean the CIFAR forms; above it, the ImageNet forms."""


@dataclass(frozen=True)
class Request:
    """Which model on which pictures, and where results go; see ``ipmix evaluate --help``."""

    model: str
    data: str
    out: Path
    name: str | None = None
    split: str | None = None
    size: int | None = None
    crop: float | None = None
    trim: int = 0
    subset: str | None = None
    class_map: str | None = None
    baseline: Path | None = None
    limit: int | None = None
    anomalies: Path | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    classes: int | None = None
    root: Path | None = None
    trust: bool = False
    skip_broken: bool = False


@dataclass(frozen=True)
class Wanted:
    """What to measure, in words such as "test", "bar" and "cifar"; see ``ipmix evaluate --help``."""

    corruptions: tuple[str, ...] = ("test",)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    form: Literal["original", "corrected"] = "original"
    perturbations: tuple[str, ...] = ()
    attack: Attack | None = field(default_factory=Attack)
    auto_attack: AutoAttack | None = None
    seed: int = 0

    def plan(self, side: int) -> Plan:
        """The plan for pictures whose shorter side is ``side``: there are two C-bar sets, for small and large."""
        groups = {
            "none": (),
            "test": CORRUPTIONS,
            "validation": VALIDATION,
            "bar": C_BAR_CIFAR if side <= SMALL_SIDE else C_BAR_IMAGENET,
        }
        films = {"none": (), "cifar": PERTURBATIONS_CIFAR, "imagenet": PERTURBATIONS_IMAGENET}
        return Plan(
            corruptions=_expanded(self.corruptions, groups),
            severities=tuple(self.severities),
            form=self.form,
            attack=self.attack,
            auto_attack=self.auto_attack,
            perturbations=_expanded(self.perturbations, films),
            seed=self.seed,
        )


def assess(
    request: Request,
    wanted: Wanted,
    *,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Predict, score, print the table, write ``scorecard.json`` and ``report.html``; gives the scorecard.

    Started by torchrun, all processes predict together; the first scores and writes, the others give ``{}``.

    Raises:
        InputError: the model, the data or the settings can't be used; nothing is written then.
    """
    wanted.plan(SMALL_SIDE)  # unknown words are refused before anything is opened
    baseline = None if request.baseline is None else read_baseline(request.baseline)
    if wanted.auto_attack is not None:
        require()
    model, source, columns = _model_and_source(request, quiet)
    plan = wanted.plan(_side(source))
    name = request.name or str(getattr(model, "name", Path(request.model).stem))
    if (plan.attack or plan.auto_attack) and getattr(model, "differentiable", True) is False:
        sys.stderr.write("This kind of model has no gradients: the adversarial error is not measured.\n")
        plan = replace(plan, attack=None, auto_attack=None)
    team = _Team(device)
    options: dict[str, Any] = {
        "columns": columns, "batch_size": batch_size, "device": team.device, "threads": threads,
        "shard": (team.rank, team.count), "quiet": quiet or team.rank > 0,
    }  # fmt: skip
    folder = request.out / "predictions"
    if team.rank == 0:
        run = describe(model, source, plan, name=name, columns=columns)
        check_beforehand(source, plan, folder, run)
        PredictionFolder.begin(folder, run, force=force)
    team.wait()
    kept = predict(model, source, plan, folder, name=name, **options)
    unknown = None
    if request.anomalies is not None:
        options["force"] = force and team.count == 1
        unknown = _predict_anomalies(request, model, source, plan, name, options)
    team.wait()
    if team.rank > 0:
        return {}
    card = score(kept, anomalies=unknown, baseline=baseline, seed=plan.seed)
    write_text(request.out / "scorecard.json", json.dumps(card, indent=1, allow_nan=False) + "\n")
    _report(request, card, source, model, plan, device)
    return card


class _Team:
    """The processes that torchrun started, or just this one."""

    def __init__(self, device: str) -> None:
        self.rank, self.count, self.device = 0, 1, device
        self._state: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            self._state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
            self.rank, self.count = self._state.process_index, self._state.num_processes
            self.device = str(self._state.device) if device == "auto" else device

    def wait(self) -> None:
        """Until all processes are here."""
        if self._state is not None:
            self._state.wait_for_everyone()


def _report(request: Request, card: dict[str, Any], source: Source, model: nn.Module, plan: Plan, device: str) -> None:
    from ipmix.evidence import attention_panel, worst_panel
    from ipmix.report import print_comparison, write_page
    from ipmix.report.settings import facts_of

    panels = [*worst_panel(card, source), *attention_panel(card, source, model, plan)]
    write_page(
        request.out / "report.html",
        [card],
        title=f"How safe is {card['run']['name']}?",
        lead=f"Measured on {card['pictures']} pictures of {source.name}.",
        panels=panels,
        facts=facts_of(card),
    )
    print_comparison([card])
    sys.stdout.write(
        f"In brackets: 95% bootstrap intervals over {card['pictures']} pictures. "
        f"All measures: {request.out / 'scorecard.json'}; open {request.out / 'report.html'}\n"
    )


def _model_and_source(request: Request, quiet: bool) -> tuple[nn.Module, InMemory | OnDisk, list[Outputs] | None]:
    """The model, the pictures, and which of the model's outputs are the data's classes."""
    published = request.model.startswith(("timm:", "torchvision:"))
    found = _scan(request, quiet, request.data, request.split)
    count = request.classes or (1000 if published and request.model.count(":") == 1 else len(found.classes))
    model = open_model(request.model, classes=count, mean=request.mean, std=request.std, trust=request.trust)
    usual = _usual(request, model)
    source, columns = _matched(_source(request, found, usual), request, model)
    return model, source, columns


@dataclass(frozen=True)
class _Form:
    """The form that a model wants its pictures in: the side, and the share of the shorter side that is kept."""

    size: int | None
    crop: float = 1.0


def _usual(request: Request, model: nn.Module) -> _Form:
    """What was asked for, or else what the model is known to have been made for."""
    known = _Form(getattr(model, "size", None) or _own_size(request.model))
    if request.model.startswith(("timm:", "torchvision:")) and request.model.count(":") == 1:
        known = _published_form(request.model, model)
    if request.size is not None:  # another size: its share of the side is not the published one
        known = _Form(request.size, known.crop if request.size == known.size else 1.0)
    return known if request.crop is None else replace(known, crop=request.crop)


def _published_form(spec: str, model: nn.Module) -> _Form:
    """How the published weights' own figures were measured."""
    library, _, name = spec.partition(":")
    if library == "timm":
        facts = getattr(getattr(model, "network", model), "pretrained_cfg", {})
        return _Form(int(facts.get("input_size", (3, 224, 224))[-1]), float(facts.get("crop_pct", 0.875)))
    from torchvision.models import get_model_weights

    made = get_model_weights(name).DEFAULT.transforms()
    size, outer = made.crop_size[0], made.resize_size[0]
    return _Form(size, min(1.0, size / outer))


def _side(source: Source) -> int:
    """The shorter side of the first picture that can be read; the others have the same."""
    for start in range(len(source.labels)):
        images, _ = source.read(start, start + 1)
        if len(images):
            return min(images.shape[1:3])
    raise InputError(f"{source.name}: every one of the {len(source.labels)} pictures is broken")


def _scan(request: Request, quiet: bool, data: str, split: str | None) -> datasets.Pictures | datasets.PictureFiles:
    if Path(data).suffix == ".npz":
        return read_arrays(Path(data))
    here = datasets.splits(data)
    chosen = split or next((name for name in ("test", "val") if name in here), "test")
    if data in datasets.BUILT_IN:
        return datasets.load(data, chosen, root=request.root, quiet=quiet)
    return datasets.scan(data, chosen)


def _source(request: Request, found: datasets.Pictures | datasets.PictureFiles, form: _Form) -> InMemory | OnDisk:
    chosen = np.arange(len(found))
    if request.limit is not None:
        if request.limit < 1:
            raise InputError(f"--limit must be at least 1, got {request.limit}")
        if request.limit < len(found):
            chosen = np.linspace(0, len(found) - 1, request.limit).round().astype(np.int64)
    return _picked(request, found, form, chosen, found.labels[chosen], found.classes)


def _picked(
    request: Request,
    found: datasets.Pictures | datasets.PictureFiles,
    form: _Form,
    chosen: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
) -> InMemory | OnDisk:
    if isinstance(found, datasets.Pictures):
        if request.size is not None and found.images.shape[1:3] != (request.size, request.size):
            raise InputError(
                f"{found.name} has pictures of {found.images.shape[1]} pixels; --size {request.size} is for folders"
            )
        return InMemory(replace(found, images=found.images[chosen], labels=labels, classes=classes))
    paths = tuple(found.paths[i] for i in chosen)
    files = replace(found, paths=paths, labels=labels, classes=classes)
    return OnDisk(files, size=form.size, crop=form.crop, skip_broken=request.skip_broken, trim=request.trim)


def _matched(
    source: InMemory | OnDisk, request: Request, model: nn.Module
) -> tuple[InMemory | OnDisk, list[Outputs] | None]:
    """Bring data and model to the same classes: by subset, by class map, by name, or as they are."""
    if request.subset is not None:
        if request.class_map is not None:
            raise InputError("--subset names both the classes and their order: leave out --class-map")
        columns = subset_classes(request.subset).tolist()
        if len(source.classes) == len(columns):
            return source, columns
        if len(source.classes) == 1000:
            return _restricted(source, columns), columns
        raise InputError(
            f"--subset {request.subset} needs data with 200 classes (the set itself) or all 1,000 (of which 200 "
            f"are taken); {source.name} has {len(source.classes)}"
        )
    if request.class_map is not None:
        return _mapped(source, request.class_map)
    names = getattr(model, "classes", None)
    if names is None or _numbered(names):
        return _guessed(source, names)
    if tuple(names) == source.classes:
        return source, None
    missing = [name for name in source.classes if name not in names]
    if missing:
        raise InputError(
            f"the model does not know {len(missing)} of the data's classes, such as {missing[0]!r}; "
            f"it knows {', '.join(map(str, names[:4]))}, ... ({len(names)}). If the folders only have other names, "
            "say which is which with --class-map"
        )
    return source, [list(names).index(name) for name in source.classes]


def _mapped(source: InMemory | OnDisk, class_map: str) -> tuple[InMemory | OnDisk, list[Outputs] | None]:
    """By a class map; pictures of folders that it leaves out are not measured."""
    outputs = outputs_of(class_map, source.classes)
    kept = [place for place, folder in enumerate(source.classes) if folder in outputs]
    columns = [outputs[source.classes[place]] for place in kept]
    if len(kept) < len(source.classes):
        sys.stderr.write(
            f"{len(source.classes) - len(kept)} of the data's {len(source.classes)} folders are not in the class map "
            f"{class_map}: their pictures are left out.\n"
        )
        source = _restricted(source, kept)
    return source, None if class_map == "sorted" else columns


def _guessed(source: InMemory | OnDisk, names: Sequence[str] | None) -> tuple[InMemory | OnDisk, list[Outputs] | None]:
    """For a model whose classes have no names: their order is all there is to go by."""
    if is_numbered_out_of_order(source.classes):
        raise InputError(
            f"{source.name} has folders named by numbers, whose sorted order is not that of the numbers "
            f"({', '.join(source.classes[:4])}, ...). Pass --class-map numbers if a folder's name is the number of the "
            "model's output (ImageNet-V2), or --class-map sorted if the model was trained on folders so sorted"
        )
    if names is not None and len(names) == 1000 > len(source.classes) and is_wordnet(source.classes):
        return _mapped(source, "imagenet")
    return source, None


def _restricted(source: InMemory | OnDisk, columns: list[int]) -> InMemory | OnDisk:
    """Only the pictures of some classes, relabelled 0, 1, ... in the order of ``columns``."""
    place = np.full(len(source.classes), -1, np.int64)
    place[columns] = np.arange(len(columns))
    chosen = np.flatnonzero(place[source.labels] >= 0)
    labels, classes = place[source.labels[chosen]], tuple(source.classes[c] for c in columns)
    if not len(chosen):
        raise InputError(f"{source.name} has no picture of the subset's classes")
    if isinstance(source, InMemory):
        pictures = source.pictures
        return InMemory(replace(pictures, images=pictures.images[chosen], labels=labels, classes=classes))
    paths = tuple(source.files.paths[i] for i in chosen)
    return replace(source, files=replace(source.files, paths=paths, labels=labels, classes=classes))


def _predict_anomalies(
    request: Request, model: nn.Module, source: Source, plan: Plan, name: str, options: dict[str, Any]
) -> Any:
    """Predictions on unknown pictures; their own labels mean nothing, so all are given class 0."""
    assert request.anomalies is not None
    found = _scan(request, True, str(request.anomalies), None)
    form = _usual(request, model)
    if form.size is None and isinstance(source, InMemory):
        form = _Form(source.pictures.images.shape[1])
    everything = np.arange(len(found))
    unknown = _picked(request, found, form, everything, np.zeros(len(found), np.int64), source.classes)
    alone = replace(plan, corruptions=(), perturbations=(), attack=None, auto_attack=None)
    return predict(model, unknown, alone, request.out / "predictions-anomalies", name=name, **options)


def _own_size(model: str) -> int | None:
    """The side of picture that one of our networks was trained on."""
    from ipmix.models import weights

    path = Path(model)
    if path.is_dir():
        path = path / "last.safetensors"
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    size = weights.facts(path).get("size")
    return size if isinstance(size, int) else None


def _numbered(names: Sequence[str]) -> bool:
    """Whether classes were never named: then their order is all there is to go by."""
    return tuple(names) == tuple(str(i) for i in range(len(names)))


def _expanded(words: Sequence[str], groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for word in words:
        found += groups.get(word, (word,))
    return tuple(dict.fromkeys(found))
