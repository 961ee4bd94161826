"""Predictions reduced to a few numbers per image, over all shards of a folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ipmix.core.checking import check_choice
from ipmix.core.errors import InputError
from ipmix.evaluation.checked_shard import CheckedShard
from ipmix.evaluation.conditions import CLEAN, Condition
from ipmix.evaluation.held_out import HeldOut, fit
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder, Predictions
from ipmix.measures import anomaly, calibration, clean, conformal, corruption, outputs, temperature

GivenScores = Literal["auto", "logits", "probabilities"]
"""What predictions are said to be."""


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
    covered: list[NDArray[np.bool_]] = field(default_factory=list)
    """Whether the label is in the image's conformal set."""
    set_size: list[NDArray[np.int64]] = field(default_factory=list)
    scaled_confidence: list[NDArray[np.float64]] = field(default_factory=list)
    scaled_loss: list[NDArray[np.float64]] = field(default_factory=list)
    """After temperature scaling."""
    classes: int = 0

    def add(self, found: Predictions, *, brief: bool, held_out: HeldOut | None = None) -> None:
        """Take in a shard; ``brief`` keeps only what corruptions need, of which there are dozens.

        With ``held_out``, what was fitted on half of the images, also what follows from it.
        """
        classes = outputs.as_logits(found.logits).shape[1]
        if self.classes not in (0, classes):
            raise InputError(f"there are outputs for {classes} classes here and for {self.classes} before")
        self.classes = classes
        self.correct.append(clean.correct(found.logits, found.labels))
        self.confidence.append(outputs.confidence(found.logits))
        if held_out is not None:
            covered, size = conformal.sets(found.logits, found.labels, held_out.reached)
            self.covered.append(covered)
            self.set_size.append(size)
        if brief:
            return
        if held_out is not None:
            softer = temperature.scaled(found.logits, held_out.temperature)
            self.scaled_confidence.append(outputs.confidence(softer))
            self.scaled_loss.append(calibration.log_losses(softer, found.labels))
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
        scores: what the predictions are; all but logits were turned into logits.
        held_out: what was fitted on half of the images; or why nothing could be.
    """

    conditions: dict[Condition, Outcomes]
    frames: dict[str, NDArray[np.int64]]
    top5: dict[str, NDArray[np.float64]]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    scores: outputs.Scores
    held_out: HeldOut | InputError

    @property
    def clean(self) -> Outcomes:
        """The outcomes on the images as they are; empty where only corrupted ones were measured."""
        return self.conditions.get(CLEAN) or Outcomes(classes=self.classes)

    @property
    def classes(self) -> int:
        """How many classes the outputs are for; 0 where there are no logits."""
        return next((outcomes.classes for outcomes in self.conditions.values()), 0)

    def by_corruption(self) -> dict[str, dict[int, Outcomes]]:
        """Corruption -> severity -> outcomes: the 15 of -C in their usual order, then the others by name."""
        levels: dict[str, dict[int, Outcomes]] = {}
        for condition, outcomes in self.conditions.items():
            if condition.severity is not None:
                levels.setdefault(condition.name, {})[condition.severity] = outcomes
        order = list(corruption.ALEXNET)
        names = sorted(levels, key=lambda n: (order.index(n) if n in order else len(order), n))
        return {name: dict(sorted(levels[name].items())) for name in names}


def read_outcomes(kept: PredictionFolder | PredictionFile, given: GivenScores = "auto") -> RunOutcomes:
    """Read predictions a shard and a condition at a time, and reduce them.

    Args:
        kept: the predictions.
        given: what they are. "auto" decides for somebody else's file from all of its rows; a folder of
            ``ipmix evaluate`` holds logits.

    Raises:
        InputError: there are none, none on clean images, a file's arrays aren't predictions, or what they are can't
            be told.
    """
    check_choice("scores", given, get_args(GivenScores))
    scores = _told(kept, given)
    held_out = fit(_clean(kept, scores))
    fitted = held_out if isinstance(held_out, HeldOut) else None
    conditions: dict[Condition, Outcomes] = {}
    sequences: dict[Condition, list[NDArray[Any]]] = {}
    indices: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int64]] = []
    count = 0
    for shard in map(CheckedShard, kept.shards()):
        labels.append(shard.labels)
        own = shard.indices()
        indices.append(count + np.arange(len(shard.labels)) if own is None else own)
        count += len(shard.labels)
        for condition in shard.conditions():
            if not condition.holds_logits:
                before = sequences.setdefault(condition, [])
                known = conditions.get(CLEAN)  # by its name it comes before all sequences
                before.append(shard.sequences(condition, None if known is None else known.classes))
                if before[-1].shape[1:] != before[0].shape[1:]:
                    raise InputError(
                        f"{shard.path}: {condition.key} has {before[-1].shape[1]} frames, earlier files have "
                        f"{before[0].shape[1]}"
                    )
                continue
            found = shard.predictions(condition)
            try:
                if scores != "logits":
                    found = _as_logits(found)
                elif given == "auto":
                    outputs.refuse_probabilities(found.logits)
                conditions.setdefault(condition, Outcomes()).add(
                    found, brief=condition != CLEAN, held_out=None if condition.is_attack else fitted
                )
                if condition.is_attack:
                    conditions[condition].before.append(_correct_before(shard, condition, len(found.labels), scores))
            except InputError as error:
                raise InputError(f"{shard.path}, {shard.called(condition)}: {error}") from None
    if not labels:
        raise InputError(f"{kept.path} holds no predictions yet; run ipmix evaluate to the end")
    without_clean = isinstance(kept, PredictionFolder) and (kept.run.get("data") or {}).get("clean") is False
    if CLEAN not in conditions and not without_clean:
        raise InputError(f"{kept.path} holds no predictions on clean images yet")
    reference = CLEAN if CLEAN in conditions else next(iter(conditions), CLEAN)
    for condition, outcomes in conditions.items():
        if outcomes.classes != conditions[reference].classes:
            raise InputError(
                f"{kept.path}: {condition.key} is about {outcomes.classes} classes, {reference.key} about "
                f"{conditions[reference].classes}"
            )
        if not condition.is_attack and len(outcomes.whole("correct")) != count:
            raise InputError(
                f"{kept.path}: {condition.key} is there for {len(outcomes.whole('correct'))} of {count} images"
            )
    joined = {condition: np.concatenate(arrays) for condition, arrays in sequences.items()}
    for condition, array in joined.items():
        if len(array) != count:
            raise InputError(f"{kept.path}: {condition.key} is there for {len(array)} of {count} images")
    return RunOutcomes(
        conditions,
        frames={condition.name: array for condition, array in joined.items() if condition.kind == "frames"},
        top5={condition.name: array for condition, array in joined.items() if condition.kind == "top5"},
        indices=np.concatenate(indices),
        labels=np.concatenate(labels),
        scores=scores,
        held_out=held_out,
    )


def _clean(
    kept: PredictionFolder | PredictionFile, scores: outputs.Scores
) -> Iterator[tuple[Predictions, NDArray[np.int64]]]:
    """Clean predictions a shard at a time, with the images' places. What is wrong with them is said later."""
    count = 0
    for shard in map(CheckedShard, kept.shards()):
        own = shard.indices()
        places = count + np.arange(len(shard.labels)) if own is None else own
        count += len(shard.labels)
        if CLEAN not in shard.conditions():
            return
        found = shard.predictions(CLEAN)
        try:
            found = found if scores == "logits" else _as_logits(found)
        except InputError:
            return
        if found.labels.max() >= found.logits.shape[1]:
            return
        yield found, places


def _as_logits(found: Predictions) -> Predictions:
    return Predictions(outputs.logits_of_probabilities(found.logits).astype(np.float32), found.labels)


def _correct_before(shard: CheckedShard, attack: Condition, count: int, scores: outputs.Scores) -> NDArray[np.bool_]:
    """Whether the images that an attack had were answered correctly without it."""
    plain = shard.predictions(CLEAN)
    if scores != "logits":
        plain = _as_logits(plain)
    correct = clean.correct(plain.logits, plain.labels)
    places = shard.places(attack)
    # Which images were attacked, as in PredictionShard.predictions: the named ones, or the first.
    chosen: NDArray[np.bool_] = correct[:count] if places is None else correct[places]
    return chosen


def _told(kept: PredictionFolder | PredictionFile, given: GivenScores) -> outputs.Scores:
    """What predictions are: as given, or decided from all rows of somebody else's file."""
    if given == "logits" or (given == "auto" and isinstance(kept, PredictionFolder)):
        return "logits"
    clean: outputs.Scores | None = None
    for shard in map(CheckedShard, kept.shards()):
        # Clean images come first: what they are the others must be.
        for condition in sorted((c for c in shard.conditions() if c.holds_logits), key=lambda c: c != CLEAN):
            rows = shard.predictions(condition).logits
            found = outputs.kind_of_scores(rows)
            if given == "probabilities":
                return "percent" if found == "percent" else "probabilities"
            clean = clean if condition != CLEAN else found
            if clean is None:
                try:
                    clean = outputs.told_kind(
                        rows, shard.called(condition), "pass --scores logits or --scores probabilities"
                    )
                except InputError as error:
                    raise InputError(f"{shard.path}: {error}") from None
            if found not in (clean, None):
                raise InputError(
                    f"{shard.path}: {shard.called(CLEAN)} looks like {clean} and {condition.key} like "
                    f"{found}: pass --scores logits or --scores probabilities if all are the same"
                )
    return clean or "logits"
