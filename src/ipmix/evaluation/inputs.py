"""What an evaluation works on: the model, its images in the form that it wants, and which outputs count."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from ipmix.core.errors import InputError
from ipmix.data import datasets
from ipmix.data.decoding import DecodeConfig
from ipmix.data.sources import ImageSource, InMemory, OnDisk, read_arrays
from ipmix.evaluation.class_maps import match_classes
from ipmix.evaluation.class_outputs import ClassOutputs
from ipmix.evaluation.request import EvaluationRequest
from ipmix.models.loading import open_model


def model_and_source(
    request: EvaluationRequest, quiet: bool
) -> tuple[nn.Module, InMemory | OnDisk, ClassOutputs | None]:
    """The model, the images, and which of the model's outputs are the data's classes."""
    published = request.model.startswith(("timm:", "torchvision:"))
    found = scan_data(request, quiet, request.data, request.split)
    count = request.classes or (1000 if published and request.model.count(":") == 1 else len(found.classes))
    model = open_model(request.model, classes=count, mean=request.mean, std=request.std, trust=request.trust)
    usual = usual_form(request, model)
    source, class_outputs = match_classes(_source(request, found, usual), request, model)
    return model, source, class_outputs


@dataclass(frozen=True)
class Form:
    """The form that a model wants its images in: the side, the share of the shorter side that is kept, the channels."""

    size: int | None
    crop: float = 1.0
    grey: bool = False


def usual_form(request: EvaluationRequest, model: nn.Module) -> Form:
    """What was asked for, or else what the model is known to have been made for."""
    known = Form(getattr(model, "size", None) or _own_size(request.model))
    if request.model.startswith(("timm:", "torchvision:")) and request.model.count(":") == 1:
        known = _published_form(request.model, model)
    if request.size is not None:  # another size: its share of the side is not the published one
        known = Form(request.size, known.crop if request.size == known.size else 1.0)
    known = replace(known, grey=_takes_grey(model))
    return known if request.crop is None else replace(known, crop=request.crop)


def _takes_grey(model: nn.Module) -> bool:
    """Whether the model's first convolution works on one channel."""
    kernels = (weight for weight in model.parameters() if weight.ndim == 4)
    return next((weight.shape[1] == 1 for weight in kernels), False)


def _published_form(spec: str, model: nn.Module) -> Form:
    """How the published weights' own figures were measured."""
    library, _, name = spec.partition(":")
    if library == "timm":
        facts = getattr(getattr(model, "network", model), "pretrained_cfg", {})
        return Form(int(facts.get("input_size", (3, 224, 224))[-1]), float(facts.get("crop_pct", 0.875)))
    from torchvision.models import get_model_weights

    made = get_model_weights(name).DEFAULT.transforms()
    size, outer = made.crop_size[0], made.resize_size[0]
    return Form(size, min(1.0, size / outer))


def side_of(source: ImageSource) -> int:
    """The shorter side of the first image that can be read; the others have the same."""
    for start in range(len(source.labels)):
        images, _ = source.read(start, start + 1)
        if len(images):
            return min(images.shape[1:3])
    raise InputError(f"{source.name}: every one of the {len(source.labels)} images is broken")


def scan_data(
    request: EvaluationRequest, quiet: bool, data: str, split: str | None
) -> datasets.ArrayDataset | datasets.FileDataset:
    if Path(data).suffix == ".npz":
        return read_arrays(Path(data))
    here = datasets.splits(data)
    chosen = split or next((name for name in ("test", "val") if name in here), "test")
    if data in datasets.BUILT_IN:
        return datasets.load(data, chosen, root=request.root, quiet=quiet)
    return datasets.scan(data, chosen, DecodeConfig(exif=request.exif))


def _source(
    request: EvaluationRequest, found: datasets.ArrayDataset | datasets.FileDataset, form: Form
) -> InMemory | OnDisk:
    chosen = np.arange(len(found))
    if request.limit is not None:
        if request.limit < 1:
            raise InputError(f"--limit must be at least 1, got {request.limit}")
        if request.limit < len(found):
            chosen = np.linspace(0, len(found) - 1, request.limit).round().astype(np.int64)
    return picked(request, found, form, chosen, found.labels[chosen], found.classes)


def picked(
    request: EvaluationRequest,
    found: datasets.ArrayDataset | datasets.FileDataset,
    form: Form,
    chosen: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
) -> InMemory | OnDisk:
    if isinstance(found, datasets.ArrayDataset):
        if request.size is not None and found.images.shape[1:3] != (request.size, request.size):
            raise InputError(
                f"{found.name} has images of {found.images.shape[1]} pixels; --size {request.size} is for folders"
            )
        return InMemory(replace(found, images=found.images[chosen], labels=labels, classes=classes))
    paths = tuple(found.paths[i] for i in chosen)
    decoding = replace(found.decoding, grey=found.decoding.grey or form.grey)
    files = replace(found, paths=paths, labels=labels, classes=classes, decoding=decoding)
    return OnDisk(files, size=form.size, crop=form.crop, skip_broken=request.skip_broken, trim=request.trim)


def _own_size(model: str) -> int | None:
    """The side of image that one of our networks was trained on."""
    from ipmix.models import weights

    path = Path(model)
    if path.is_dir():
        path = path / "last.safetensors"
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    size = weights.facts(path).get("size")
    return size if isinstance(size, int) else None
