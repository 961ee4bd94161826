"""Predictions reduced to a few numbers per image, over all shards of a folder."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.evaluation.conditions import CLEAN, Condition
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder, Predictions, PredictionShard
from ipmix.measures import anomaly, calibration, clean, corruption, outputs


@dataclass(eq=False)
class Outcomes:
    """One condition's predictions, reduced to a few numbers per image, over all shards."""

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
        """Take in a shard; ``brief`` keeps only what corruptions need, of which there are dozens."""
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
        """One of the numbers, by its name, for all images."""
        arrays = getattr(self, name)
        return np.concatenate(arrays) if arrays else np.zeros(0)


@dataclass(eq=False)
class RunOutcomes:
    """All of a run's predictions, reduced.

    Attributes:
        conditions: the outcomes under each condition that has logits.
        frames: perturbation -> int64[N, T], the predicted class of each frame, -1 for none.
        top5: perturbation -> float64[N], the mean top-5 distance of each sequence.
        indices: int64[N], each image's place in the data.
        labels: int64[N].
    """

    conditions: dict[Condition, Outcomes]
    frames: dict[str, NDArray[np.int64]]
    top5: dict[str, NDArray[np.float64]]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def clean(self) -> Outcomes:
        """The outcomes on the images as they are."""
        return self.conditions[CLEAN]

    def by_corruption(self) -> dict[str, dict[int, Outcomes]]:
        """Corruption -> severity -> outcomes: the 15 of -C in their usual order, then the others by name."""
        levels: dict[str, dict[int, Outcomes]] = {}
        for condition, outcomes in self.conditions.items():
            if condition.severity is not None:
                levels.setdefault(condition.name, {})[condition.severity] = outcomes
        order = list(corruption.ALEXNET)
        names = sorted(levels, key=lambda n: (order.index(n) if n in order else len(order), n))
        return {name: dict(sorted(levels[name].items())) for name in names}


def read_outcomes(kept: PredictionFolder | PredictionFile) -> RunOutcomes:
    """Read predictions a shard and a condition at a time, and reduce them.

    Raises:
        InputError: there are none, none on clean images, or a file's arrays aren't predictions.
    """
    conditions: dict[Condition, Outcomes] = {}
    sequences: dict[Condition, list[NDArray[Any]]] = {}
    indices: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int64]] = []
    count = 0
    for shard in kept.shards():
        of_shard = shard.array("labels")
        labels.append(of_shard)
        indices.append(shard.array("indices") if "indices" in shard.names() else count + np.arange(len(of_shard)))
        count += len(of_shard)
        for condition in shard.conditions():
            if not condition.holds_logits:
                sequences.setdefault(condition, []).append(shard.array(condition.key))
                continue
            found = shard.predictions(condition)
            try:
                conditions.setdefault(condition, Outcomes()).add(found, brief=condition != CLEAN)
                if condition.is_attack:
                    conditions[condition].before.append(_correct_before(shard, condition, len(found.labels)))
            except InputError as error:
                raise InputError(f"{shard.path}, {condition.key}: {error}") from None
    if not labels:
        raise InputError(f"{kept.path} holds no predictions yet; run ipmix evaluate to the end")
    if CLEAN not in conditions:
        raise InputError(f"{kept.path} holds no predictions on clean images yet")
    joined = {condition: np.concatenate(arrays) for condition, arrays in sequences.items()}
    return RunOutcomes(
        conditions,
        frames={condition.name: array for condition, array in joined.items() if condition.kind == "frames"},
        top5={condition.name: array for condition, array in joined.items() if condition.kind == "top5"},
        indices=np.concatenate(indices),
        labels=np.concatenate(labels),
    )


def _correct_before(shard: PredictionShard, attack: Condition, count: int) -> NDArray[np.bool_]:
    """Whether the images that an attack had were answered correctly without it."""
    plain = shard.predictions(CLEAN)
    correct = clean.correct(plain.logits, plain.labels)
    places = f"places/{attack.key}"
    # Which images were attacked, as in PredictionShard.predictions: the named ones, or the first.
    chosen: NDArray[np.bool_] = correct[shard.array(places)] if places in shard.names() else correct[:count]
    return chosen
