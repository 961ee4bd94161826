"""The floor of a binned calibration error: what a perfectly calibrated model would score on so few images.

Bins hold some images each, and right and wrong answers fall by chance: even where every confidence is true, accuracy
and confidence differ in each bin. The floor is found by answering each image correctly with just the probability
that the model gives it, many times.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.checking import check_count
from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_confidence_and_correct

SIMULATIONS = 200
"""How often the answers are drawn: the mean is then certain to some 5% of the floor's spread."""


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """What a perfectly calibrated model with the same confidences scores.

    Attributes:
        mean: on average.
        high: in 95 of 100 cases at most so much: a figure above it is no accident of the bins.
    """

    mean: float
    high: float


def noise_floor(
    function: Callable[[NDArray[np.float64], NDArray[np.bool_]], float],
    confidence: ArrayLike,
    *,
    simulations: int = SIMULATIONS,
    seed: int | None = None,
) -> NoiseFloor:
    """The floor of a calibration error for these confidences.

    Args:
        function: from confidence float64[N] and correct bool[N] to the figure, such as
            :func:`ipmix.measures.calibration.expected_calibration_error`.
        confidence: float [N] in [0, 1].
        simulations: how often answers are drawn, at least 20.
        seed: of the draws; by default it is made of the confidences, so that the same predictions have the same floor.
    """
    values = np.asarray(confidence)
    values, _ = as_confidence_and_correct(values, np.zeros(values.shape, bool))
    check_count("simulations", simulations, 1)
    if simulations < 20:
        raise InputError(f"a noise floor needs at least 20 simulations, got {simulations}")
    if seed is None:
        seed = int.from_bytes(hashlib.sha256(values.tobytes()).digest()[:8], "little")
    generator = np.random.Generator(np.random.Philox(key=seed))
    found = [function(values, generator.random(values.size) < values) for _ in range(simulations)]
    return NoiseFloor(float(np.mean(found)), float(np.quantile(found, 0.95)))
