"""What recipes take their mixing images from, as those see it who draw, apply and train: a mixing set, or an array.

Stated here, so that nobody needs to know how a mixing set is made or kept to be handed one.
"""

from typing import Protocol

import numpy as np


class MixingSetLike(Protocol):
    """An indexable set of images that brings itself to any size, such as a ``MixingSet``."""

    def __len__(self) -> int:
        """How many images there are."""

    def __getitem__(self, index: int, /) -> np.ndarray:
        """One image: uint8[height, width, C]."""

    def planes(self, height: int, width: int, channels: int = 3) -> np.ndarray:
        """All images for images of this size: uint8[M, channels, s, s], s at least as large as either side."""

    def gather(self, numbers: np.ndarray, height: int, width: int, channels: int = 3) -> np.ndarray:
        """The planes of some images only: ``planes(height, width, channels)[numbers]``."""


MixingImages = MixingSetLike | np.ndarray
"""A mixing set, or images as uint8[M, h, w, C]."""
