"""Consistency: does the answer stay the same while an image changes a little from frame to frame?

Hendrycks and Dietterich (ICLR 2019), section 3.2: each image becomes a short sequence of gradual changes.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError

Reference = Literal["previous", "first"]


def reference_of(perturbation: str) -> Reference:
    """What a perturbation's frames are compared with: noise with the clean first frame, others in turn.

    Frames of a noise sequence are independent draws, so a neighbour is no better a reference than any other.
    """
    return "first" if "noise" in perturbation else "previous"


def flip_rate(predictions: ArrayLike, *, reference: Reference = "previous") -> float:
    """Flip probability of one perturbation: how often the predicted class changes, a fraction.

    Args:
        predictions: integers [N, T], the predicted class of each of T >= 2 frames of N sequences. The value
            -1 (no valid answer) counts as a flip against everything, itself included.
        reference: ``"previous"`` frame, or the ``"first"`` (see :func:`reference_of`).
    """
    return float(flips(predictions, reference=reference).mean())


def flips(predictions: ArrayLike, *, reference: Reference = "previous") -> NDArray[np.bool_]:
    """Where the answer differs from the reference: bool[N, T-1], entry t is about frame t+1."""
    frames = _frames(predictions)
    before = _before(frames, reference)
    changed: NDArray[np.bool_] = (frames[:, 1:] != before) | (frames[:, 1:] < 0) | (before < 0)
    return changed


def mean_flip_probability(rates: Mapping[str, float]) -> float:
    """Plain mean of the perturbations' flip rates, a fraction: what CIFAR tables print (times 100) as mFR."""
    _check_rates(rates)
    return float(np.mean(list(rates.values())))


def mean_flip_rate(rates: Mapping[str, float], baseline: Mapping[str, float]) -> float:
    """Mean over perturbations of rate / baseline's rate: ImageNet-P's mFR, where the baseline is AlexNet.

    No table of AlexNet's flip rates ships with this library, because none could be found in a primary source:
    measure a baseline model, or pass the table you compare with.
    """
    _check_rates(rates)
    missing = [name for name in rates if name not in baseline]
    if missing:
        raise InputError(f"the baseline has no flip rate for {', '.join(missing)}")
    for name in rates:
        if not 0.0 < baseline[name] <= 1.0:
            raise InputError(f"the baseline's flip rate for {name!r} must be in (0, 1], got {baseline[name]}")
    return float(np.mean([rates[name] / baseline[name] for name in rates]))


def top5_distances(order: ArrayLike, *, reference: Reference = "previous") -> NDArray[np.int64]:
    """How far the five best classes moved between frames: int64[N, T-1], 0 (same order) .. 15.

    With class c in place j of the reference frame and place s of this one, both cut at 6, c adds
    \\|j - s\\|, summed over the reference's five best (the definition's d, which ignores what happens below
    place five).

    Args:
        order: integers [N, T, K >= 5], each frame's classes from most to least likely. Only the first five
            of the frame compared are looked at, so K may be 5.
        reference: as for :func:`flip_rate`.
    """
    frames = np.asarray(order)
    if frames.ndim != 3 or frames.shape[1] < 2 or frames.shape[2] < 5:
        raise InputError(f"order must be [sequences, frames >= 2, classes >= 5], got shape {list(frames.shape)}")
    best = frames[:, :, :5]
    after = best[:, 1:]
    before = best[:, :-1] if reference == "previous" else np.broadcast_to(best[:, :1], after.shape)
    same = before[..., :, None] == after[..., None, :]
    place = np.where(same.any(axis=-1), same.argmax(axis=-1), 5)
    distance: NDArray[np.int64] = np.abs(place - np.arange(5)).sum(axis=-1)
    return distance


def top5_distance(order: ArrayLike, *, reference: Reference = "previous") -> float:
    """Mean of :func:`top5_distances`, unnormalised: 0 .. 15."""
    return float(top5_distances(order, reference=reference).mean())


def _frames(predictions: ArrayLike) -> NDArray[np.integer]:
    frames = np.asarray(predictions)
    if frames.ndim != 2 or frames.shape[0] < 1 or frames.shape[1] < 2:
        raise InputError(f"predictions must be [sequences, frames >= 2], got shape {list(frames.shape)}")
    if not np.issubdtype(frames.dtype, np.integer):
        raise InputError(f"predictions must be class indices (integers), got {frames.dtype}")
    return frames


def _before(frames: NDArray[np.integer], reference: str) -> NDArray[np.integer]:
    if reference == "previous":
        return frames[:, :-1]
    if reference == "first":
        return np.broadcast_to(frames[:, :1], frames[:, 1:].shape)
    raise InputError(f'reference must be "previous" or "first", got {reference!r}')


def _check_rates(rates: Mapping[str, float]) -> None:
    if not rates:
        raise InputError("there are no perturbations to average: rates is empty")
    for name, rate in rates.items():
        if not 0.0 <= rate <= 1.0:
            raise InputError(f"the flip rate of {name!r} must be a fraction in [0, 1], got {rate}")
