"""What the edge checks of ``corrupt`` and ``perturb``: the images and the names of their randomness."""

from collections.abc import Sequence

import numpy as np

from ipmix.core.checking import check_images, described
from ipmix.core.errors import InputError


def checked_batch(images: np.ndarray, indices: Sequence[int] | np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The images C-contiguous and the indices as int64[N], or an InputError."""
    check_images(images)
    if indices is None:
        return np.ascontiguousarray(images), np.arange(len(images), dtype=np.int64)
    names = np.asarray(indices)
    if names.shape != (len(images),) or (names.size and names.dtype.kind not in "iu"):
        raise InputError(f"indices must be {len(images)} integers, one per image, got {described(names)}")
    return np.ascontiguousarray(images), np.ascontiguousarray(names, dtype=np.int64)


def writeable(images: np.ndarray) -> np.ndarray:
    """The images, copied where they are read-only: for such arrays every kernel would be compiled anew."""
    return images if images.flags.writeable else images.copy()
