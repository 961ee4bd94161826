"""``perturb``: the sequences of -P."""

from collections.abc import Sequence

import numpy as np

from ipmix.corruptions.corrupting import checked_batch, checked_level, checked_seed
from ipmix.corruptions.severities import PERTURBATIONS
from ipmix.errors import InputError


def perturb(
    images: np.ndarray,
    name: str,
    *,
    seed: int,
    difficulty: int = 1,
    indices: Sequence[int] | np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Make a perturbation sequence of T frames from each image: uint8[N, H, W, C] -> uint8[N, T, H, W, C]."""
    images, indices = checked_batch(images, indices)
    if name not in PERTURBATIONS:
        raise InputError(f"unknown perturbation {name!r}; known are {', '.join(PERTURBATIONS)}")
    checked_level("difficulty", difficulty, 3)
    checked_seed(seed)
    raise NotImplementedError(f"the sequence {name} is not built yet")
