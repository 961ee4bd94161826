"""What an engine writes: bytes or normalised numbers, and in which order of axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ipmix.core.checking import check_choice, shown
from ipmix.core.errors import InputError
from ipmix.recipe.format import WHOLE

KINDS = ("uint8", "float32")
LAYOUTS = ("nhwc", "nchw")


@dataclass(frozen=True, slots=True)
class Output:
    """The form of an engine's result.

    An engine sums bytes times shares to an integer in 0 .. 255 * 32768. "uint8" is that sum divided by 32768,
    rounded to nearest (halves up). "float32" is ``sum * scale + bias`` in float32, which is
    ``(v / 255 - mean) / std`` for each channel.
    """

    kind: str
    layout: str
    scale: np.ndarray
    bias: np.ndarray

    def shape(self, count: int, height: int, width: int) -> tuple[int, int, int, int]:
        """The result's shape for ``count`` images of this height and width."""
        channels = len(self.scale)
        return (count, height, width, channels) if self.layout == "nhwc" else (count, channels, height, width)


def make_output(
    kind: str,
    layout: str,
    channels: int,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> Output:
    """An :class:`Output` for images with this many channels; mean and std in the unit of [0, 1] images.

    mean and std may be one number for all channels; they apply to "float32" only. Raises :class:`InputError`.
    """
    check_choice("output", kind, KINDS)
    check_choice("layout", layout, LAYOUTS)
    return _make_output(kind, layout, channels, _key("mean", mean), _key("std", std))


def check_output(
    kind: str,
    layout: str,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> None:
    """Raise :class:`InputError` where :func:`make_output` would for images of any number of channels."""
    channels = max(len(_key(name, value) or (0,)) for name, value in (("mean", mean), ("std", std)))
    make_output(kind, layout, channels, mean, std)


def _key(name: str, value: float | Sequence[float] | None) -> tuple[float, ...] | None:
    """The value in a form that the cache below can hold."""
    if value is None:
        return None
    try:
        return tuple(float(v) for v in np.atleast_1d(np.asarray(value, np.float64)))
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, or one number for each channel, got {shown(value)}") from None


@lru_cache(maxsize=64)
def _make_output(
    kind: str,
    layout: str,
    channels: int,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
) -> Output:
    if kind == "uint8" and (mean is not None or std is not None):
        raise InputError('mean and std normalise numbers: pass output="float32" with them, or leave them out')
    means = _per_channel("mean", mean, 0.0, channels)
    stds = _per_channel("std", std, 1.0, channels)
    if not (np.isfinite(means).all() and np.isfinite(stds).all() and (stds > 0).all()):
        raise InputError(f"mean must be finite and std finite and above 0, got mean {mean}, std {std}")
    if np.abs(means).max() > 1:
        raise InputError(f"mean is in the unit of images in [0, 1], got {mean}; divide it by 255")
    scale = (1.0 / (255.0 * WHOLE * stds)).astype(np.float32)
    return Output(kind, layout, scale, (-means / stds).astype(np.float32))


def _per_channel(name: str, value: tuple[float, ...] | None, default: float, channels: int) -> np.ndarray:
    values = np.atleast_1d(np.asarray(default if value is None else value, np.float64))
    if values.shape not in ((1,), (channels,)):
        raise InputError(f"{name} needs one number or {channels} (one a channel), got {len(values)}")
    return np.broadcast_to(values, (channels,))
