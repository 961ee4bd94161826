"""Two runs on the same images: the difference of a measure, its paired interval, and whether it is decided.

Both runs' outcomes are drawn together, image by image: what makes an image hard for both cancels out, so that a
difference can be certain where the two intervals overlap. The test swaps the runs' outcomes on random images (a
permutation test; for errors it is McNemar's); several tests at once are corrected by Holm (1979).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.measures import bootstrap
from ipmix.measures.proportions import FEW

Arguments = tuple[NDArray[Any], ...]
"""What a measure's function is given, the images along each array's first axis."""


@dataclass(frozen=True, eq=False)
class PerImage:
    """What stands behind a run's figures, image by image: needed to compare it with another.

    Attributes:
        arguments: measure -> what its function is given, the images along each array's first axis.
        indices: int64[N], each image's place in the data.
        labels: int64[N].
    """

    arguments: Mapping[str, Arguments]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]

    def same_images(self, other: "PerImage") -> bool:
        """Whether the other is about the same places of the data, with the same labels."""
        return np.array_equal(self.indices, other.indices) and np.array_equal(self.labels, other.labels)


_SALT = 0x73776170  # "swap": keeps these draws apart from the bootstrap's


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the second run's figure lies above the first's.

    Attributes:
        value: second minus first, in the measure's own unit.
        interval: (low, high), paired; None where resampling does not move the difference and it has no bounds.
        p: how often a difference of this size arises when it doesn't matter which run an outcome is of, in (0, 1].
    """

    value: float
    interval: tuple[float, float] | None
    p: float


def difference_of_means(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    seed: int,
    level: float = 0.95,
    samples: int = 1000,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Difference:
    """The difference of the means of one number per image, ``first`` and ``second`` [N], of the same N images.

    The interval is the bootstrap's over images. Where fewer than 15 images differ between the runs (all answers alike,
    say) it is widened to that of Agresti and Min (Statistics in Medicine, 2005): two images are added on which the
    runs differ by half of the range in turn, so that no difference of 0 is certain.

    Args:
        first, second: finite numbers within ``bounds``.
        seed, level, samples: as for :func:`ipmix.measures.bootstrap.interval`.
        bounds: the least and the largest number that an image can have; None if there are none.
    """
    changes = _changes(first, second)
    count, found = len(changes), None
    if np.ptp(changes) > 0.0:
        found = bootstrap.mean_interval(changes, seed=seed, level=level, samples=samples)
    if bounds is not None and (found is None or int((changes != 0.0).sum()) < FEW):
        wide = _agresti_min(changes, bounds[1] - bounds[0], level)
        found = wide if found is None else (min(found[0], wide[0]), max(found[1], wide[1]))
    value = float(changes.mean())
    return Difference(value, found, _sign_test(changes, value, seed, max(samples, 20) * 2) if count else 1.0)


def difference(
    function: Callable[..., float],
    first: Arguments,
    second: Arguments,
    *,
    seed: int,
    level: float = 0.95,
    samples: int = 1000,
    groups: Sequence[int] | None = None,
) -> Difference:
    """The difference of any measure: ``function(*second) - function(*first)``.

    Args:
        function: the measure.
        first, second: what it is given of each run; the i-th rows are about the same image.
        seed, level, samples, groups: as for :func:`ipmix.measures.bootstrap.interval`.
    """
    count = len(first[0])
    if count != len(second[0]):
        raise InputError(f"paired runs are about the same images, got {count} and {len(second[0])}")

    def change(one: Arguments, other: Arguments) -> float:
        return float(function(*other)) - float(function(*one))

    value = change(first, second)
    interval = bootstrap.interval(
        lambda drawn: change(tuple(a[drawn] for a in first), tuple(a[drawn] for a in second)),
        count, seed=seed, level=level, samples=samples, groups=groups,
    )  # fmt: skip
    generator = np.random.Generator(np.random.Philox(key=[seed, _SALT]))
    beyond = 0
    for _ in range(samples):
        swapped = generator.random(count) < 0.5
        beyond += abs(change(_mixed(first, second, swapped), _mixed(second, first, swapped))) >= abs(value) - 1e-12
    found = None if interval[0] == interval[1] else interval
    return Difference(value, found, (1 + beyond) / (1 + samples))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: below 0.05 together, at most one in twenty such families holds a false one."""
    order = np.argsort(p, kind="stable")
    adjusted, highest = [1.0] * len(p), 0.0
    for rank, place in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def _changes(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape or one.ndim != 1 or len(one) < 2:
        raise InputError(
            "paired runs are about the same images, at least 2, one number an image, got "
            f"{list(one.shape)} and {list(other.shape)}"
        )
    changes: NDArray[np.float64] = other - one
    if not np.isfinite(changes).all():
        raise InputError(f"{int((~np.isfinite(changes)).sum())} of {len(changes)} images have no finite value")
    return changes


def _agresti_min(changes: NDArray[np.float64], reach: float, level: float) -> tuple[float, float]:
    """Wald's interval with half an image at each end of the range, and one in the middle, added."""
    count = len(changes) + 2
    mean = float(changes.sum()) / count
    variance = (float((changes**2).sum()) + reach**2) / count - mean**2
    half = NormalDist().inv_cdf((1.0 + level) / 2.0) * float(np.sqrt(variance / count))
    return max(-reach, mean - half), min(reach, mean + half)


def _sign_test(changes: NDArray[np.float64], value: float, seed: int, draws: int) -> float:
    """How often the mean is as far from 0 when each image's change has a random sign."""
    moved = changes[changes != 0.0]
    if not len(moved):
        return 1.0
    generator = np.random.Generator(np.random.Philox(key=[seed, _SALT]))
    beyond, total = 0, abs(value) * len(changes) * (1.0 - 1e-9)
    if np.ptp(np.abs(moved)) == 0.0:  # all alike (errors): the sum counts heads
        sums = (2 * generator.binomial(len(moved), 0.5, size=draws) - len(moved)) * abs(moved[0])
        beyond = int((np.abs(sums) >= total).sum())
    else:
        step = max(1, 2_000_000 // len(moved))
        for start in range(0, draws, step):
            signs = generator.integers(0, 2, size=(min(step, draws - start), len(moved)), dtype=np.int8) * 2 - 1
            beyond += int((np.abs(signs @ moved) >= total).sum())
    return (1 + beyond) / (1 + draws)


def _mixed(one: Arguments, other: Arguments, swapped: NDArray[np.bool_]) -> Arguments:
    return tuple(np.where(swapped.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in zip(one, other, strict=True))
