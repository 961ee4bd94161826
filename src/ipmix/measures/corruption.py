"""Mean corruption error, plain and relative to a baseline (Hendrycks and Dietterich, ICLR 2019).

The error at each of a corruption's severities is averaged to the corruption's error; those are averaged over
corruptions as they are (CIFAR) or after dividing each by a baseline model's (ImageNet, where it is AlexNet).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.checking import shown
from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_numbers

ALEXNET: dict[str, float] = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
"""AlexNet's error on each ImageNet-C corruption, mean of 5 severities: the table behind published mCE."""

ALEXNET_VALIDATION: dict[str, float] = {
    "gaussian_blur": 0.787108,
    "saturate": 0.658248,
    "spatter": 0.717512,
    "speckle_noise": 0.845388,
}
"""The same for the four validation corruptions, which published mCE leaves out."""


ALEXNET_CLEAN = 0.435
"""AlexNet's error on clean ImageNet: what the published relative mCE subtracts from its table."""

TEST_CORRUPTIONS = tuple(ALEXNET)
"""The 15 corruptions over which the mean corruption error goes, each at 5 severities: nothing else is mCE."""


def is_whole(levels: Mapping[str, Collection[object]]) -> bool:
    """Whether all 15 corruptions of :data:`TEST_CORRUPTIONS` are there at 5 severities each, so that there is an mCE.

    Args:
        levels: corruption -> severities; corruptions of other sets do no harm.
    """
    return all(len(levels.get(name, ())) == 5 for name in TEST_CORRUPTIONS)


def chosen_title(levels: Mapping[str, Collection[object]]) -> str:
    """What a mean error over some of the 15 corruptions or severities is called: by what it is over.

    "Mean error over 4 corruptions, severities 1, 3, 5".
    """
    found = [sorted(map(str, severities)) for name, severities in levels.items() if name in ALEXNET]
    over = f"{len(found)} corruption{'s' if len(found) != 1 else ''}"
    if any(each != found[0] for each in found):
        return f"Mean error over {over}, severities that differ"
    words = ", ".join(found[0]) if found else "none"
    return f"Mean error over {over}, severit{'ies' if found and len(found[0]) != 1 else 'y'} {words}"


def corruption_errors(errors: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Each corruption's own error: the mean over its severities.

    Args:
        errors: per corruption, the error (fraction) at each severity, or one number already averaged.
    """
    if not isinstance(errors, Mapping) or not errors:
        raise InputError("there are no corruptions to average: errors is empty, or no dict of corruption to errors")
    result = {}
    for name, value in errors.items():
        levels = np.atleast_1d(as_numbers(value, f"errors of {name!r}"))
        if levels.ndim != 1 or not levels.size:
            raise InputError(f"errors of {name!r} must be one number per severity, got shape {levels.shape}")
        if not np.isfinite(levels).all() or levels.min() < 0.0 or levels.max() > 1.0:
            raise InputError(
                f"errors of {name!r} must be fractions in [0, 1], got {levels.tolist()}; divide percentages by 100"
            )
        result[name] = float(levels.mean())
    return result


def mean_corruption_error(
    errors: Mapping[str, ArrayLike] | Sequence[Sequence[float]] | np.ndarray,
    *,
    baseline: Mapping[str, float] | str | None = None,
) -> float:
    """Mean corruption error, a fraction (published tables print 100 times this).

    Args:
        errors: per corruption, the error at each severity (fractions). Without a baseline an array
            [corruptions, severities] does as well.
        baseline: ``None`` for the plain mean (what CIFAR-10-C and CIFAR-100-C tables report);
            ``"alexnet"`` for :data:`ALEXNET` (what ImageNet-C tables report); or a user's own error per
            corruption. With a baseline, AlexNet itself scores 1.0, and a value may exceed 1.

    Raises:
        InputError: an error is outside [0, 1] or NaN, or the baseline lacks a corruption.
    """
    if not isinstance(errors, Mapping):
        errors = {str(row): values for row, values in enumerate(_rows(errors))}
        if baseline is not None:
            raise InputError("a baseline is looked up by corruption: pass errors as a dict of name to errors")
    own = corruption_errors(errors)
    if baseline is None:
        return float(np.mean(list(own.values())))
    reference = _baseline(baseline)
    missing = [name for name in own if name not in reference]
    if missing:
        raise InputError(f"the baseline has no error for {', '.join(missing)}; it knows {', '.join(sorted(reference))}")
    return float(np.mean([own[name] / reference[name] for name in own]))


def relative_mean_corruption_error(
    errors: Mapping[str, ArrayLike],
    clean: float,
    *,
    baseline: Mapping[str, float] | None = None,
    baseline_clean: float | None = None,
) -> float:
    """How much worse than on clean images: mean over corruptions of (error - clean error).

    With a baseline, each difference is divided by the baseline's own difference (AlexNet's clean error on
    ImageNet is 0.435). The published relative mCE is 100 times that.
    """
    own = corruption_errors(errors)
    _check_fraction("clean", clean)
    if baseline is None:
        return float(np.mean([value - clean for value in own.values()]))
    if baseline_clean is None:
        raise InputError("a relative mCE against a baseline needs the baseline's clean error too")
    _check_fraction("baseline_clean", baseline_clean)
    if not isinstance(baseline, Mapping):
        raise InputError(f"a baseline must be a dict of corruption to error, got {shown(baseline)}")
    if missing := [name for name in own if name not in baseline]:
        raise InputError(f"the baseline has no error for {', '.join(missing)}")
    for name in own:
        _check_fraction(f"the baseline's error for {name!r}", baseline[name])
        if baseline[name] == baseline_clean:
            raise InputError(f"the baseline's error for {name!r} is its clean error: nothing can be divided by 0")
    return float(np.mean([(own[name] - clean) / (baseline[name] - baseline_clean) for name in own]))


def _rows(errors: ArrayLike) -> NDArray[np.float64]:
    table = as_numbers(errors, "errors")
    if table.ndim not in (1, 2):
        raise InputError(f"errors must be a table [corruptions, severities], got shape {list(table.shape)}")
    return table


def _check_fraction(name: str, value: object) -> None:
    if not isinstance(value, (int, float, np.number)) or not 0.0 <= value <= 1.0:
        raise InputError(f"{name} must be a fraction in [0, 1], got {value!r}")


def _baseline(baseline: Mapping[str, float] | str) -> Mapping[str, float]:
    if isinstance(baseline, str):
        if baseline != "alexnet":
            raise InputError(f"the only baseline with a name is 'alexnet', got {baseline!r}; or pass a dict")
        return {**ALEXNET, **ALEXNET_VALIDATION}
    if not isinstance(baseline, Mapping):
        raise InputError(f"a baseline must be a dict of corruption to error, or 'alexnet', got {shown(baseline)}")
    for name, value in baseline.items():
        if not isinstance(value, (int, float, np.number)) or not 0.0 < value <= 1.0:
            raise InputError(f"the baseline's error for {name!r} must be in (0, 1], got {value}")
    return baseline
