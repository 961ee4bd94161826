"""Measures of one's own: functions of the clean images' logits and labels, named ``module:Name``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.checking import described
from ipmix.core.errors import InputError, first_line
from ipmix.core.extensions import full_name, own
from ipmix.evaluation.checked_shard import CheckedShard
from ipmix.evaluation.conditions import CLEAN
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder

OwnMeasure = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]]
"""(logits float32[N, K], labels int64[N]) -> a number for each image, float64[N]; better when smaller."""


def own_measures(names: Iterable[str]) -> dict[str, OwnMeasure]:
    """The functions that ``module:Name``, or packages' entry points of the group ``ipmix.measures``, name: in full.

    Raises:
        InputError: a name that is neither, or names no function.
    """
    found: dict[str, OwnMeasure] = {}
    for given in names:
        name = full_name(given, "measure") if isinstance(given, str) else None
        if name is None:
            raise InputError(f"a measure of one's own is named module:Name, got {given!r}; the others need no naming")
        function = own(name, "measure")
        if not callable(function) or isinstance(function, type):
            raise InputError(f"{name} is no measure: expected a function (logits, labels) -> a number for each image")
        found[name] = function
    return found


def numbers_of(
    kept: PredictionFolder | PredictionFile, measures: Mapping[str, OwnMeasure]
) -> dict[str, tuple[NDArray[np.float64], ...]]:
    """Each measure's numbers for all images, a shard at a time; what :func:`ipmix.evaluation.figures.figure` takes.

    Raises:
        InputError: a function fails, or gives something else than a number for each image.
    """
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measures}
    for shard in map(CheckedShard, kept.shards() if measures else ()):
        found = shard.predictions(CLEAN)
        for name, function in measures.items():
            try:
                given = function(found.logits, found.labels)
            except (Exception, SystemExit) as error:  # somebody's code: whatever it raises
                raise InputError(
                    f"{name}(logits, labels) failed ({type(error).__name__}: {first_line(error)}); expected a function "
                    "that gives a number for each image"
                ) from error
            parts[name].append(_checked(name, given, len(found.labels)))
    return {name: (np.concatenate(arrays),) for name, arrays in parts.items() if arrays}


def _checked(name: str, given: Any, count: int) -> NDArray[np.float64]:
    numbers = given if isinstance(given, np.ndarray) else np.zeros(0)
    if numbers.shape != (count,) or not (np.issubdtype(numbers.dtype, np.number) or numbers.dtype == bool):
        raise InputError(f"{name} must give a number for each of {count} images, got {described(given)}")
    return numbers.astype(np.float64)
