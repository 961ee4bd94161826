"""What a corruption gets to see: some images, where to write, and the names of their random streams."""

from dataclasses import dataclass

import numpy as np

from ipmix.corruptions.severities import constants

VIEW = 0x0C0552
"""The fourth word of the key of every stream in this package: no other package draws the same numbers."""


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk of a batch for one corruption at one severity.

    ``images`` and ``out`` are C-contiguous uint8[n, H, W, C] and share no memory; ``indices`` (int64[n])
    names each image's randomness; ``salt`` tells corruptions and severities apart. A corruption fills
    ``out`` from these alone, so that the result depends on neither the chunk nor the thread.
    """

    images: np.ndarray
    out: np.ndarray
    indices: np.ndarray
    seed: int
    salt: int
    name: str
    severity: int
    corrected: bool = False

    @property
    def height(self) -> int:
        return int(self.images.shape[1])

    @property
    def width(self) -> int:
        return int(self.images.shape[2])

    @property
    def channels(self) -> int:
        return int(self.images.shape[3])

    @property
    def side(self) -> int:
        """The shorter side in pixels: what the constants are scaled with."""
        return min(self.height, self.width)

    @property
    def key(self) -> tuple[np.ndarray, np.int64, np.int64]:
        """What a kernel needs to start each image's stream: indices, seed, salt."""
        return self.indices, np.int64(self.seed), np.int64(self.salt)

    def constants(self) -> tuple[float, ...]:
        """The constants of this corruption at this severity and size."""
        return constants(self.name, self.severity, self.height, self.width)
