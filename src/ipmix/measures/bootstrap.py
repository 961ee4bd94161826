"""Bootstrap confidence intervals: how far a figure would move with other images of the same kind.

The percentile method (Efron, 1979): draw as many images with replacement, measure again, many times. It
speaks of the test images only, not of another training run.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.bounds import SHAPE_MOST
from ipmix.core.checking import check_count, check_indices, check_share, check_switch, shown
from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_numbers

MOST_SAMPLES = 100_000
"""The most resamples for an interval: more move its ends less than they can be shown, and take hours."""

_SALT = 0x626F6F74  # "boot": keeps these draws apart from every other use of the same seed


def interval(
    statistic: Callable[[NDArray[np.intp]], float],
    count: int,
    *,
    seed: int,
    level: float = 0.95,
    samples: int = 1000,
    groups: Sequence[int] | None = None,
    centred: bool = False,
) -> tuple[float, float]:
    """The central ``level`` of ``statistic`` over resampled images: (low, high).

    Args:
        statistic: given the indices of the drawn images (intp[count]), returns the figure. Images that
            belong together (all frames or corruptions of one photo) are drawn together by indexing them all.
        count: how many images there are, at least 2.
        seed: the same seed gives the same interval; a non-negative integer.
        level: between 0 and 1.
        samples: how often to draw.
        groups: sizes of consecutive groups that are drawn from one by one and keep their sizes (known and
            anomalous images, say), summing to ``count``; one group by default.
        centred: take away what resampling by itself adds in the mean, but nothing below 0. For errors that are
            gathered in bins: an image drawn twice agrees with itself, so that every bin looks further off.
    """
    _check(count, level, samples, seed)
    if not callable(statistic):
        raise InputError(f"statistic must be a function of the drawn images' places, got {shown(statistic)}")
    check_switch("centred", centred)
    sizes = [count] if groups is None else check_indices(groups, "groups").tolist()
    if sum(sizes) != count or min(sizes, default=0) < 1:
        raise InputError(f"groups must be sizes of at least 1 that sum to {count}, got {sizes}")
    generator = np.random.Generator(np.random.Philox(key=[seed, _SALT]))
    starts = np.cumsum([0, *sizes[:-1]])

    def draw() -> NDArray[np.intp]:
        return np.concatenate([begin + generator.integers(0, n, size=n) for begin, n in zip(starts, sizes)])

    figures = np.array([statistic(draw()) for _ in range(samples)], dtype=np.float64)
    if centred:
        figures = np.maximum(figures - (figures.mean() - statistic(np.arange(count))), 0.0)
    return _central(figures, level)


def mean_interval(values: ArrayLike, *, seed: int, level: float = 0.95, samples: int = 1000) -> tuple[float, float]:
    """:func:`interval` for the mean of one number per image, ``values`` [N]: errors, flips, losses."""
    numbers = as_numbers(values, "values")
    if numbers.ndim != 1:
        raise InputError(f"values must be one number per image, got shape {list(numbers.shape)}")
    if np.isnan(numbers).any():
        raise InputError(f"values hold {int(np.isnan(numbers).sum())} NaN; a mean of them means nothing")
    return interval(lambda drawn: float(numbers[drawn].mean()), numbers.size, seed=seed, level=level, samples=samples)


def _check(count: int, level: float, samples: int, seed: int) -> None:
    check_count("seed", seed, 0, 2**63 - 1)
    check_count("samples", samples, 0, MOST_SAMPLES)
    check_count("count (the images that an interval needs)", count, 2, SHAPE_MOST["N"])
    check_share("level", level, least=False, most=False)
    if samples < 20:
        raise InputError(f"an interval needs at least 20 samples, got {samples}")


def _central(figures: NDArray[np.float64], level: float) -> tuple[float, float]:
    if np.isnan(figures).any():
        raise InputError("the measure gave NaN on a resample; it can't be bootstrapped as it is")
    low, high = np.quantile(figures, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)
