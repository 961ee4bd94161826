"""Images that stand behind the figures: the worst answers, and where the model looks (for the report)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmix.core.errors import InputError
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.corruptions import corrupt
from ipmix.data.sources import ImageSource
from ipmix.evaluation.cam import grad_cam, last_spatial_layer, overlay
from ipmix.evaluation.class_names import readable
from ipmix.evaluation.class_outputs import class_of
from ipmix.evaluation.plan import EvaluationPlan
from ipmix.report.page import Figure, Panel

SHOWN = 12
LOOKED_AT = 4
CAM_CORRUPTIONS = ("gaussian_noise", "motion_blur", "fog", "jpeg_compression")
CAM_SEVERITY = 3


def worst_panel(card: Mapping[str, Any], source: ImageSource) -> list[Panel]:
    """The most confidently wrong answers, each with the predicted class and the label; nothing if none is wrong."""
    figures = []
    for entry in card["worst"][:SHOWN]:
        images, _ = source.read(entry["index"], entry["index"] + 1)
        if not len(images):
            continue
        answer = "no answer"
        if entry["predicted"] >= 0:
            answer = f"predicted {readable(source.classes[entry['predicted']])} {100 * entry['confidence']:.0f}%"
        figures.append(Figure(images[0], f"{answer}; is {readable(source.classes[entry['label']])}"))
    if not figures:
        return []
    return [Panel("The worst answers", "Wrong, and most confident.", [("", figures)], _width(figures[0].image))]


def attention_panel(
    card: Mapping[str, Any], source: ImageSource, model: nn.Module, plan: EvaluationPlan
) -> list[Panel]:
    """Grad-CAM on a few clean and corrupted images; nothing for models that have no such layer."""
    if getattr(model, "differentiable", True) is False:
        return []
    places = np.linspace(0, len(source.labels) - 1, LOOKED_AT).round().astype(int)
    found = [(place, source.read(place, place + 1)[0]) for place in np.unique(places).tolist()]
    found = [(place, images) for place, images in found if len(images)]
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    corruptions, severity = _shown_corruptions(plan)
    rows = []
    layer = ""
    for place, images in found:
        shown = [("clean", images[0])]
        for name in corruptions:
            indices = np.array([place], np.int64)
            made = corrupt(images, name, severity, seed=plan.seed, indices=indices, form=plan.form)
            shown.append((name.replace("_", " "), made[0]))
        batch = np.stack([image for _, image in shown])
        pixels = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / 255.0
        try:
            layer = layer or last_spatial_layer(model, pixels)
            maps, predicted = grad_cam(model, pixels, layer=layer)
        except (InputError, RuntimeError, NotImplementedError):
            return []
        rows.append(
            (f"is {readable(source.classes[source.labels[place]])}", _figures(card, source, shown, maps, predicted))
        )
    if not rows:
        return []
    told = f"; corruptions at severity {severity}" if corruptions else ""
    text = f"Grad-CAM at the layer {layer}, for the class the model names{told}. Bright parts speak for the answer."
    return [Panel("Where it looks", text, rows, max(96, _width(found[0][1][0])))]


def _shown_corruptions(plan: EvaluationPlan) -> tuple[tuple[str, ...], int]:
    """A few of the corruptions that were measured, of several kinds if there are, and a severity in their middle."""
    usual = tuple(name for name in CAM_CORRUPTIONS if name in plan.corruptions)
    others = tuple(name for name in plan.corruptions if name not in usual)
    chosen = (*usual, *others)[: len(CAM_CORRUPTIONS)]
    severity = min(plan.severities, key=lambda s: (abs(s - CAM_SEVERITY), s), default=CAM_SEVERITY)
    return chosen, severity


def _figures(
    card: Mapping[str, Any],
    source: ImageSource,
    shown: list[tuple[str, NDArray[np.uint8]]],
    maps: NDArray[np.float32],
    predicted: NDArray[np.int64],
) -> list[Figure]:
    class_outputs = card["run"].get("columns")
    figures = [Figure(shown[0][1], "the image")]
    for (name, image), heat, answer in zip(shown, maps, predicted.tolist()):
        place = answer if class_outputs is None else class_of(answer, class_outputs)
        called = "another class" if place is None else readable(source.classes[place])
        figures.append(Figure(overlay(image, heat), f"{name}: {called}"))
    return figures


def _width(image: NDArray[np.uint8]) -> int:
    """Small images are shown enlarged, large ones reduced."""
    return 72 if max(image.shape[:2]) <= SMALL_SIDE else 128
