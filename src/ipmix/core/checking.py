"""Checks at the edge, of arrays by their shapes and dtypes, counts, seeds and choices; inside, values are trusted."""

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ipmix.core.errors import InputError


def described(value: Any) -> str:
    """What a value is, for an error message: "uint8[2, 3]", or the name of its type."""
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__


def check_images(images: Any, name: str = "images", where: str = "") -> None:
    """Raise :class:`InputError` unless ``images`` is an array uint8[N, H, W, C] with H, W and C of at least 1.

    The error begins with ``where`` they were met, if given, and calls them by ``name``.
    """
    must = f"{where}: {name} must be" if where else f"{name} must be"
    if not isinstance(images, np.ndarray):
        raise InputError(f"{must} a NumPy array uint8[N, H, W, C], got {described(images)}")
    if images.dtype != np.uint8:
        hint = "convert 16-bit or float samples to uint8 first"
        if np.issubdtype(images.dtype, np.floating):
            bad = " with NaN or infinite values" if not np.isfinite(images).all() else ""
            hint = f"numbers{bad}; for images in [0, 1], (255 * {name}).round().astype(numpy.uint8)"
        elif images.dtype == np.uint16:
            hint = f"for 16-bit images, ({name} >> 8).astype(numpy.uint8)"
        raise InputError(f"{must} uint8[N, H, W, C], got {described(images)}: {hint}")
    if images.ndim == 3:
        raise InputError(f"{must} uint8[N, H, W, C], got {described(images)}: give one image as image[None]")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise InputError(f"{must} uint8[N, H, W, C], none of H, W, C zero, got {described(images)}")


def check_out(out: Any, shape: tuple[int, ...], dtype: Any, images: np.ndarray) -> None:
    """Raise :class:`InputError` unless results of this shape and dtype made of ``images`` can be written to ``out``."""
    expected = f"{np.dtype(dtype)}{list(shape)}"
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        raise InputError(f"out must be {expected}, got {described(out)}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise InputError("out must be C-contiguous and writeable")
    if np.may_share_memory(out, images):
        raise InputError("out must not share memory with images: an image is still read while results are written")


def check_int64(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is an integer of 64 bits with a sign, as seeds and keys are."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name} must be an integer of 64 bits, got {value!r} ({type(value).__name__})")
    if not -(2**63) <= value < 2**63:
        raise InputError(f"{name} must fit 64 bits, got {value}")


def parse_shard(text: str) -> tuple[int, int]:
    """ "3/16", the third of sixteen parts of a work, as (3, 16); :class:`InputError` unless 1 <= i <= n."""
    found = re.fullmatch(r"([0-9]{1,18})/([0-9]{1,18})", text.strip())
    shard, shards = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= shard <= shards:
        raise InputError(f"--shard is i/n with 1 <= i <= n, such as 3/16; got {text[:40]!r}")
    return shard, shards


def check_shard(shard: int, shards: int) -> None:
    """Raise :class:`InputError` unless there is a ``shard``-th of ``shards`` parts; they count from 1."""
    if not 1 <= shard <= shards:
        raise InputError(f"part {shard} of {shards} does not exist; parts count from 1")


def check_count(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise :class:`InputError` unless ``value`` is a whole number of at least ``least`` (and at most ``most``)."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        wanted = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} must be a whole number {wanted}, got {value!r}")


def check_positive(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is a finite number above 0."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise InputError(f"{name} must be a positive number, got {value!r}")


def check_severity(severity: Any) -> None:
    """Raise :class:`InputError` unless the upper bound of an operation's strength is None or in 0.1 .. 10."""
    if severity is None:
        return
    check_positive("severity", severity)
    if not 0.1 <= severity <= 10:
        raise InputError(f"severity must be in 0.1 .. 10, got {severity}")


def check_choice(name: str, value: Any, known: Iterable[str]) -> None:
    """Raise :class:`InputError` unless ``value`` is one of ``known``."""
    known = tuple(known)
    if value not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def check_subset(name: str, values: str | Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The values as a tuple, each once, in order; :class:`InputError` if one is unknown or there is none."""
    known = tuple(known)
    if not isinstance(values, Iterable):
        raise InputError(f"{name} must be one or several of {', '.join(known)}, got {values!r}")
    given = (values,) if isinstance(values, str) else tuple(values)
    for value in given:
        check_choice(f"each of {name}", value, known)
    chosen = tuple(dict.fromkeys(given))
    if not chosen:
        raise InputError(f"{name} is empty; give at least one of {', '.join(known)}")
    return chosen
