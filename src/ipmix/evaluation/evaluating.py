"""From a model's name and a folder of images to predictions, a scorecard and a page: ``ipmix evaluate``."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ipmix.attacks.auto_attack import require
from ipmix.core.files import write_text
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.processes import Team
from ipmix.data.datasets import tell_hidden
from ipmix.data.sources import ImageSource, InMemory, OnDisk
from ipmix.evaluation.inputs import (
    model_and_source,
    picked,
    scan_data,
    side_of,
    usual_form,
)
from ipmix.evaluation.plan import EvaluationPlan, describe
from ipmix.evaluation.predicting import check_beforehand, predict
from ipmix.evaluation.predictions import PredictionFolder
from ipmix.evaluation.request import EvaluationRequest, MeasureRequest
from ipmix.evaluation.results import read_baseline
from ipmix.evaluation.scorecard import score


def evaluate(
    request: EvaluationRequest,
    wanted: MeasureRequest,
    *,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
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

    Raises:
        InputError: the model, the data or the settings can't be used; nothing is written then.
    """
    wanted.plan(SMALL_SIDE)  # unknown words are refused before anything is opened
    baseline = None if request.baseline is None else read_baseline(request.baseline)
    if wanted.auto_attack is not None:
        require()
    model, source, class_outputs = model_and_source(request, quiet)
    plan = _without_attacks_if_it_has_no_gradients(wanted.plan(side_of(source)), model)
    name = request.name or str(getattr(model, "name", Path(request.model).stem))
    team = Team(device)
    options: dict[str, Any] = {
        "name": name, "class_outputs": class_outputs, "batch_size": batch_size, "device": team.device,
        "threads": threads, "shard": (team.rank, team.count), "quiet": quiet or team.rank > 0,
    }  # fmt: skip
    folder = request.out / "predictions"
    if team.rank == 0:
        if isinstance(source, OnDisk):
            tell_hidden(source.files)
        run = describe(model, source, plan, name=name, class_outputs=class_outputs)
        check_beforehand(source, plan, folder, run)
        PredictionFolder.begin(folder, run, force=force)
    team.wait()
    kept = predict(model, source, plan, folder, **options)
    unknown = None
    if request.anomalies is not None:
        unknown = _predict_anomalies(request, model, source, plan, {**options, "force": force and team.count == 1})
    team.wait()
    if team.rank > 0:
        return {}
    card = score(kept, anomalies=unknown, baseline=baseline, seed=plan.seed)
    write_text(request.out / "scorecard.json", json.dumps(card, indent=1, allow_nan=False) + "\n")
    _report(request, card, source, model, plan)
    return card


def _without_attacks_if_it_has_no_gradients(plan: EvaluationPlan, model: nn.Module) -> EvaluationPlan:
    if not (plan.attack or plan.auto_attack) or getattr(model, "differentiable", True):
        return plan
    sys.stderr.write("This kind of model has no gradients: the adversarial error is not measured.\n")
    return replace(plan, attack=None, auto_attack=None)


def _report(
    request: EvaluationRequest,
    card: dict[str, Any],
    source: ImageSource,
    model: nn.Module,
    plan: EvaluationPlan,
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
    print_comparison([card])
    sys.stdout.write(
        f"In brackets: 95% bootstrap intervals over {card['pictures']} images. "
        f"All measures: {request.out / 'scorecard.json'}; open {request.out / 'report.html'}\n"
    )


def _predict_anomalies(
    request: EvaluationRequest,
    model: nn.Module,
    source: ImageSource,
    plan: EvaluationPlan,
    options: dict[str, Any],
) -> PredictionFolder:
    """Predictions on unknown images; their own labels mean nothing, so all are given class 0."""
    assert request.anomalies is not None
    found = scan_data(request, True, str(request.anomalies), None)
    if options["shard"][0] == 0:
        tell_hidden(found)
    form = usual_form(request, model)
    if form.size is None and isinstance(source, InMemory):
        form = replace(form, size=source.dataset.images.shape[1])
    everything = np.arange(len(found))
    unknown = picked(request, found, form, everything, np.zeros(len(found), np.int64), source.classes)
    alone = replace(plan, corruptions=(), perturbations=(), attack=None, auto_attack=None)
    return predict(model, unknown, alone, request.out / "predictions-anomalies", **options)
