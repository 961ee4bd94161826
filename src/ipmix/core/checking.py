"""Checks at the edge, of arrays by their shapes and dtypes, counts, seeds and choices; inside, values are trusted."""

import math
import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ipmix.core.bounds import SHAPE_MOST, SHARDS_MOST, THREADS_MOST
from ipmix.core.errors import InputError, hidden, plain
from ipmix.core.image_forms import advice, check_channels_last


def described(value: Any) -> str:
    """What a value is, for an error message: "uint8[2, 3]", or the name of its type."""
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__


def shown(value: Any) -> str:
    """A value as an error message shows it: on one line, and cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python spells no number of more than 4,300 digits
        return "a number of thousands of digits"
    return plain(text, most=60)


def check_images(images: Any, name: str = "images", where: str = "") -> None:
    """Raise :class:`InputError` unless ``images`` is an array uint8[N, H, W, C] with H, W and C of at least 1.

    Nor may it look like [N, C, H, W].

    The error begins with ``where`` they were met, if given, and calls them by ``name``.
    """
    must = f"{where}: {name} must be" if where else f"{name} must be"
    if not isinstance(images, np.ndarray):
        raise InputError(f"{must} a NumPy array uint8[N, H, W, C], got {described(images)}{_what_to_do(images, name)}")
    if images.dtype != np.uint8 or images.ndim in (2, 3):
        raise InputError(f"{must} uint8[N, H, W, C], got {described(images)}{_what_to_do(images, name)}")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise InputError(f"{must} uint8[N, H, W, C], none of H, W, C zero, got {described(images)}")
    check_channels_last(images.shape, name, where)


def _what_to_do(images: Any, name: str) -> str:
    words = advice(images, name, batch=True)
    return f": {words}" if words else ""


def check_out(out: Any, shape: tuple[int, ...], dtype: Any, images: np.ndarray) -> None:
    """Raise :class:`InputError` unless results of this shape and dtype made of ``images`` can be written to ``out``."""
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        # Spelled here alone: it takes a third of the time of a 32x32 image.
        raise InputError(f"out must be {np.dtype(dtype)}{list(shape)}, got {described(out)}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise InputError("out must be C-contiguous and writeable")
    if np.may_share_memory(out, images):
        raise InputError("out must not share memory with images: an image is still read while results are written")


def check_int64(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is an integer of 64 bits with a sign, as seeds and keys are."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        how = ": pass int(...) of it" if getattr(value, "ndim", None) == 0 else ""  # an array or a tensor of one number
        raise InputError(f"{name} must be an integer of 64 bits, got {shown(value)} ({type(value).__name__}){how}")
    if not -(2**63) <= value < 2**63:
        raise InputError(f"{name} must fit 64 bits, got {shown(value)}")


def check_shape(shape: Any, axes: str) -> tuple[int, ...]:
    """A shape such as (N, H, W, C), one letter of ``axes`` each, as integers.

    Raises:
        InputError: another number of axes, or one that is no whole number from 1 (N: from 0) to the most there is.
    """
    names = ", ".join(axes)
    sequence = isinstance(shape, tuple | list) or (isinstance(shape, np.ndarray) and shape.ndim == 1)
    if not sequence or len(shape) != len(axes):
        raise InputError(f"shape must be ({names}), got {shown(shape)}")
    for axis, length in zip(axes, shape):
        check_count(f"shape's {axis}", length, 0 if axis == "N" else 1, SHAPE_MOST[axis])
    return tuple(int(length) for length in shape)


def check_threads(value: Any, name: str = "threads") -> None:
    """Raise :class:`InputError` unless ``value`` is a number of threads that a process can have."""
    check_count(name, value, 1, THREADS_MOST)


def check_indices(indices: Any, name: str = "indices") -> np.ndarray:
    """Numbers of images, anything that NumPy reads as integers of shape [N], as int64[N], C-contiguous.

    Raises:
        InputError: another shape, other numbers, or one beyond 64 bits with a sign.
    """
    try:
        array = np.asarray(indices)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name} must be a one-dimensional array of integers ({plain(error)})") from None
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InputError(
            f"{name} must be a one-dimensional array of integers, got shape {array.shape}, dtype {array.dtype}"
        )
    if array.dtype == np.uint64 and array.max(initial=0) >= 2**63:
        raise InputError(f"{name} must fit 64 bits with a sign, got {array.max()}")
    return np.ascontiguousarray(array, np.int64)


def parse_shard(text: str) -> tuple[int, int]:
    """ "3/16", the third of sixteen parts of a work, as (3, 16); :class:`InputError` unless 1 <= i <= n."""
    found = re.fullmatch(r"([0-9]{1,18})/([0-9]{1,18})", text.strip())
    shard, shards = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= shard <= shards <= SHARDS_MOST:
        raise InputError(f"--shard is i/n with 1 <= i <= n <= {SHARDS_MOST:,}, such as 3/16; got {shown(text)}")
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
        raise InputError(f"{name} must be a whole number {wanted}, got {shown(value)}")


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
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")


def check_known(what: str, value: Any, known: Iterable[str]) -> None:
    """As :func:`check_choice`, for the many names of a ``what``: the error says which one may have been meant."""
    known = tuple(known)
    if isinstance(value, str) and value in known:
        return
    import difflib

    close = difflib.get_close_matches(value, known, 1) if isinstance(value, str) else []
    hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
    raise InputError(f"unknown {what} {shown(value)}{hint}")


def check_switch(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, got {shown(value)}")


def check_function(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` can be called, or is None."""
    if value is not None and not callable(value):
        raise InputError(f"{name} must be a function of one image, or left out, got {shown(value)}")


def check_share(name: str, value: Any, *, least: bool = True, most: bool = True) -> None:
    """Raise :class:`InputError` unless ``value`` is a number in [0, 1]; without ``least`` or ``most``, not that end."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and (0 <= value if least else 0 < value) and (value <= 1 if most else value < 1)):
        limits = f"{'[' if least else '('}0, 1{']' if most else ')'}"
        raise InputError(f"{name} must be a number in {limits}, got {shown(value)}")


def check_run_name(value: str) -> None:
    """Raise :class:`InputError` unless a run can be called so: some text that shows as it is."""
    if not isinstance(value, str) or not value.strip() or any(map(hidden, value)):
        raise InputError(f"a run's name is a text of one line without control characters, got {shown(value)}")


def check_folder_name(name: str, value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is what a file or folder can be called: a text or a path."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise InputError(f"{name} must be the name of a file or folder, got {shown(value)} ({type(value).__name__})")


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
