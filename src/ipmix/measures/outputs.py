"""Reading logits: probabilities, confidence, the predicted class, and which rows are broken."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError

Scores = Literal["logits", "probabilities", "percent"]
"""What a classifier's outputs are: before the softmax, behind it, or behind it and times 100."""


def as_logits(logits: ArrayLike) -> NDArray[np.floating]:
    """``logits`` as a floating array of shape [N, K], K at least 2; InputError otherwise."""
    array = _array(logits, "logits")
    if array.ndim != 2 or array.shape[1] < 2 or not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            "logits must be a floating array of shape [images, classes] with at least 2 classes, "
            f"got {array.dtype} of shape {list(array.shape)}"
        )
    return array


def as_labels(labels: ArrayLike, count: int, classes: int) -> NDArray[np.int64]:
    """``labels`` as int64[count] with values in 0 .. classes-1; InputError naming the first that is not."""
    array = _array(labels, "labels")
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
            "gives before its softmax, or the logarithms of the probabilities, which measure the same "
            "(ipmix.models.wrap(model, probabilities=True) takes them)"
        )


def kind_of_scores(scores: ArrayLike) -> Scores | None:
    """What a classifier's outputs [N, K] are, decided from all rows; None where it can't be told.

    Probabilities have no value below 0, and at least 99% of their rows sum to 1 within 2% (to 100 for percent): they
    may have been rounded. Rows of zeros (no answer) and rows with NaN say nothing. None: all values lie in [0, 1] but
    the rows don't sum to 1 (probabilities of many classes, rounded hard, or outputs of a sigmoid), or half of the rows
    do.
    """
    array = as_logits(scores)
    rows = array[np.isfinite(array).all(axis=1) & (array != 0.0).any(axis=1)].astype(np.float64)
    if not len(rows) or rows.min() < -1e-6:
        return "logits"
    sums = rows.sum(axis=1)
    shares = {1.0: float(np.mean(np.abs(sums - 1.0) <= 0.02)), 100.0: float(np.mean(np.abs(sums - 100.0) <= 2.0))}
    if shares[1.0] >= 0.99:
        return "probabilities"
    if shares[100.0] >= 0.99:
        return "percent"
    return None if rows.max() <= 1.0 or max(shares.values()) >= 0.5 else "logits"


def told_kind(scores: ArrayLike, what: str, advice: str) -> Scores:
    """:func:`kind_of_scores` of ``what``; InputError with ``advice`` where it can't be told."""
    found = kind_of_scores(scores)
    if found is None:
        raise InputError(
            f"whether {what} holds logits or probabilities can't be told (no value is below 0, and not all rows sum to "
            f"1 or 100): {advice}"
        )
    return found


def logits_of_probabilities(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Logits float64[N, K] with the softmax ``probabilities`` [N, K]: their logarithms, each row brought to the sum 1.

    Percent are taken as such where most rows sum to some 100. Rows of zeros and rows with NaN become NaN: no answer.

    Raises:
        InputError: a value is below 0, or rows sum neither to some 1 nor to some 100.
    """
    array = as_logits(probabilities).astype(np.float64)
    broken = ~np.isfinite(array).all(axis=1) | (array == 0.0).all(axis=1)
    if (~broken).any():
        rows = array[~broken]
        if rows.min() < -1e-6:
            raise InputError(f"probabilities are 0 or more, got {rows.min():.6g}; are these logits?")
        middle = float(np.median(rows.sum(axis=1)))
        if not (0.5 <= middle <= 1.5 or 50.0 <= middle <= 150.0):
            raise InputError(
                f"rows of probabilities sum to 1 (percent: to 100), these to {middle:.4g}; are they logits?"
            )
    array = np.maximum(array, 0.0)
    array[broken] = 1.0
    array /= array.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        array = np.log(array)
    array[broken] = np.nan
    return array


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


def ranked(logits: ArrayLike, count: int) -> NDArray[np.int64]:
    """The ``count`` likeliest classes of each row, the likeliest first, int64[N, count]; -1 for invalid rows."""
    array = as_logits(logits)
    order = np.argsort(-array, axis=1, kind="stable")[:, :count].astype(np.int64)
    order[invalid(array)] = -1
    return order


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
    confidence, correct = as_numbers(confidence, "confidence"), _array(correct, "correct")
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


def as_numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """``values`` as float64, of any shape; InputError for text, rows of several lengths and other things."""
    array = _array(values, name)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} must be numbers, got {array.dtype} of shape {list(array.shape)}")
    return array.astype(np.float64)


def _array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} can't be read as an array ({error})") from None


def refuse_nan(values: NDArray[np.floating], name: str) -> None:
    """InputError that counts and places the NaN values in a vector, if there are any."""
    broken = np.flatnonzero(np.isnan(values))
    if broken.size:
        raise InputError(
            f"{name} holds NaN for {broken.size} of {values.size} images, the first at index "
            f"{int(broken[0])}: the model gave no answer there, and an average without them would hide it"
        )
