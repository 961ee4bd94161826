"""What the edge checks: batches, severities, seeds and outputs of ``corrupt`` and ``perturb``."""

from collections.abc import Sequence

import numpy as np

from ipmix.core.errors import InputError


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
