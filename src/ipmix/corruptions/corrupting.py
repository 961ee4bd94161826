"""``corrupt``: one corruption at one severity over a batch of images."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from ipmix.corruptions.registry import RUN
from ipmix.corruptions.severities import ALL_CORRUPTIONS
from ipmix.corruptions.task import Task
from ipmix.errors import InputError

Form = Literal["original", "corrected"]

CHUNK = 64
"""The most images that a thread takes at a time."""


def corrupt(
    images: np.ndarray,
    name: str,
    severity: int,
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray | None = None,
    form: Form = "original",
    threads: int = 1,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Corrupt a batch of images.

    Args:
        images: uint8[N, H, W, C], any H and W, C of 1, 3 or more. Left as it is.
        name: one of :data:`CORRUPTIONS` (the 15 of -C), :data:`VALIDATION` (its 4 more),
            :data:`C_BAR_CIFAR` and :data:`C_BAR_IMAGENET`. The constants are the public ones at 32 and 224
            pixels; for other sizes see :mod:`ipmix.corruptions.severities`.
        severity: 1 to 5.
        seed: any integer of 64 bits.
        indices: int64[N], the name of each image's randomness; 0 .. N-1 where not given. An image's result
            depends on (seed, name, severity, index) alone: not on the batch, the order, or the number of
            threads.
        form: "original" keeps the slips of the public generators, which the published numbers contain;
            "corrected" mends them (``glass_blur`` swaps pixels, ``frost`` uses all six pictures,
            ``elastic_transform`` takes its lengths from the image's side and not from 244).
        threads: how many threads share the batch.
        out: uint8[N, H, W, C] to write to, C-contiguous, sharing no memory with ``images``.

    Returns:
        uint8[N, H, W, C]: ``out``, or a new array.

    Raises:
        InputError: an unknown name, a severity outside 1 .. 5, images of another type or shape.

    Sources: Hendrycks and Dietterich (ICLR 2019); Mintun, Kirillov and Xie (NeurIPS 2021).
    """
    images, indices = checked_batch(images, indices)
    if name not in ALL_CORRUPTIONS:
        raise InputError(f"unknown corruption {name!r}; known are {', '.join(ALL_CORRUPTIONS)}")
    severity = checked_level("severity", severity, 5)
    if form not in ("original", "corrected"):
        raise InputError(f'form is "original" or "corrected", got {form!r}')
    out = checked_out(out, images)
    salt = ALL_CORRUPTIONS.index(name) * 16 + severity
    seed = checked_seed(seed)
    target = np.asarray(out)  # the plain array, were it a memory-mapped one

    def run(part: slice) -> None:
        RUN[name](
            Task(writeable(images[part]), target[part], indices[part], seed, salt, name, severity, form == "corrected")
        )

    in_chunks(run, len(images), threads)
    return out


def in_chunks(run: Callable[[slice], None], count: int, threads: int, most: int = CHUNK) -> None:
    """Call ``run`` with slices of at most ``most`` that cover ``count`` images, over ``threads`` threads."""
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise InputError(f"threads is a whole number of at least 1, got {threads!r}")
    size = max(min(most, -(-count // int(threads))), 1)
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    if threads == 1 or len(parts) < 2:
        for part in parts:
            run(part)
        return
    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(run, parts))


def checked_batch(images: np.ndarray, indices: Sequence[int] | np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The images C-contiguous and the indices as int64[N], or an InputError."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(
            f"images must be a NumPy array uint8[N, H, W, C], got {describe(images)}; "
            "convert 16-bit or float images to uint8 first, and give one image as image[None]"
        )
    if 0 in images.shape[1:]:
        raise InputError(f"images need at least one pixel and one channel, got the shape {images.shape}")
    if indices is None:
        return np.ascontiguousarray(images), np.arange(len(images), dtype=np.int64)
    names = np.asarray(indices)
    if names.shape != (len(images),) or (names.size and names.dtype.kind not in "iu"):
        raise InputError(f"indices must be {len(images)} integers, one per image, got {describe(names)}")
    return np.ascontiguousarray(images), np.ascontiguousarray(names, dtype=np.int64)


def writeable(images: np.ndarray) -> np.ndarray:
    """The images, copied where they are read-only: for such arrays every kernel would be compiled anew."""
    return images if images.flags.writeable else images.copy()


def checked_level(what: str, value: int, most: int) -> int:
    """A severity or difficulty as an int, or an InputError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= most:
        raise InputError(f"{what} is a whole number from 1 to {most}, got {value!r}")
    return int(value)


def checked_seed(seed: int) -> int:
    """A seed as an int in the range of int64, or an InputError."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not -(2**63) <= seed < 2**63:
        raise InputError(f"seed is an integer of 64 bits, got {seed!r}")
    return int(seed)


def checked_out(out: np.ndarray | None, images: np.ndarray) -> np.ndarray:
    """``out`` if it can take the result, a new array if it is None, or an InputError."""
    if out is None:
        return np.empty_like(images)
    fits = isinstance(out, np.ndarray) and out.dtype == np.uint8 and out.shape == images.shape
    if not fits or not out.flags.c_contiguous or not out.flags.writeable or np.shares_memory(out, images):
        raise InputError(
            f"out must be a writeable C-contiguous uint8 array of shape {images.shape} that shares no memory "
            f"with images, got {describe(out)}"
        )
    return out


def describe(value: object) -> str:
    """What a value is, for an error message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return type(value).__name__
