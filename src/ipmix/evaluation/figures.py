"""A figure of the scorecard: its value, its bootstrap interval, how many images stand behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.measures import bootstrap


@dataclass(frozen=True, slots=True)
class Intervals:
    seed: int
    samples: int

    def of(
        self,
        statistic: Callable[[NDArray[np.intp]], float],
        count: int,
        groups: Sequence[int] | None = None,
        centred: bool = False,
    ) -> list[float] | None:
        if not self.samples or count < 2:
            return None
        options = {"seed": self.seed, "samples": self.samples}
        return list(bootstrap.interval(statistic, count, **options, groups=groups, centred=centred))


def mean_figure(values: NDArray[Any], interval: Intervals) -> dict[str, Any]:
    """A figure that is a mean over images."""
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        return no_figure(f"{int((~np.isfinite(numbers)).sum())} of {numbers.size} images have no finite value")
    return figure(
        float(numbers.mean()),
        interval.of(lambda drawn: float(numbers[drawn].mean()), numbers.size),
        numbers.size,
    )


def figure(value: float, interval: list[float] | None, images: int) -> dict[str, Any]:
    return {"value": value, "interval": interval, "pictures": images, "reason": None}


def no_figure(reason: str) -> dict[str, Any]:
    return {"value": None, "interval": None, "pictures": 0, "reason": reason}


def pair_figure(
    measure: Callable[[NDArray[Any], NDArray[Any]], float],
    sure: NDArray[np.float64],
    correct: NDArray[np.bool_],
    interval: Intervals,
    centred: bool,
) -> dict[str, Any]:
    try:
        value = measure(sure, correct)
    except InputError as error:
        return no_figure(str(error))
    bounds = interval.of(lambda drawn: measure(sure[drawn], correct[drawn]), sure.size, centred=centred)
    return figure(value, bounds, sure.size)


def resampled(
    measure: Callable[[NDArray[Any], NDArray[Any]], float],
    values: NDArray[Any],
    against: NDArray[Any],
    drawn: NDArray[np.intp],
) -> float:
    return measure(values[drawn], against[drawn])
