"""``ipmix.evaluate``: the safety scorecard of any classifier, from Python."""

import hashlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ipmix.core.checking import check_threads, shown
from ipmix.core.errors import InputError
from ipmix.core.files import alone
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.threads import default_threads
from ipmix.evaluation.batched_model import BatchedModel, device_named
from ipmix.evaluation.card import Scorecard
from ipmix.evaluation.evaluating import Measured, measure
from ipmix.evaluation.inputs import first_image, found_at, prepared, side_of
from ipmix.evaluation.plan import EvaluationPlan
from ipmix.evaluation.python_data import found_in
from ipmix.evaluation.request import EvaluationRequest, MeasureRequest
from ipmix.evaluation.results import read_baseline
from ipmix.models.classifier import Classifier
from ipmix.models.loading import open_model
from ipmix.models.wrapping import wrap
from ipmix.report.numbers import unanswered_under

PLANS = {
    "clean": MeasureRequest(corruptions=("none",), attack=None),
    "quick": MeasureRequest(attack=None),
    "paper": MeasureRequest(perturbations=("paper",)),
}
"""``clean``: the images as they are. ``quick``: besides, the 15 corruptions of -C at 5 severities (76 passes an image).
``paper``: besides, PGD with 20 steps and ten perturbation sequences (some 450 passes)."""


def evaluate(
    model: Any,
    data: Any,
    labels: Any = None,
    *,
    plan: Literal["clean", "quick", "paper"] | EvaluationPlan = "quick",
    input: Literal["nchw", "nhwc"] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    device: str = "auto",
    out: str | Path | None = None,
    progress: bool = True,
    classes: Sequence[str] | None = None,
    clean: str | None = None,
    split: str | None = None,
    size: int | None = None,
    crop: float | None = None,
    limit: int | None = None,
    subset: str | None = None,
    class_map: str | None = None,
    restrict: bool = False,
    baseline: str | Path | None = None,
    name: str | None = None,
    batch_size: int = 128,
    threads: int | None = None,
    force: bool = False,
) -> Scorecard:
    """The safety scorecard of a classifier.

    Args:
        model: a ``torch.nn.Module``, a model of transformers (or its pipeline), Keras, scikit-learn or onnxruntime, or
            any callable: uint8[N, H, W, C] to scores [N, K]. See :func:`ipmix.models.wrap` for what each is called
            with; a text names one as ``ipmix evaluate`` has it ("timm:resnet50", "model.onnx").
        data: what ``ipmix evaluate`` takes as DATA, by its name (a folder, "cifar10", "hf:...", a corrupted set);
            images uint8[N, H, W, C] with ``labels``; a torch Dataset or DataLoader; a Hugging Face data set; or any
            iterable of (images, labels). What is no array, folder or set on the disk is read once, whatever the plan,
            into a temporary file of its pixels: memory does not grow with the data, and a generator will do.
        labels: int[N], for an array of images.
        plan: "clean", "quick" (clean and the 15 corruptions at 5 severities), "paper" (besides, PGD and perturbation
            sequences), or an :class:`ipmix.evaluation.plan.EvaluationPlan`.
        input: how the model takes images, where that isn't its kind's usual way.
        mean: subtracted from each channel of images in [0, 1], and divided by ``std``, before a model that doesn't
            normalise itself sees them.
        std: see ``mean``.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        out: keep predictions, scorecard.json and report.html in this folder; started again with the same arguments,
            it goes on where it was. None keeps nothing on the disk.
        progress: show it: a bar on a terminal and in a notebook.
        classes: the data's class names, where it brings none.
        clean: for corrupted images on the disk: the clean ones that they were made of.
        split, size, crop, limit, subset, class_map, restrict, baseline, batch_size: as for ``ipmix evaluate``.
        name: what the run is called in results.
        threads: that make corruptions; by default as many as there are processors.
        force: replace another run's results in ``out``.

    The model is evaluated as ``eval()`` has it; afterwards it is in the mode, and on the device, that it had before.

    Raises:
        InputError: the model, the data or the settings can't be used; nothing is written then.

    >>> card = ipmix.evaluate(model, images, labels, plan="quick")  # doctest: +SKIP
    >>> card.check({"mCE": "<= 40", "clean_error": "<= 25"})  # doctest: +SKIP
    """
    if out is not None and (not isinstance(out, str | Path) or not str(out).strip()):
        raise InputError(f"out is a folder's name, or None to keep nothing, got {shown(out)}")
    if threads is not None:
        check_threads(threads)
    device_named(device)
    divisor = None if baseline is None else read_baseline(baseline)
    with ExitStack() as held:
        if isinstance(model, nn.Module):
            held.enter_context(_left_as_it_was(model))
        folder = (
            Path(out) if out is not None else Path(held.enter_context(tempfile.TemporaryDirectory(prefix="ipmix-")))
        )
        request = EvaluationRequest(
            model=model if isinstance(model, str) else "Python object",
            data=str(data) if isinstance(data, str | Path) else "data",
            out=folder, name=name, clean=clean, split=split, size=size, crop=crop, limit=limit, subset=subset,
            class_map=class_map, restrict=restrict, mean=_numbers("mean", mean), std=_numbers("std", std),
        )  # fmt: skip
        wanted = _wanted(plan)
        if isinstance(data, str | Path):
            if labels is not None:
                raise InputError("labels are for an array of images; a folder or a set on the disk brings its own")
            found, ready = found_at(request, not progress)
        else:
            found, ready = found_in(data, labels, classes), None
            request = replace(request, labels_are_outputs=classes is None and hasattr(data, "shape"))
        if isinstance(model, str):
            count = 1000 if found.classes is None else len(found.classes)
            module = open_model(model, classes=count, mean=mean, std=std)
        else:
            module = wrap(model, input=input, mean=mean, std=std, name=name)
        module, source, class_outputs, ready = prepared(request, module, found, ready, not progress)
        if isinstance(plan, EvaluationPlan):
            settled = plan
        else:
            settled = wanted.plan(side_of(source)) if ready is None else ready.plan(wanted)
        if not any(True for _ in module.state_dict()) and not getattr(module, "sha256", None):
            setattr(module, "sha256", _by_its_answers(module, first_image(source)))  # noqa: B010
        known = isinstance(model, str | Classifier)  # files are of networks, of which no sigmoid is expected
        if out is not None:
            held.enter_context(alone(folder))
        card = measure(
            request, Measured(module, source, settled, class_outputs, None, ready, logits=known), baseline=divisor,
            batch_size=batch_size, device=device, threads=threads or default_threads(), force=force,
            quiet=not progress, show=False,
        )  # fmt: skip
        for condition, count in card["without_answer"].items():
            warnings.warn(f"{unanswered_under(condition, count)}: they count as wrong", stacklevel=2)
        return Scorecard.of_folder(folder, card)


def _wanted(plan: str | EvaluationPlan) -> MeasureRequest:
    if isinstance(plan, EvaluationPlan):
        return PLANS["quick"]
    if plan not in PLANS:
        raise InputError(f"plan is one of {', '.join(PLANS)}, or an EvaluationPlan, got {plan!r}")
    PLANS[plan].plan(SMALL_SIDE)
    return PLANS[plan]


@contextmanager
def _left_as_it_was(model: nn.Module) -> Iterator[None]:
    """The caller may be in the midst of a training: each module's mode is given back, and where the weights lie."""
    modes = [(module, module.training) for module in model.modules()]
    place = next((weights.device for weights in model.parameters()), None)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        if place is not None and place.type != "meta":
            model.to(place)


def _numbers(name: str, values: Sequence[float] | None) -> tuple[float, ...] | None:
    if values is None:
        return None
    try:
        return tuple(map(float, values))
    except (TypeError, ValueError):
        raise InputError(f"{name} is one number a channel, such as (0.5, 0.5, 0.5), got {shown(values)}") from None


def _by_its_answers(module: nn.Module, image: np.ndarray) -> str:
    """What tells a classifier apart whose insides can't be seen: its answers to an image, and to its negative."""
    batched = BatchedModel(module, torch.device("cpu"), 2, None)
    found = [batched.answer(batched.tensor(asked), restrict=False) for asked in (image, 255 - image)]
    return hashlib.sha256(np.round(np.stack(found), 3).tobytes()).hexdigest()
