"""Plain NumPy: augmented batches of arrays in memory, shuffled, for a training loop of one's own.

>>> batches = AugmentedBatches(images, labels, "ipmix-k3-t3", batch_size=128, seed=0, threads=2)  # doctest: +SKIP
>>> for epoch in range(100):                                                                      # doctest: +SKIP
...     for pixels, targets in batches.epoch(epoch):
...         ...

Without a library: what an image becomes is a pure function of (seed, epoch, index).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ipmix.augmentation.batches import augment
from ipmix.core.checking import check_count, check_images, check_int64, described
from ipmix.core.errors import InputError
from ipmix.integrations.sharing import settled
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages


class AugmentedBatches:
    """The batches of each epoch.

    Args:
        images: uint8[N, H, W, C].
        labels: one for each image, an array of any dtype [N, ...].
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        batch_size: images in a batch; the last one of an epoch holds what is left.
        seed: of the order and of the augmentation.
        shuffle: a new order in each epoch.
        threads, output, mean, std, layout: as of :func:`ipmix.augment`.

    Raises:
        InputError: settings that don't fit.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        threads: int = 1,
        **form: Any,
    ) -> None:
        check_images(images)
        if not isinstance(labels, np.ndarray) or labels.shape[:1] != images.shape[:1]:
            raise InputError(f"labels must be an array of {len(images)}, one for each image, got {described(labels)}")
        check_count("batch_size", batch_size, 1)
        check_int64("seed", seed)
        self.images, self.labels, self.shuffle = images, labels, shuffle
        self.method, self.mixing = settled(method, mixing)
        self.batch_size, self.seed, self.threads, self.form = batch_size, seed, threads, form
        self._kept: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.images) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of epoch ``epoch``: images as :func:`ipmix.augment` gives them, and their labels."""
        return (self.batch(epoch, number) for number in range(len(self)))

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``number`` of epoch ``epoch``."""
        check_int64("epoch", epoch)
        if not 0 <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        indices = self._order(int(epoch))[number * self.batch_size : (number + 1) * self.batch_size]
        batch = augment(
            self.images[indices], self.method, self.mixing, seed=self.seed, epoch=epoch, indices=indices,
            threads=self.threads, **self.form,
        )  # fmt: skip
        return batch, self.labels[indices]

    def _order(self, epoch: int) -> np.ndarray:
        kept = self._kept  # read once: other threads may put another epoch's there
        if kept is None or kept[0] != epoch:
            order = np.arange(len(self.images))
            if self.shuffle:
                np.random.default_rng([self.seed % 2**64, epoch % 2**64]).shuffle(order)
            kept = self._kept = epoch, order
        return kept[1]
