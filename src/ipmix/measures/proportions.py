"""Intervals of proportions: exact ones of a count, and of means over conditions that never shrink to a point.

A count of independent images has the interval of Clopper and Pearson (Biometrika, 1934): no figure of 0% or 100% is
certain, 20 wrong of 20 say 83.2% to 100%. A mean over several conditions on the same images is no count; it keeps
the bootstrap over images (:mod:`ipmix.measures.bootstrap`) wherever enough images say something.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError
from ipmix.measures import bootstrap
from ipmix.measures.outputs import as_numbers

FEW = 15
"""Below so many images that depart from the end of the range, resampling alone is too sure."""


def interval(count: float, total: float, *, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a proportion, ``count`` of ``total``: (low, high), fractions.

    Args:
        count: how many of them; 0 .. total. It need not be whole: the sum of shares in [0, 1], one an image, varies
            less than a count of the same size, so that its interval is wide enough.
        total: how many images, above 0.
        level: between 0 and 1.

    Raises:
        InputError: a number outside its range.
    """
    if not (math.isfinite(total) and total > 0 and 0 <= count <= total):
        raise InputError(f"a proportion is a count in 0 .. total of a total above 0, got {count} of {total}")
    if not 0.0 < level < 1.0:
        raise InputError(f"level must be between 0 and 1, got {level}")
    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else _beta_quantile(tail, count, total - count + 1.0)
    high = 1.0 if count == total else _beta_quantile(1.0 - tail, count + 1.0, total - count)
    return low, high


def mean_interval(
    values: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    samples: int = 1000,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[float, float]:
    """The interval of the mean of one bounded number per image; never a point.

    - All values at one end of ``bounds`` or the other (right or wrong): the exact :func:`interval` of the count. The
      same where all values are equal, from which nothing can be resampled.
    - Else the bootstrap's over images. Where fewer than :data:`FEW` images depart from the lower end, or from the
      upper one, it is widened to the exact interval of the pooled count (the sum of the values, in units of the
      range, of so many images): at 0% of 60 images it says 0 to 6.0%, with one image wrong under 1 of 20
      conditions 0 to 6.1%.

    Args:
        values: float [N], within ``bounds``: the share of conditions under which an image is answered wrongly, say.
        seed, level, samples: as for :func:`ipmix.measures.bootstrap.interval`.
        bounds: the least and the largest value that an image can have.
    """
    numbers = as_numbers(values, "values")
    low, high = bounds
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise InputError(f"values must be one finite number per image, at least one, got {list(numbers.shape)}")
    if not low < high or numbers.min() < low - 1e-9 or numbers.max() > high + 1e-9:
        raise InputError(f"values must lie in {low} .. {high}, got {numbers.min():.6g}..{numbers.max():.6g}")
    shares = np.clip((numbers - low) / (high - low), 0.0, 1.0)
    exact = interval(float(min(shares.sum(), shares.size)), shares.size, level=level)
    if np.isin(shares, (0.0, 1.0)).all() or np.ptp(shares) < 1e-12:
        found = exact
    else:
        found = bootstrap.mean_interval(shares, seed=seed, level=level, samples=samples)
        if min(int((shares > 0.0).sum()), int((shares < 1.0).sum())) < FEW:
            found = min(found[0], exact[0]), max(found[1], exact[1])
    return low + (high - low) * found[0], low + (high - low) * found[1]


def intervals(counts: ArrayLike, totals: ArrayLike, *, level: float = 0.95) -> NDArray[np.float64]:
    """:func:`interval` for each pair of two vectors [M], float64[M, 2]; where a total is 0, the whole of [0, 1]."""
    pairs = zip(as_numbers(counts, "counts").tolist(), as_numbers(totals, "totals").tolist(), strict=True)
    return np.array([interval(k, n, level=level) if n else (0.0, 1.0) for k, n in pairs]).reshape(-1, 2)


def _beta_quantile(share: float, a: float, b: float) -> float:
    """The x in [0, 1] at which the beta distribution's own share of probability lies below, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _beta_below(middle, a, b) < share else (low, middle)
        if high - low < 1e-12:
            break
    return (low + high) / 2.0


def _beta_below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun, 26.5.8)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges on the other side
        return 1.0 - _beta_below(1.0 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    # Lentz's method for 1 / (1 + t1 / (1 + t2 / (1 + ...))); a place that comes out as 0 is moved aside.
    tiny = 1e-300
    numerator, denominator = 1.0, 0.0
    value = 1.0
    for place in range(1, 200_000):
        m, odd = divmod(place, 2)
        if odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1.0 / (1.0 + term * denominator or tiny)
        numerator = 1.0 + term / numerator or tiny
        value *= numerator * denominator
        if abs(numerator * denominator - 1.0) < 1e-14:
            break
    return math.exp(front) / (a * value)
