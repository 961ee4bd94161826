"""What an evaluation works on: the model, its images in the form that it wants, and which outputs count."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from ipmix.core.errors import InputError, refuse_idle
from ipmix.corruptions.test_sets.published import ArraySet, open_set
from ipmix.data import datasets
from ipmix.data.built_in import BUILT_IN
from ipmix.data.decoding import DecodeConfig, pixels_of
from ipmix.data.libraries import is_of_library, open_stream
from ipmix.data.sources import ImageSource, InMemory, OnDisk, read_arrays, read_labelled
from ipmix.data.streams import Stream, spool
from ipmix.evaluation.batched_model import BatchedModel
from ipmix.evaluation.class_maps import match_classes
from ipmix.evaluation.class_outputs import ClassOutputs
from ipmix.evaluation.ready_made import ReadyMade, is_ready_made, open_ready_made
from ipmix.evaluation.request import EvaluationRequest
from ipmix.evaluation.shaping import Form, ShapedFiles, described_form, in_channels, shaped, with_channels
from ipmix.models.advice import first_channels
from ipmix.models.forms import form_of
from ipmix.models.loading import open_model

ARRAYS = (".npz", ".npy")
"""Endings of files of images as arrays."""

Found = datasets.ArrayDataset | datasets.FileDataset | Stream
"""Images that were found and not yet brought to a form."""


def model_and_source(
    request: EvaluationRequest, quiet: bool
) -> tuple[nn.Module, InMemory | OnDisk, ClassOutputs | None, ReadyMade | None]:
    """The model, the images as it wants them, which of its outputs compete (None for all), and what is on the disk."""
    published = request.model.startswith(("timm:", "torchvision:"))
    form_of(request.model)  # a name that the library doesn't know is refused before the data is read
    found, ready = found_at(request, quiet)
    known = None if found.classes is None else len(found.classes)
    count = request.classes or (1000 if (published and request.model.count(":") == 1) or known is None else known)
    model = open_model(request.model, classes=count, mean=request.mean, std=request.std, trust=request.trust)
    return prepared(request, model, found, ready, quiet)


def prepared(
    request: EvaluationRequest, model: nn.Module, found: Found, ready: ReadyMade | None, quiet: bool
) -> tuple[nn.Module, InMemory | OnDisk, ClassOutputs | None, ReadyMade | None]:
    """What :func:`model_and_source` gives, of a model that is open and images that were found."""
    unnamed = ready is not None and ready.arrays is not None and Path(request.clean or "labels.npy").suffix in ARRAYS
    unnamed |= ready is None and isinstance(request.data, str) and Path(request.data).suffix == ".npy"  # knows no names
    if found.classes is None or unnamed:
        request = replace(request, labels_are_outputs=True)
    form = usual_form(request, model)
    if ready is not None and not ready.has_clean and request.crop is None:
        form = replace(form, crop=1.0)  # these were cut to their size when they were made
    source = _source(request, found, form, _channels_of(model), quiet)
    taken = _channels_of(model)
    source = with_channels(source, taken)
    if isinstance(source, InMemory) and taken not in (None, given := source.dataset.images.shape[-1]):
        raise InputError(f"{request.data} holds images of {given} channels, the model takes {taken}: give others")
    if request.mean is not None and len(request.mean) != (given := first_image(source).shape[-1]):
        raise InputError(
            f"mean and std have one number a channel: {len(request.mean)} were given, and the images have {given} "
            "channels"
        )
    names = getattr(model, "classes", None)
    if names is None:
        source, total = _tried(model, source)
    else:
        total = len(names)
    source, class_outputs = match_classes(source, request, names, total)
    return model, source, class_outputs, None if ready is None else ready.of_source(source, form.size)


def found_at(request: EvaluationRequest, quiet: bool) -> tuple[Found, ReadyMade | None]:
    """The images of ``request.data``; of corrupted ones on the disk the clean ones, or the first condition's."""
    if not is_ready_made(request.data):
        if request.clean is not None:
            raise InputError(
                f"--clean is for corrupted images that lie on the disk, and {request.data} holds none "
                "(<corruption>.npy or <corruption>/<severity>/<class>/<image>)"
            )
        return scan_data(request, quiet, request.data, request.split), None
    if request.clean is None:
        refuse_idle({"--split": request.split is not None}, f"{request.data} is read whole")
    clean = None if request.clean is None else _scan_clean(request, quiet, request.clean)
    if isinstance(clean, Stream):
        raise InputError(f"--clean {request.clean}: expected a folder, cifar10, cifar100, an .npz or a .npy")
    ready = open_ready_made(request.data, clean, request.limit, DecodeConfig(exif=request.exif))
    return ready.images, ready


def _scan_clean(request: EvaluationRequest, quiet: bool, clean: str) -> Found:
    """The clean images of a corrupted set; a .npy has the labels beside it, or else those that lie in the set."""
    if Path(clean).suffix == ".npy":
        inside = open_set(request.data) if (Path(request.data) / "labels.npy").is_file() else None
        return read_labelled(Path(clean), inside.labels if isinstance(inside, ArraySet) else None)
    return scan_data(request, quiet, clean, request.split)


def usual_form(request: EvaluationRequest, model: nn.Module) -> Form:
    """What was asked for, or else what the model is known to have been made for."""
    known = Form(getattr(model, "size", None) or _own_size(request.model))
    if (published := form_of(request.model)) is not None:
        known = Form(published.size, published.crop, published.interpolation, published.mode, published.mean)
    if request.size is not None and request.size != known.size:  # its share of the side is not the published one
        known = replace(known, size=request.size, crop=1.0)
    if request.crop is not None:
        known = replace(known, crop=request.crop)
    return known if request.interpolation is None else replace(known, interpolation=request.interpolation)


def told_form(request: EvaluationRequest, model: nn.Module, source: InMemory | OnDisk) -> str | None:
    """The form that published weights brought along, in one line; None for other models, and for arrays."""
    published = form_of(request.model)
    if published is None or not isinstance(source, ShapedFiles) or source.size is None:
        return None
    library, _, name = request.model.partition(":")
    changed = [
        word
        for word, given in (
            ("--size", request.size), ("--crop", request.crop), ("--interpolation", request.interpolation),
            ("--mean", request.mean), ("--std", request.std),
        )
        if given is not None
    ]  # fmt: skip
    normalisation = ""
    if isinstance(mean := getattr(model, "mean", None), torch.Tensor):
        numbers = [", ".join(f"{n:.3g}" for n in t.flatten().tolist()) for t in (mean, model.std)]  # type: ignore[operator]
        normalisation = f", mean {numbers[0]}, std {numbers[1]}"
    source_of_it = f"as {library} says of {name}" + (f", but for {', '.join(changed)}" if changed else "")
    return f"{described_form(source)}{normalisation}, {source_of_it}"


def first_image(source: ImageSource) -> NDArray[np.uint8]:
    """The first image that can be read, uint8[1, H, W, C]."""
    for start in range(len(source.labels)):
        images, _ = source.read(start, start + 1)
        if len(images):
            return images
    raise InputError(f"{source.name}: every one of the {len(source.labels)} images is broken")


def _channels_of(model: nn.Module) -> int | None:
    """How many channels of an image the model takes, where that can be seen."""
    mean = getattr(model, "mean", None)
    known = first_channels(model)
    return mean.numel() if known is None and isinstance(mean, torch.Tensor) else known


def _tried(model: nn.Module, source: InMemory | OnDisk) -> tuple[InMemory | OnDisk, int]:
    """How many outputs a model has that doesn't say, found by trying an image; a grey one if it takes no other."""
    trial = BatchedModel(model, torch.device("cpu"), 1, None)
    image = first_image(source)
    try:
        return source, trial.width(image)
    except InputError as error:
        if image.shape[-1] != 3:
            raise
        try:
            return with_channels(source, 1), trial.width(in_channels(image, 1))
        except InputError:
            raise error from None


def side_of(source: ImageSource) -> int:
    """The shorter side of the first image that can be read; the others have the same."""
    return min(first_image(source).shape[1:3])


def scan_data(request: EvaluationRequest, quiet: bool, data: str, split: str | None) -> Found:
    """What DATA names, whatever it is but corrupted images that lie on the disk."""
    if Path(data).suffix in ARRAYS:
        refuse_idle({"--split": split is not None}, f"{data} has no splits")
    if Path(data).suffix == ".npz":
        return read_arrays(Path(data))
    if Path(data).suffix == ".npy":
        return read_labelled(Path(data))
    if is_of_library(data):
        return open_stream(data, split, DecodeConfig(exif=request.exif))
    if data not in BUILT_IN and not Path(data).is_dir():
        raise InputError(
            f"{data} is not a folder; expected a folder of images (<split>/<class>/<image>), one of "
            f"{', '.join(BUILT_IN)}, an .npz of images and labels, or a .npy beside labels.npy"
        )
    here = datasets.splits(data)
    chosen = split or next((name for name in ("test", "val") if name in here), "test")
    if data in BUILT_IN:
        return datasets.load(data, chosen, size=request.size, root=request.root, quiet=quiet)
    return datasets.scan(data, chosen, DecodeConfig(exif=request.exif))


def _source(
    request: EvaluationRequest, found: Found, form: Form, channels: int | None, quiet: bool
) -> InMemory | OnDisk:
    if isinstance(found, Stream):
        return spooled(request, found, form, channels, quiet)
    chosen = np.arange(len(found))
    if request.limit is not None and request.limit < len(found):
        chosen = np.linspace(0, len(found) - 1, request.limit).round().astype(np.int64)
    return picked(request, found, form, chosen, found.labels[chosen], found.classes)


def spooled(request: EvaluationRequest, found: Stream, form: Form, channels: int | None, quiet: bool) -> InMemory:
    """A stream's images in their form, in a temporary file."""
    kept = channels if channels in (1, 3) else None

    def pixels(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image.ndim != 3 or image.dtype != np.uint8:
            raise InputError(f"{found.name}: images are uint8[H, W, C], got {image.dtype}{list(image.shape)}")
        return in_channels(image[None], kept)[0] if kept and image.shape[-1] in (1, 3) else image

    def shape(image: Image.Image) -> NDArray[np.uint8]:
        return pixels(pixels_of(shaped(image if image.mode == "L" else image.convert("RGB"), form)))

    return spool(found, shape, pixels=pixels, limit=request.limit, skip_broken=request.skip_broken, quiet=quiet)


def picked(
    request: EvaluationRequest,
    found: datasets.ArrayDataset | datasets.FileDataset,
    form: Form,
    chosen: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
) -> InMemory | OnDisk:
    if isinstance(found, datasets.ArrayDataset):
        for word, given in (("--crop", request.crop), ("--interpolation", request.interpolation)):
            if given is not None:
                raise InputError(f"{word} is for folders of images; those of {found.name} are taken as they are")
        if request.anomalies is None:
            idle = {"--trim": request.trim > 0, "--no-exif": not request.exif, "--skip-broken": request.skip_broken}
            refuse_idle(idle, f"{found.name} holds no image files")
        if request.size is not None and found.images.shape[1:3] != (request.size, request.size):
            raise InputError(
                f"{found.name} has images of {found.images.shape[1]} pixels; --size {request.size} is for folders"
            )
        return InMemory(replace(found, images=found.images[chosen], labels=labels, classes=classes))
    paths = tuple(found.paths[i] for i in chosen)
    files = replace(found, paths=paths, labels=labels, classes=classes)
    if form.size is None and request.interpolation is not None:
        raise InputError("--interpolation says how images are brought to a size: pass --size")
    return ShapedFiles(
        files, size=form.size, crop=form.crop, skip_broken=request.skip_broken, trim=request.trim,
        interpolation=form.interpolation, mode=form.mode, filling=form.filling,
    )  # fmt: skip


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
