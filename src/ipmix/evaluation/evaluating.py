"""From a model's name and a folder of images to predictions, a scorecard and a page: ``ipmix evaluate``."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from torch import nn

from ipmix.attacks.auto_attack import require
from ipmix.core.bounds import BATCH_MOST
from ipmix.core.checking import check_count, check_threads
from ipmix.core.errors import InputError, plain, visible
from ipmix.core.files import alone, refuse_links, write_text
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.json_text import json_text
from ipmix.core.processes import Team
from ipmix.core.terminal import say, tell
from ipmix.core.torchrun import is_first
from ipmix.data.broken import list_broken
from ipmix.data.datasets import tell_hidden
from ipmix.data.sources import ImageSource, InMemory, OnDisk
from ipmix.data.streams import Stream
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.batched_model import device_named
from ipmix.evaluation.class_outputs import ClassOutputs
from ipmix.evaluation.foreseen import Foreseen, foreseen
from ipmix.evaluation.inputs import (
    first_image,
    model_and_source,
    picked,
    scan_data,
    side_of,
    spooled,
    told_form,
    usual_form,
)
from ipmix.evaluation.made import how_made
from ipmix.evaluation.per_image import FILE, write_per_image
from ipmix.evaluation.plan import EvaluationPlan, describe
from ipmix.evaluation.predicting import check_beforehand, predict
from ipmix.evaluation.predictions import PredictionFolder
from ipmix.evaluation.ready_made import ReadyMade
from ipmix.evaluation.request import EvaluationRequest, MeasureRequest
from ipmix.evaluation.results import read_baseline
from ipmix.evaluation.scorecard import scored
from ipmix.evaluation.shaping import with_channels

Foresee = Callable[[Foreseen], None]

P = ParamSpec("P")
R = TypeVar("R")


def _alone(function: Callable[Concatenate[EvaluationRequest, P], R]) -> Callable[Concatenate[EvaluationRequest, P], R]:
    """Let nobody else write to the results' folder meanwhile; torchrun's first process holds it for all of them."""

    @wraps(function)
    def holding(request: EvaluationRequest, /, *arguments: P.args, **options: P.kwargs) -> R:
        refuse_links(request.out, ("predictions", "predictions-anomalies"))
        with alone(request.out) if is_first() else nullcontext():
            return function(request, *arguments, **options)

    return holding


@_alone
def evaluate(
    request: EvaluationRequest,
    wanted: MeasureRequest,
    *,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
    foresee: Foresee | None = None,
) -> dict[str, Any]:
    """Predict, score and report: prints the table, writes ``scorecard.json`` and ``report.html``, gives the scorecard.

    Started by torchrun, all processes predict together; the first scores and reports, the others give ``{}``.

    Args:
        request: which model on which images, and where results go.
        wanted: what to measure.
        batch_size: images in one forward pass.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        threads: that make corruptions.
        force: replace another run's results.
        quiet: show no progress.
        foresee: is told what the evaluation will give before it is begun, and may refuse it.

    Raises:
        InputError: the model, the data or the settings can't be used, or another process writes to the same folder;
            nothing is written then.
    """
    check_count("batch_size", batch_size, 1, BATCH_MOST)
    check_threads(threads)
    wanted.plan(SMALL_SIDE)  # unknown words are refused before anything is opened
    device_named(device)
    baseline = None if request.baseline is None else read_baseline(request.baseline)
    if wanted.auto_attack is not None:
        require()
    model, source, class_outputs, ready = model_and_source(request, quiet)
    if not quiet:
        _tell_absent(source)
    plan = wanted.plan(side_of(source)) if ready is None else ready.plan(wanted)
    strange = None if request.anomalies is None else _anomalies(request, model, source)
    return measure(
        request, Measured(model, source, plan, class_outputs, strange, ready, wanted.own), baseline=baseline,
        batch_size=batch_size, device=device, threads=threads, force=force, quiet=quiet, foresee=foresee,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """What is put together for an evaluation.

    Attributes:
        model: takes float32[B, C, H, W] in [0, 1], gives logits float[B, K].
        source: the clean images, or the first of ``ready`` where there are none.
        plan: what to do to them.
        class_outputs: which of the model's outputs compete; None for all.
        strange: images of nothing the model knows.
        ready: corrupted images that lie on the disk; None where they are made.
        own: measures of one's own, ``module:Name``.
        logits: whether the model is known to give logits; a Python object of somebody else's isn't.
    """

    model: nn.Module
    source: InMemory | OnDisk
    plan: EvaluationPlan
    class_outputs: ClassOutputs | None = None
    strange: InMemory | OnDisk | None = None
    ready: ReadyMade | None = None
    own: tuple[str, ...] = ()
    logits: bool = True


def measure(
    request: EvaluationRequest,
    what: Measured,
    *,
    baseline: Baseline | None = None,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
    show: bool = True,
    foresee: Foresee | None = None,
) -> dict[str, Any]:
    """Predict, score and report what is already open; as :func:`evaluate`, ``show`` prints the table."""
    model, source, class_outputs, strange = what.model, what.source, what.class_outputs, what.strange
    plan = _without_attacks_that_cant_be(what)
    name = request.name or visible(str(getattr(model, "name", Path(request.model).stem)))
    team = Team(device)
    options: dict[str, Any] = {
        "name": name, "class_outputs": class_outputs, "batch_size": batch_size, "device": team.device,
        "threads": threads, "shard": (team.rank, team.count), "quiet": quiet or not team.first, "logits": what.logits,
        "within": request.out,
    }  # fmt: skip
    folder = request.out / "predictions"
    fresh = not folder.exists()  # what a refused model leaves behind would stand in the way of the mended command

    def begin() -> None:
        for images in (source, strange):
            if isinstance(images, OnDisk):
                tell_hidden(images.files)
        run = describe(model, source, plan, name=name, class_outputs=class_outputs, ready=what.ready)
        if foresee is not None:
            made = how_made(model, device_named(team.device), source)
            foresee(
                foreseen(
                    run, plan, made, images=len(source.labels), classes=len(source.classes),
                    anomalies=strange is not None, baseline=baseline,
                )
            )  # fmt: skip
        check_beforehand(source, plan, folder, run)
        if (told := told_form(request, model, source)) is not None and not quiet:
            tell(f"Images: {told}.\n")
        if plan.attack is not None and (short := plan.attack.falls_short):
            tell(f"{short}.\n")
        PredictionFolder.begin(folder, run, force=force, within=request.out)

    team.first_does(begin)
    try:
        kept = predict(model, source, plan, folder, ready=what.ready, **options)
    except InputError:
        if team.first and fresh:
            PredictionFolder.open(folder).remove_if_empty()
        raise
    unknown = None
    if strange is not None:
        simple = replace(plan, corruptions=(), perturbations=(), attack=None, auto_attack=None)
        beside = request.out / "predictions-anomalies"
        about = describe(model, strange, simple, name=name, class_outputs=class_outputs)
        team.first_does(lambda: _begin(beside, about, force))
        unknown = predict(model, strange, simple, beside, **options)
    team.wait()
    if not team.first:
        return {}
    found = scored(kept, anomalies=unknown, baseline=baseline, seed=plan.seed, own=what.own)
    card = dict(found.card)
    if isinstance(source, OnDisk):
        broken = np.setdiff1d(np.arange(len(source)), kept.places())
        list_broken([source.files.paths[place] for place in broken], request.out)
        card["broken"] = len(broken)
    if found.per_image is not None:
        write_per_image(request.out / FILE, found.per_image)
    write_text(request.out / "scorecard.json", json_text(card, indent=1) + "\n")
    _report(request, card, source, model, plan, show)
    return card


def _begin(folder: Path, run: dict[str, Any], force: bool) -> None:
    PredictionFolder.begin(folder, run, force=force, within=folder.parent)


def _without_attacks_that_cant_be(what: Measured) -> EvaluationPlan:
    plan = what.plan
    if not (plan.attack or plan.auto_attack):
        return plan
    if not getattr(what.model, "differentiable", True):
        tell("This kind of model has no gradients: the adversarial error is not measured.\n")
    elif what.ready is not None and not what.ready.has_clean:
        tell("Without clean images (--clean) there are none to attack: the adversarial error is left out.\n")
    else:
        return plan
    return replace(plan, attack=None, auto_attack=None)


def _tell_absent(source: ImageSource) -> None:
    """Say which classes compete without an image of theirs: of them nothing is measured."""
    there = set(np.unique(source.labels).tolist())
    if absent := [name for place, name in enumerate(source.classes) if place not in there]:
        tell(
            f"{len(absent):,} of {len(source.classes):,} classes have no image in {source.name}, such as "
            f"{plain(absent[0], most=60)}: they compete, and how well they are known is not measured.\n"
        )


def _report(
    request: EvaluationRequest,
    card: dict[str, Any],
    source: ImageSource,
    model: nn.Module,
    plan: EvaluationPlan,
    show: bool,
) -> None:
    from ipmix.evaluation.evidence import attention_panel, worst_panel
    from ipmix.report import print_comparison, write_page
    from ipmix.report.facts import facts_of

    panels = [*worst_panel(card, source), *attention_panel(card, source, model, plan)]
    write_page(
        request.out / "report.html",
        [card],
        title=f"How safe is {card['run']['name']}?",
        lead=f"Measured on {card['pictures']} images of {source.name}.",
        panels=panels,
        facts=facts_of(card),
    )
    if not show:
        return
    print_comparison([card])
    told = (
        "In brackets: 95% intervals over the images. "
        f"All measures: {request.out / 'scorecard.json'}; open {request.out / 'report.html'}\n"
    )
    say(told, fold=True)


def _anomalies(request: EvaluationRequest, model: nn.Module, source: InMemory | OnDisk) -> InMemory | OnDisk:
    """Images of nothing the model knows, in the form of ``source``; their own labels mean nothing: all are class 0."""
    found = scan_data(request, True, str(request.anomalies), None)
    form = usual_form(request, model)
    if form.size is None and isinstance(source, InMemory):
        form = replace(form, size=source.dataset.images.shape[1])
    if isinstance(found, Stream):
        read = spooled(request, found, form, None, True).dataset
        nothing = np.zeros(len(read), np.int64)
        return with_channels(
            InMemory(replace(read, labels=nothing, classes=source.classes)), first_image(source).shape[-1]
        )
    everything = np.arange(len(found))
    unknown = picked(request, found, form, everything, np.zeros(len(found), np.int64), source.classes)
    return with_channels(unknown, first_image(source).shape[-1])
