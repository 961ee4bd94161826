"""Half of the images held out, to fit on: the temperature, and the threshold of conformal sets; figures on the rest.

Which half an image is in depends on its place in the data alone, so that two runs on the same data have the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.evaluation.figures import Intervals
from ipmix.evaluation.predictions import Predictions
from ipmix.measures import calibration, conformal, outputs, temperature
from ipmix.measures.noise_floor import noise_floor

COVERAGE = 0.9
LEAST = 20
"""Images that each half needs at least."""

MOST_FITTED = 5000
"""A temperature is one number: more images than that move it less than it can be shown."""

_SALT = 0x68616C66  # "half"


def fitting(indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images are held out to fit on, bool[n]: by a draw that depends on their place alone."""
    # splitmix64: every bit of the place moves every bit of the result.
    mixed = (indices.astype(np.uint64) + np.uint64(_SALT)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    chosen: NDArray[np.bool_] = (mixed ^ (mixed >> np.uint64(31))) % np.uint64(2) == 0
    return chosen


@dataclass(frozen=True)
class HeldOut:
    """What was fitted on the held-out half.

    Attributes:
        temperature: all logits divided by it have the least log loss.
        reached: the probability that a class must reach to be in a conformal set.
        images: how many images were fitted on.
    """

    temperature: float
    reached: float
    images: int


def fit(clean: Iterable[tuple[Predictions, NDArray[np.int64]]]) -> HeldOut | InputError:
    """Fit on the held-out half of clean predictions, given a shard at a time with the images' places.

    Returns:
        What was found; an InputError (not raised) that says why nothing could be.
    """
    logits: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    probabilities: list[NDArray[np.float64]] = []
    kept = total = 0
    for found, places in clean:
        chosen = fitting(places)
        total += len(places)
        mine = Predictions(found.logits[chosen], found.labels[chosen])
        if not len(mine.labels):
            continue
        probabilities.append(conformal.label_probabilities(mine.logits, mine.labels))
        sound = np.flatnonzero(~outputs.invalid(mine.logits))[: MOST_FITTED - kept]
        logits.append(mine.logits[sound])
        labels.append(mine.labels[sound])
        kept += len(sound)
    count = sum(map(len, probabilities))
    if min(count, total - count, kept) < LEAST:
        return InputError(f"half of the images is held out to fit on, at least {LEAST}; there are {total} in all")
    return HeldOut(
        temperature.fit_temperature(np.concatenate(logits), np.concatenate(labels)),
        conformal.threshold_of(np.concatenate(probabilities), coverage=COVERAGE),
        count,
    )


def temperature_entry(
    held: HeldOut | InputError,
    before: tuple[NDArray[np.float64], NDArray[np.float64]],
    after: tuple[NDArray[np.float64], NDArray[np.float64]],
    correct: NDArray[np.bool_],
    indices: NDArray[np.int64],
) -> dict[str, Any]:
    """The scorecard's entry: calibration before and after scaling, both on the half that was not fitted on.

    Args:
        held: what was fitted.
        before, after: confidence float64[N] and log loss float64[N] of all images, as they are and scaled.
        correct: bool[N].
        indices: int64[N], each image's place.
    """
    if isinstance(held, InputError):
        return {"reason": str(held)}
    measured = ~fitting(indices)
    entry: dict[str, Any] = {
        "temperature": held.temperature, "fitted_on": held.images, "pictures": int(measured.sum()),
    }  # fmt: skip
    for name, (confidence, loss) in (("before", before), ("after", after)):
        pair = confidence[measured], correct[measured]
        if np.isnan(pair[0]).any():
            return {"reason": f"{int(np.isnan(pair[0]).sum())} images have no answer (NaN or infinite logits)"}
        errors: dict[str, Callable[..., float]] = {"expected_calibration_error": calibration.expected_calibration_error}
        if len(pair[0]) >= 100:
            errors["rms_calibration_error"] = calibration.rms_calibration_error
        entry[name] = {}
        for key, function in errors.items():
            floor = noise_floor(function, pair[0])
            value = function(*pair)
            entry[name][key] = {
                "value": value,
                "floor": {"mean": floor.mean, "high": floor.high, "cleared": value > floor.high},
            }
        mean_loss = float(loss[measured].mean())
        entry[name]["negative_log_likelihood"] = {"value": mean_loss if np.isfinite(mean_loss) else None}
    return entry


def conformal_entry(
    held: HeldOut | InputError,
    conditions: dict[str, list[tuple[NDArray[np.bool_], NDArray[np.int64]]]],
    indices: NDArray[np.int64],
    intervals: Intervals,
) -> dict[str, Any]:
    """The scorecard's entry: coverage and mean size of the sets, on the half that was not fitted on.

    Args:
        held: what was fitted.
        conditions: "clean", and each severity -> for each condition of it whether the label is in each image's set,
            bool[N], and the sets' sizes, int64[N].
        indices: int64[N], each image's place.
        intervals: how intervals are found.
    """
    if isinstance(held, InputError):
        return {"reason": str(held)}
    measured = ~fitting(indices)
    entry: dict[str, Any] = {
        "level": COVERAGE, "threshold": held.reached, "fitted_on": held.images, "pictures": int(measured.sum()),
        "conditions": {},
    }  # fmt: skip
    for name, found in conditions.items():
        inside = np.mean([covered[measured] for covered, _ in found], axis=0)
        sizes = np.mean([size[measured] for _, size in found], axis=0)
        entry["conditions"][name] = {
            "coverage": float(inside.mean()),
            "interval": intervals.of_mean(inside),
            "size": float(sizes.mean()),
            "size_interval": intervals.of_mean(sizes, None),
        }
    return entry
