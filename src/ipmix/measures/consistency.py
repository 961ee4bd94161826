"""Consistency: does the answer stay the same while an image changes a little from frame to frame?

Hendrycks and Dietterich (ICLR 2019), section 3.2: each image becomes a short sequence of gradual changes.
"""

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.checking import check_choice, shown
from ipmix.core.errors import InputError

Reference = Literal["previous", "first"]

_BOTH = (
    "gaussian_noise",
    "shot_noise",
    "motion_blur",
    "zoom_blur",
    "brightness",
    "translate",
    "rotate",
    "tilt",
    "scale",
)

BENCHMARKS = (frozenset({*_BOTH, "spatter"}), frozenset({*_BOTH, "snow"}))
"""The ten perturbations of CIFAR-10-P and those of ImageNet-P: over nothing else goes a mean flip probability (mFP)."""


def is_whole(perturbations: Collection[str], difficulty: int = 1) -> bool:
    """Whether these are the ten perturbations of a benchmark at difficulty 1, so that their mean has its name."""
    return frozenset(perturbations) in BENCHMARKS and difficulty == 1


def chosen_over(perturbations: Collection[str], difficulty: int = 1) -> str:
    """What a mean over some perturbations is called by: "over 3 perturbations", "..., difficulty 2"."""
    count = len(perturbations)
    told = f"over {count} perturbation{'' if count == 1 else 's'}"
    return told if difficulty == 1 else f"{told}, difficulty {difficulty}"


def reference_of(perturbation: str) -> Reference:
    """What a perturbation's frames are compared with: noise with the clean first frame, others in turn.

    Frames of a noise sequence are independent draws, so a neighbour is no better a reference than any other.
    """
    return "first" if "noise" in perturbation else "previous"


def flip_rate(predictions: ArrayLike, *, reference: Reference = "previous", difficulty: int = 1) -> float:
    """Flip probability of one perturbation: how often the predicted class changes, a fraction.

    Args:
        predictions: integers [N, T], the predicted class of each of T >= 2 frames of N sequences. The value
            -1 (no valid answer) counts as a flip against everything, itself included.
        reference: ``"previous"`` frame, or the ``"first"`` (see :func:`reference_of`).
        difficulty: how many frames back the previous one lies, below T. Sequences are those of difficulty 1. As in
            the public evaluation, which takes every ``difficulty``-th frame from each of the first ``difficulty``
            frames and averages over all these comparisons. With the reference ``"first"`` it must be 1: for noise a
            higher difficulty is more noise, in sequences of their own (see :func:`ipmix.corruptions.perturb`).

    Raises:
        InputError: another shape or type, or a difficulty that does not fit.
    """
    return float(flips(predictions, reference=reference, difficulty=difficulty).mean())


def flips(predictions: ArrayLike, *, reference: Reference = "previous", difficulty: int = 1) -> NDArray[np.bool_]:
    """Where the answer differs from the reference: bool[N, T - difficulty], entry t is about frame t + difficulty.

    Arguments as for :func:`flip_rate`.
    """
    frames = _frames(predictions)
    before = _before(frames, reference, difficulty)
    after = frames[:, difficulty:]
    changed: NDArray[np.bool_] = (after != before) | (after < 0) | (before < 0)
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
    if not isinstance(baseline, Mapping):
        raise InputError(f"a baseline must be a dict of perturbation to flip rate, got {shown(baseline)}")
    missing = [name for name in rates if name not in baseline]
    if missing:
        raise InputError(f"the baseline has no flip rate for {', '.join(missing)}")
    for name in rates:
        if not isinstance(baseline[name], (int, float, np.number)) or not 0.0 < baseline[name] <= 1.0:
            raise InputError(f"the baseline's flip rate for {name!r} must be in (0, 1], got {baseline[name]}")
    return float(np.mean([rates[name] / baseline[name] for name in rates]))


FARTHEST = 18
"""The largest distance: the first four of five classes leave and the last becomes the first, 5 + 4 + 3 + 2 + 4.

Where all five leave it is 15."""


def top5_distances(order: ArrayLike, *, reference: Reference = "previous", difficulty: int = 1) -> NDArray[np.int64]:
    """How far the five best classes moved between frames: int64[N, T - difficulty], 0 (same order) .. 18.

    With class c in place j of the reference frame and place s of this one, both cut at 6, c adds
    \\|j - s\\|, summed over the reference's five best (the definition's d, which ignores what happens below
    place five).

    Args:
        order: integers [N, T, K >= 5], each frame's classes from most to least likely. Only the first five
            of the frame compared are looked at, so K may be 5. -1 stands for no valid answer: such a frame is as far
            as can be (:data:`FARTHEST`) from every other, itself included.
        reference, difficulty: as for :func:`flip_rate`.
    """
    frames = _integers(order, "order")
    if frames.ndim != 3 or frames.shape[1] < 2 or frames.shape[2] < 5:
        raise InputError(f"order must be [sequences, frames >= 2, classes >= 5], got shape {list(frames.shape)}")
    best = frames[:, :, :5]
    before, after = _before(best, reference, difficulty), best[:, difficulty:]
    same = (before[..., :, None] == after[..., None, :]) & (before >= 0)[..., :, None]
    place = np.where(same.any(axis=-1), same.argmax(axis=-1), 5)
    distance: NDArray[np.int64] = np.abs(place - np.arange(5)).sum(axis=-1)
    distance[(before < 0).any(axis=-1) | (after < 0).any(axis=-1)] = FARTHEST
    return distance


def top5_distance(order: ArrayLike, *, reference: Reference = "previous", difficulty: int = 1) -> float:
    """Mean of :func:`top5_distances`, unnormalised: 0 .. 18."""
    return float(top5_distances(order, reference=reference, difficulty=difficulty).mean())


def _frames(predictions: ArrayLike) -> NDArray[np.integer]:
    frames = _integers(predictions, "predictions")
    if frames.ndim != 2 or frames.shape[0] < 1 or frames.shape[1] < 2:
        raise InputError(f"predictions must be [sequences, frames >= 2], got shape {list(frames.shape)}")
    return frames


def _integers(values: ArrayLike, name: str) -> NDArray[np.integer]:
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of several lengths
        raise InputError(f"{name} must be one array of class indices ({error})") from None
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} must be class indices (integers), got {array.dtype}")
    return array


def _before(frames: NDArray[np.integer], reference: str, difficulty: int) -> NDArray[np.integer]:
    """What frames ``difficulty`` .. T-1 are compared with; [N, T, ...] -> [N, T - difficulty, ...]."""
    check_choice("reference", reference, ("previous", "first"))
    if not (isinstance(difficulty, (int, np.integer)) and 1 <= difficulty < frames.shape[1]):
        raise InputError(f"difficulty must be in 1 .. {frames.shape[1] - 1}, below the frames, got {difficulty!r}")
    if reference == "previous":
        return frames[:, :-difficulty]
    if difficulty != 1:
        raise InputError(
            f'with the reference "first" difficulty must be 1, got {difficulty}: a higher one is more noise, in '
            "sequences that perturb(..., difficulty=) makes"
        )
    return np.broadcast_to(frames[:, :1], frames[:, 1:].shape)


def _check_rates(rates: Mapping[str, float]) -> None:
    if not isinstance(rates, Mapping) or not rates:
        raise InputError("there are no perturbations to average: rates is empty, or no dict of name to rate")
    for name, rate in rates.items():
        if not isinstance(rate, (int, float, np.number)) or not 0.0 <= rate <= 1.0:
            raise InputError(f"the flip rate of {name!r} must be a fraction in [0, 1], got {rate}")
