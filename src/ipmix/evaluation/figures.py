"""A figure of the scorecard: its value, its interval, its noise floor, how many images stand behind it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ipmix.core.checking import check_count
from ipmix.core.errors import InputError
from ipmix.measures import bootstrap, proportions
from ipmix.measures.noise_floor import noise_floor
from ipmix.measures.table import Measure, mean

Arguments = tuple[NDArray[Any], ...] | InputError
"""What a measure's function is given, the images along each array's first axis; or why it can't be given that."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How 95% intervals are found: the bootstrap's seed, and how often images are drawn; 0 for no intervals."""

    seed: int
    samples: int

    def __post_init__(self) -> None:
        check_count("seed", self.seed, 0, 2**63 - 1)
        check_count("samples", self.samples, 0, bootstrap.MOST_SAMPLES)
        if 0 < self.samples < 20:
            raise InputError(f"an interval needs at least 20 samples (0 for no intervals), got {self.samples}")

    def of_mean(self, values: NDArray[Any], bounds: tuple[float, float] | None = (0.0, 1.0)) -> list[float] | None:
        """The interval of the mean of one number an image: exact for errors, never a point; None if there is none."""
        if not self.samples or not len(values):
            return None
        if bounds is not None:
            return list(proportions.mean_interval(values, seed=self.seed, samples=self.samples, bounds=bounds))
        if len(values) < 2:
            return None
        return _no_point(bootstrap.mean_interval(values, seed=self.seed, samples=self.samples))


def figure(measure: Measure, arguments: Arguments, intervals: Intervals, *, binned: bool = False) -> dict[str, Any]:
    """The scorecard's entry for a measure: value, interval, number of images; without a value, the reason.

    Args:
        measure: how it is computed.
        arguments: what its function is given.
        intervals: how its interval is found.
        binned: give the noise floor too, and whether the value clears it.
    """
    if isinstance(arguments, InputError):
        return _no_figure(arguments)
    try:
        value = measure.function(*arguments)
    except InputError as error:
        return _no_figure(error)
    count = len(arguments[0])
    found: dict[str, Any] = {
        "value": value,
        "interval": _interval(measure, arguments, intervals),
        "pictures": count,
        "reason": None,
    }
    if binned:
        floor = noise_floor(measure.function, arguments[0])
        found["floor"] = {"mean": floor.mean, "high": floor.high, "cleared": bool(value > floor.high)}
    return found


def _interval(measure: Measure, arguments: tuple[NDArray[Any], ...], intervals: Intervals) -> list[float] | None:
    count = len(arguments[0])
    if measure.interval == "none" or not intervals.samples:
        return None
    if measure.function is mean:
        return intervals.of_mean(arguments[0], measure.bounds)
    if count < 2:
        return None
    groups = None
    if "anomalies" in measure.needs:  # known images come first, and are drawn apart from unknown ones
        unknown = int(arguments[1].sum())
        groups = [count - unknown, unknown]
    return _no_point(
        bootstrap.interval(
            lambda drawn: measure.function(*(array[drawn] for array in arguments)),
            count,
            seed=intervals.seed,
            samples=intervals.samples,
            groups=groups,
            centred=measure.interval == "centred",
        )
    )


def _no_point(interval: tuple[float, float]) -> list[float] | None:
    """None where resampling doesn't move the figure: that is no certainty, but says nothing."""
    return None if interval[0] == interval[1] else list(interval)


def _no_figure(reason: InputError) -> dict[str, Any]:
    return {"value": None, "interval": None, "pictures": 0, "reason": str(reason)}
