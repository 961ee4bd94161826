"""Reading logits: probabilities, confidence, the predicted class, and which rows are broken."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError


def as_logits(logits: ArrayLike) -> NDArray[np.floating]:
    """``logits`` as a floating array of shape [N, K], K at least 2; InputError otherwise."""
    array = np.asarray(logits)
    if array.ndim != 2 or array.shape[1] < 2 or not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            "logits must be a floating array of shape [images, classes] with at least 2 classes, "
            f"got {array.dtype} of shape {list(array.shape)}"
        )
    return array


def as_labels(labels: ArrayLike, count: int, classes: int) -> NDArray[np.int64]:
    """``labels`` as int64[count] with values in 0 .. classes-1; InputError naming the first that is not."""
    array = np.asarray(labels)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            f"labels must be one integer for each of the {count} images, got {array.dtype} of shape {list(array.shape)}"
        )
    outside = np.flatnonzero((array < 0) | (array >= classes))
    if outside.size:
        first = int(outside[0])
        raise InputError(
            f"{outside.size} of {count} labels are outside 0..{classes - 1}, the first at index {first} "
            f"({int(array[first])}); check that the model's classes are the data's classes"
        )
    return array.astype(np.int64)


def invalid(logits: ArrayLike) -> NDArray[np.bool_]:
    """Which rows of ``logits`` [N, K] hold NaN or +infinity, so that no probability follows from them.

    Minus infinity is allowed (a class that is ruled out) unless a whole row is minus infinity.
    """
    array = as_logits(logits)
    highest = array.max(axis=1)  # NaN anywhere in a row makes this NaN
    broken: NDArray[np.bool_] = ~np.isfinite(highest)
    return broken


def refuse_probabilities(logits: ArrayLike) -> None:
    """InputError if all rows of ``logits`` [N, K] are probabilities: their softmax would be measured as confidence.

    Probabilities of at least 2 classes lie in [0, 1] and sum to 1 (here to half a percent: they may have been
    rounded). Logits that happen to are rare for one image, and don't occur for all of several.
    """
    array = as_logits(logits)
    if len(array) and array.min() >= 0.0 and np.abs(array.sum(axis=1, dtype=np.float64) - 1.0).max() < 5e-3:
        raise InputError(
            "these are probabilities, not logits (no value is below 0 and each row sums to 1): pass what the model "
            "gives before its softmax, or the logarithms of the probabilities, which measure the same"
        )


def log_softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Logarithms of the probabilities, float64[N, K]; rows that are :func:`invalid` become NaN."""
    array = as_logits(logits).astype(np.float64)
    broken = invalid(array)
    array[broken] = 0.0
    array -= array.max(axis=1, keepdims=True)
    array -= np.log(np.exp(array).sum(axis=1, keepdims=True))
    array[broken] = np.nan
    return array


def softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Probabilities, float64[N, K], rows summing to 1; rows that are :func:`invalid` become NaN."""
    return np.exp(log_softmax(logits))


def confidence(logits: ArrayLike) -> NDArray[np.float64]:
    """The largest probability of each row, float64[N]; NaN for rows that are :func:`invalid`."""
    array = as_logits(logits).astype(np.float64)
    broken = invalid(array)
    array[broken] = 0.0
    array -= array.max(axis=1, keepdims=True)
    highest = 1.0 / np.exp(array).sum(axis=1)
    highest[broken] = np.nan
    return highest


def predicted(logits: ArrayLike) -> NDArray[np.int64]:
    """The class of the largest logit, int64[N]; the first of equals; -1 for :func:`invalid` rows."""
    array = as_logits(logits)
    classes = array.argmax(axis=1).astype(np.int64)
    classes[invalid(array)] = -1
    return classes


def restrict(logits: ArrayLike, classes: ArrayLike) -> NDArray[np.floating]:
    """Only the columns ``classes`` (distinct indices), in that order: how the 200-class sets are scored.

    Labels must then count within the subset: label j means ``classes[j]``.
    """
    array = as_logits(logits)
    columns = np.asarray(classes)
    if columns.ndim != 1 or not np.issubdtype(columns.dtype, np.integer) or columns.size < 2:
        raise InputError(f"classes must be at least 2 integers, got {columns.dtype} {list(columns.shape)}")
    if np.unique(columns).size != columns.size:
        raise InputError("classes must be distinct; some index is given twice")
    if columns.min() < 0 or columns.max() >= array.shape[1]:
        raise InputError(
            f"classes must lie in 0..{array.shape[1] - 1} (the model's classes), "
            f"got {int(columns.min())}..{int(columns.max())}"
        )
    return array[:, columns]


def as_confidence_and_correct(
    confidence: ArrayLike, correct: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check a pair of equally long vectors: confidence in [0, 1] without NaN, and correct (1) or not (0)."""
    confidence, correct = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if confidence.ndim != 1 or correct.shape != confidence.shape or not confidence.size:
        raise InputError(
            "confidence and correct must be two vectors of the same length, at least 1, "
            f"got shapes {list(confidence.shape)} and {list(correct.shape)}"
        )
    if correct.dtype != np.bool_ and not np.isin(correct, (0, 1)).all():
        raise InputError("correct must hold True and False (or 1 and 0) only")
    refuse_nan(confidence, "confidence")
    if confidence.min() < 0.0 or confidence.max() > 1.0 + 1e-6:
        raise InputError(
            f"confidence must lie in [0, 1], got {confidence.min():.6g}..{confidence.max():.6g}; "
            "pass the largest softmax probability, not a logit or a percentage"
        )
    return np.minimum(confidence, 1.0), correct.astype(np.float64)


def refuse_nan(values: NDArray[np.floating], name: str) -> None:
    """InputError that counts and places the NaN values in a vector, if there are any."""
    broken = np.flatnonzero(np.isnan(values))
    if broken.size:
        raise InputError(
            f"{name} holds NaN for {broken.size} of {values.size} images, the first at index "
            f"{int(broken[0])}: the model gave no answer there, and an average without them would hide it"
        )
