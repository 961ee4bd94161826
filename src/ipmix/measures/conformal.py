"""Split-conformal prediction sets: instead of one class, as few as hold the label with a promised probability.

Sadinle, Lei and Wasserman (JASA, 2019): on held-out images the threshold is found that 90% of the labels'
probabilities reach; a set holds all classes that reach it. The promise holds for images of the same kind as the
held-out ones. Under corruption it is broken, and the measured coverage says by how much.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_labels, as_logits, softmax


def threshold(logits: ArrayLike, labels: ArrayLike, *, coverage: float = 0.9) -> float:
    """The probability that a class must reach to be in a set, from held-out images.

    The ceil((N + 1) coverage)-th largest of the N labels' probabilities, so that a further image's label is in its
    set with a probability of at least ``coverage``; 0 (every class) where N is too small to promise it.

    Args:
        logits: floating [N, K]; a row without an answer counts as a label of probability 0.
        labels: integers [N] in 0 .. K-1.
        coverage: between 0 and 1.
    """
    return threshold_of(label_probabilities(logits, labels), coverage=coverage)


def threshold_of(probabilities: ArrayLike, *, coverage: float = 0.9) -> float:
    """:func:`threshold` from the probabilities [N] that were given to the labels."""
    if not 0.0 < coverage < 1.0:
        raise InputError(f"coverage must be between 0 and 1, got {coverage}")
    values = np.sort(np.asarray(probabilities, np.float64))[::-1]
    if values.ndim != 1 or not values.size or np.isnan(values).any():
        raise InputError("a threshold needs the probabilities of at least one label, without NaN")
    # 19 * 0.9 is a little more than 17.1 in floating point, and 10 * 0.9 must be 9.
    place = math.ceil((values.size + 1) * coverage - 1e-9)
    return 0.0 if place > values.size else float(values[place - 1])


def label_probabilities(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """The probability that each label was given, float64[N]; 0 for rows without an answer."""
    array = as_logits(logits)
    classes = as_labels(labels, *array.shape)
    return np.nan_to_num(softmax(array)[np.arange(len(classes)), classes], nan=0.0)


def sets(logits: ArrayLike, labels: ArrayLike, reached: float) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each label is in its set, bool[N], and how many classes the set holds, int64[N].

    Args:
        logits: floating [N, K]; a row without an answer has an empty set.
        labels: integers [N] in 0 .. K-1.
        reached: from :func:`threshold`.
    """
    array = as_logits(logits)
    classes = as_labels(labels, *array.shape)
    inside = softmax(array) >= reached  # NaN reaches nothing
    return inside[np.arange(len(classes)), classes], inside.sum(axis=1)
