"""Classification error: how often the label is not among the ``top`` most likely classes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_labels, as_logits, invalid


def correct(logits: ArrayLike, labels: ArrayLike, *, top: int = 1) -> NDArray[np.bool_]:
    """Whether each label is among the ``top`` largest logits.

    Args:
        logits: floating [N, K].
        labels: integers [N] in 0 .. K-1.
        top: how many classes the model may name, 1 .. K.

    Returns:
        bool[N]. Of equal logits the class with the lower index goes first (as ``argmax`` has it, so a model
        that says nothing gets no credit for ties). A row with NaN or +infinity is wrong: no answer.
    """
    array = as_logits(logits)
    labels = as_labels(labels, *array.shape)
    if not 1 <= top <= array.shape[1]:
        raise InputError(f"top must be 1..{array.shape[1]} (the number of classes), got {top}")
    own = array[np.arange(labels.size), labels][:, None]
    ahead = (array > own).sum(axis=1)
    ahead += ((array == own) & (np.arange(array.shape[1]) < labels[:, None])).sum(axis=1)
    found: NDArray[np.bool_] = (ahead < top) & ~invalid(array)
    return found


def error(logits: ArrayLike, labels: ArrayLike, *, top: int = 1) -> float:
    """The fraction of images that are not :func:`correct`, in [0, 1]. At least one image."""
    found = correct(logits, labels, top=top)
    if not found.size:
        raise InputError("there are no images to measure: logits has 0 rows")
    return float(1.0 - found.mean())
