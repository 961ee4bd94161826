"""Predictions reduced to a few numbers per image, over all parts of a folder."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder, Predictions, PredictionShard
from ipmix.measures import anomaly, calibration, clean, outputs


@dataclass(eq=False)
class Outcomes:
    """One condition's predictions, reduced to a few numbers per image, over all parts."""

    correct: list[NDArray[np.bool_]] = field(default_factory=list)
    correct_top5: list[NDArray[np.bool_]] = field(default_factory=list)
    before: list[NDArray[np.bool_]] = field(default_factory=list)
    """Of an attack: whether the answer on the same images untouched is correct."""
    confidence: list[NDArray[np.float64]] = field(default_factory=list)
    loss: list[NDArray[np.float64]] = field(default_factory=list)
    brier: list[NDArray[np.float64]] = field(default_factory=list)
    predicted: list[NDArray[np.int64]] = field(default_factory=list)
    logit_score: list[NDArray[np.float64]] = field(default_factory=list)
    classes: int = 0

    def add(self, found: Predictions, *, brief: bool) -> None:
        """Take in a part; ``brief`` keeps only what corruptions need, of which there are dozens."""
        self.classes = outputs.as_logits(found.logits).shape[1]
        outputs.refuse_probabilities(found.logits)
        self.correct.append(clean.correct(found.logits, found.labels))
        self.confidence.append(outputs.confidence(found.logits))
        if brief:
            return
        if found.logits.shape[1] > 5:
            self.correct_top5.append(clean.correct(found.logits, found.labels, top=5))
        self.loss.append(calibration.log_losses(found.logits, found.labels))
        self.brier.append(calibration.brier_scores(found.logits, found.labels))
        self.predicted.append(outputs.predicted(found.logits))
        self.logit_score.append(anomaly.maximum_logit_score(found.logits))

    def whole(self, name: str) -> NDArray[Any]:
        parts = getattr(self, name)
        return np.concatenate(parts) if parts else np.zeros(0)


def read_outcomes(
    kept: PredictionFolder | PredictionFile,
) -> tuple[
    dict[str, Outcomes],
    dict[str, NDArray[np.int64]],
    dict[str, NDArray[np.float64]],
    NDArray[np.int64],
    NDArray[np.int64],
]:
    conditions: dict[str, Outcomes] = {}
    sequences: dict[str, list[NDArray[Any]]] = {}
    indices: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int64]] = []
    for part in kept.parts():
        found_labels = part.array("labels")
        begin = sum(map(len, labels))
        labels.append(found_labels)
        indices.append(part.array("indices") if "indices" in part.names() else begin + np.arange(len(found_labels)))
        for name in sorted(part.names() - {"labels", "indices"}):
            if name.startswith(("frames/", "top5/")):
                sequences.setdefault(name, []).append(part.array(name))
            elif name in ("clean", "attack", "auto_attack") or name.startswith("corruption/"):
                found = part.predictions(name)
                try:
                    conditions.setdefault(name, Outcomes()).add(found, brief=name != "clean")
                    if "attack" in name and "clean" in part.names():
                        conditions[name].before.append(_correct_before(part, name, len(found.labels)))
                except InputError as error:
                    raise InputError(f"{part.path}, {name}: {error}") from None
    if not labels:
        raise InputError(f"{kept.path} holds no predictions yet; run ipmix evaluate to the end")
    joined = {name: np.concatenate(parts) for name, parts in sequences.items()}
    return (
        conditions,
        {name.removeprefix("frames/"): joined[name] for name in joined if name.startswith("frames/")},
        {name.removeprefix("top5/"): joined[name] for name in joined if name.startswith("top5/")},
        np.concatenate(indices),
        np.concatenate(labels),
    )


def _correct_before(part: PredictionShard, attack: str, count: int) -> NDArray[np.bool_]:
    plain = part.predictions("clean")
    right = clean.correct(plain.logits, plain.labels)
    places = f"places/{attack}"
    # Which images were attacked, as in PredictionShard.predictions: the named ones, or the first.
    chosen: NDArray[np.bool_] = right[part.array(places)] if places in part.names() else right[:count]
    return chosen
