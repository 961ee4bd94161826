"""A figure of the scorecard: its value, its bootstrap interval, how many images stand behind it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.measures import bootstrap
from ipmix.measures.table import Measure

Arguments = tuple[NDArray[Any], ...] | InputError
"""What a measure's function is given, the images along each array's first axis; or why it can't be given that."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How 95% intervals are found: the bootstrap's seed, and how often images are drawn; 0 for no intervals."""

    seed: int
    samples: int


def figure(measure: Measure, arguments: Arguments, intervals: Intervals) -> dict[str, Any]:
    """The scorecard's entry for a measure: value, interval, number of images; without a value, the reason."""
    if isinstance(arguments, InputError):
        return _no_figure(arguments)
    try:
        value = measure.function(*arguments)
    except InputError as error:
        return _no_figure(error)
    count = len(arguments[0])
    return {"value": value, "interval": _interval(measure, arguments, intervals), "pictures": count, "reason": None}


def _interval(measure: Measure, arguments: tuple[NDArray[Any], ...], intervals: Intervals) -> list[float] | None:
    count = len(arguments[0])
    if measure.interval == "none" or not intervals.samples or count < 2:
        return None
    groups = None
    if "anomalies" in measure.needs:  # known images come first, and are drawn apart from unknown ones
        unknown = int(arguments[1].sum())
        groups = [count - unknown, unknown]
    return list(
        bootstrap.interval(
            lambda drawn: measure.function(*(array[drawn] for array in arguments)),
            count,
            seed=intervals.seed,
            samples=intervals.samples,
            groups=groups,
            centred=measure.interval == "centred",
        )
    )


def _no_figure(reason: InputError) -> dict[str, Any]:
    return {"value": None, "interval": None, "pictures": 0, "reason": str(reason)}
