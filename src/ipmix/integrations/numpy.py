"""Plain NumPy: augmented batches of arrays in memory, shuffled, for a training loop of one's own.

>>> batches = AugmentedBatches(images, labels, "ipmix-k3-t3", batch_size=128, seed=0, threads=2)  # doctest: +SKIP
>>> for epoch in range(100):                                                                      # doctest: +SKIP
...     for pixels, targets in batches:
...         ...

Without a library: what an image becomes is a pure function of (seed, epoch, index).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ipmix.augmentation.batches import augment
from ipmix.core.checking import check_count, check_images, check_int64, check_switch, described
from ipmix.core.errors import InputError
from ipmix.integrations.sharing import settled
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages


class AugmentedBatches:
    """The batches of each epoch; looped over as a DataLoader is, each loop being the next epoch.

    ``len()`` is the number of batches. A loop that is broken off was that epoch all the same; :meth:`set_epoch` says
    which the next is, :meth:`epoch` gives any, and :meth:`batch` a single batch of any, from any thread.

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
        output: str = "uint8",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        layout: str = "nhwc",
    ) -> None:
        check_images(images)
        if not isinstance(labels, np.ndarray) or labels.shape[:1] != images.shape[:1]:
            raise InputError(f"labels must be an array of {len(images)}, one for each image, got {described(labels)}")
        check_count("batch_size", batch_size, 1)
        check_int64("seed", seed)
        check_switch("shuffle", shuffle)
        self.images, self.labels, self.shuffle = images, labels, shuffle
        self.method, self.mixing = settled(method, mixing)
        self.batch_size, self.seed, self.threads = int(batch_size), int(seed), threads
        self.form: dict[str, Any] = {"output": output, "mean": mean, "std": std, "layout": layout}
        self._kept: tuple[int, np.ndarray] | None = None
        self._next = 0
        # A batch of no image: whatever augment would refuse is refused here, and not in the middle of a training.
        augment(images[:0], self.method, self.mixing, seed=self.seed, threads=threads, **self.form)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.images) // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """The next loop is epoch ``epoch``; the ones behind it count on from there."""
        check_int64("epoch", epoch)
        self._next = int(epoch)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of the next epoch: 0, 1, ..., or from the one that was set on."""
        # Not a generator itself: the epoch is that of the loop's beginning, also where loops run side by side.
        epoch = self._next
        self._next += 1
        return self.epoch(epoch)

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of epoch ``epoch``: images as :func:`ipmix.augment` gives them, and their labels."""
        check_int64("epoch", epoch)
        return (self.batch(epoch, number) for number in range(len(self)))

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``number`` of epoch ``epoch``."""
        check_int64("epoch", epoch)
        if not 0 <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        rows = slice(number * self.batch_size, (number + 1) * self.batch_size)
        indices = self._order(int(epoch))[rows]
        images = self.images[indices if self.shuffle else rows]
        batch = augment(
            images, self.method, self.mixing, seed=self.seed, epoch=epoch, indices=indices, threads=self.threads,
            **self.form,
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
