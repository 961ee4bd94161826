"""Calibration: is a model that gives 80% confidence correct 80% of the time?

RMS calibration error follows Hendrycks, Mazeika and Dietterich (Outlier Exposure, ICLR 2019): bins of 100
images that are neighbours in confidence. ECE and MCE use equally wide bins (Guo et al., ICML 2017).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.bounds import BINS_MOST
from ipmix.core.checking import check_count, shown
from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_confidence_and_correct, as_labels, as_logits, as_numbers, log_softmax, refuse_nan


def rms_calibration_error(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    last_bin: Literal["count", "skip"] = "count",
    bin_size: int = 100,
) -> float:
    """Root mean square difference between confidence and accuracy over adaptive bins, a fraction.

    Images are sorted by confidence (equal ones keep their order) and cut into bins of ``bin_size``; what
    is left over joins the last bin. The result is sqrt(sum over bins of |bin|/N * (confidence - accuracy)^2).

    Args:
        confidence: float [N] in [0, 1], the largest softmax probability. At least ``bin_size`` images.
        correct: bool [N].
        last_bin: ``"count"`` takes every bin. ``"skip"`` leaves out the most confident bin while N still
            counts all images, as the code behind the published figures does: use it to compare with
            them. It flatters an overconfident model, and gives 0 below 200 images.
        bin_size: images per bin.

    Raises:
        InputError: fewer images than one bin holds (the figure would be noise), NaN, or values outside
            [0, 1].
    """
    if not isinstance(last_bin, str) or last_bin not in ("count", "skip"):
        raise InputError(f'last_bin must be "count" or "skip", got {shown(last_bin)}')
    check_count("bin_size", bin_size, 1)
    gaps, _, sizes = _adaptive_bins(confidence, correct, bin_size)
    shares = sizes / sizes.sum()
    if last_bin == "skip":
        gaps, shares = gaps[:-1], shares[:-1]
    return float(np.sqrt(np.sum(shares * gaps**2)))


PUBLISHED_LEAST = 200
"""Images: of fewer, the calibration error as published would count no bin."""


def published_rms_calibration_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """:func:`rms_calibration_error` with the last bin skipped, as published code counts it, from 200 images on.

    Raises:
        InputError: fewer images, of which it would be 0 whatever the model does; otherwise as there.
    """
    confidence, correct = as_confidence_and_correct(confidence, correct)
    if confidence.size < PUBLISHED_LEAST:
        raise InputError(few_for_published(confidence.size))
    return rms_calibration_error(confidence, correct, last_bin="skip")


def few_for_published(images: int) -> str:
    """Why so few images have no calibration error as published."""
    return (
        f"not given below {PUBLISHED_LEAST} images, got {images}: without the last bin none is left, and it would be 0 "
        "whatever the model does"
    )


def debiased_rms_calibration_error(confidence: ArrayLike, correct: ArrayLike, *, bin_size: int = 100) -> float:
    """:func:`rms_calibration_error` without what chance adds to it (Kumar, Liang and Ma, NeurIPS 2019).

    Of each bin's squared gap the variance of its accuracy, a (1 - a) / (n - 1), is taken away; 0 where less than
    nothing is left.
    """
    check_count("bin_size", bin_size, 2)
    gaps, accuracy, sizes = _adaptive_bins(confidence, correct, bin_size)
    squares = gaps**2 - accuracy * (1.0 - accuracy) / (sizes - 1)
    return float(np.sqrt(max(0.0, np.sum(squares * sizes) / sizes.sum())))


def mean_rms_calibration_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Mean over conditions of :func:`rms_calibration_error`, from float [N, conditions] and bool [N, conditions]."""
    tables = as_numbers(confidence, "confidence"), as_numbers(correct, "correct")
    if tables[0].ndim != 2 or tables[0].shape != tables[1].shape:
        raise InputError(
            "confidence and correct must be two tables [images, conditions] of the same shape, "
            f"got {list(tables[0].shape)} and {list(tables[1].shape)}"
        )
    columns = zip(tables[0].T, tables[1].T, strict=True)
    return float(np.mean([rms_calibration_error(*pair) for pair in columns]))


@dataclass(frozen=True, slots=True)
class Reliability:
    """What a reliability diagram shows: equally wide bins of confidence, lower edge excluded."""

    edges: NDArray[np.float64]
    """[bins + 1], from 0 to 1."""
    count: NDArray[np.int64]
    """[bins], images in each bin."""
    confidence: NDArray[np.float64]
    """[bins], mean confidence; 0 where the bin is empty."""
    accuracy: NDArray[np.float64]
    """[bins], fraction that is correct; 0 where the bin is empty."""


def reliability(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> Reliability:
    """Sort images into ``bins`` equally wide bins of confidence; see :class:`Reliability`."""
    confidence, correct = as_confidence_and_correct(confidence, correct)
    check_count("bins", bins, 1, BINS_MOST)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    shown = np.maximum(count, 1)
    return Reliability(
        edges=edges,
        count=count.astype(np.int64),
        confidence=np.bincount(place, weights=confidence, minlength=bins) / shown,
        accuracy=np.bincount(place, weights=correct, minlength=bins) / shown,
    )


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> float:
    """ECE: mean over images of their bin's |mean confidence - accuracy|, a fraction."""
    table = reliability(confidence, correct, bins=bins)
    gaps = np.abs(table.confidence - table.accuracy)
    return float(np.sum(gaps * table.count) / table.count.sum())


def debiased_expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> float:
    """:func:`expected_calibration_error` without what chance adds to it (Kumar, Liang and Ma, NeurIPS 2019).

    What chance adds is found as there: had each bin's measured accuracy a (of n images) been the truth, another sample
    would have a normally distributed one with the variance a (1 - a) / n, and a mean gap that lies above the measured
    one by so much. 0 where less than nothing is left.
    """
    table = reliability(confidence, correct, bins=bins)
    shown = np.maximum(table.count, 1)
    gaps = table.accuracy - table.confidence
    spread = np.sqrt(table.accuracy * (1.0 - table.accuracy) / shown)
    again = np.array([_mean_distance(gap, each) for gap, each in zip(gaps.tolist(), spread.tolist())])
    return max(0.0, float(np.sum((2.0 * np.abs(gaps) - again) * table.count) / table.count.sum()))


def maximum_calibration_error(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> float:
    """MCE: the largest |mean confidence - accuracy| of a bin that is not empty. One image can decide it."""
    table = reliability(confidence, correct, bins=bins)
    return float(np.abs(table.confidence - table.accuracy)[table.count > 0].max())


def brier_scores(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Each image's squared distance between probabilities and label, float64[N]; NaN without an answer."""
    log_probability, labels = _log_probability(logits, labels)
    probability = np.exp(log_probability)
    own = probability[np.arange(labels.size), labels]
    distance: NDArray[np.float64] = (probability**2).sum(axis=1) - own**2 + (1.0 - own) ** 2
    return distance


def brier_score(logits: ArrayLike, labels: ArrayLike) -> float:
    """Mean over images of the squared distance between probabilities and the label, 0 (best) .. 2.

    Summed over classes (Brier, 1950); some libraries divide by the number of classes.
    """
    return _mean(brier_scores(logits, labels))


def log_losses(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Each image's -log(probability of the label) in nats, float64[N]; NaN without an answer."""
    log_probability, labels = _log_probability(logits, labels)
    loss: NDArray[np.float64] = -log_probability[np.arange(labels.size), labels]
    return loss


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float:
    """Mean of -log(probability of the label), in nats. Infinite if a label was given probability 0."""
    return _mean(log_losses(logits, labels))


def _adaptive_bins(
    confidence: ArrayLike, correct: ArrayLike, bin_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Bins of neighbours in confidence: mean confidence - accuracy, accuracy, and how many images, each [bins]."""
    confidence, correct = as_confidence_and_correct(confidence, correct)
    check_count("bin_size", bin_size, 1)
    if confidence.size < bin_size:
        raise InputError(f"RMS calibration error needs at least {bin_size} images (one bin), got {confidence.size}")
    order = np.argsort(confidence, kind="stable")
    starts = np.arange(confidence.size // bin_size) * bin_size
    sizes = np.diff(np.append(starts, confidence.size))
    gaps = np.add.reduceat(confidence[order] - correct[order], starts) / sizes
    return gaps, np.add.reduceat(correct[order], starts) / sizes, sizes


def _mean_distance(mean: float, deviation: float) -> float:
    """The mean of |X| for a normally distributed X: that of the folded normal distribution."""
    if deviation == 0.0:
        return abs(mean)
    ratio = mean / deviation
    bell = deviation * math.sqrt(2.0 / math.pi) * math.exp(-(ratio**2) / 2.0)
    return bell + mean * math.erf(ratio / math.sqrt(2.0))


def _log_probability(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    array = as_logits(logits)
    return log_softmax(array), as_labels(labels, *array.shape)


def _mean(values: NDArray[np.float64]) -> float:
    if not values.size:
        raise InputError("there are no images to measure: logits has 0 rows")
    refuse_nan(values, "logits")
    return float(values.mean())
