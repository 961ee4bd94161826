"""Training batches: gather, flip, crop, augment; prepared in threads while the model computes.

Everything random is a pure function of (seed, epoch, image): a batch is the same whatever the number of
threads or processes, and an epoch can be entered at any batch.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ipmix.core.bounds import BATCH_MOST, CROP_MOST, PAD_MOST, THREADS_MOST, VIEWS_MOST
from ipmix.core.checking import check_count, check_int64, check_switch, shown
from ipmix.core.compiling import compiled
from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, bits, start
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.training.cropping import pad_and_crop, resized_crops

ORDER_SALT = 0x6F72646572
AHEAD = 4
"""Batches in the making or ready, besides one for each further thread."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch.

    Attributes:
        indices: int64[B], the images' positions in the set.
        labels: int64[B]; float32[B, classes], each row summing to 1, from a method that mixes labels.
        images: one uint8[B, H, W, C] for each view; with ``clean`` the first holds the images without
            augmentation (same flip and crop as the views).
    """

    indices: np.ndarray
    labels: np.ndarray
    images: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.indices)


class Loader:
    """The batches of each epoch of training.

    Args:
        dataset: what to train on; files are decoded for each batch.
        batch_size: images in a batch, over all processes together.
        seed: of the order, the crops and the augmentation.
        method: an augmentation method; None for none. One that mixes the images of a batch mixes those of this
            loader's slice, cropped and flipped as they are there, and their labels.
        mixing: the mixing set, for methods that need one.
        views: augmented versions of each image.
        clean: put the images without augmentation before the views (Jensen-Shannon training).
        flip: mirror each image with probability 1/2.
        pad: crop at random after padding with this many zero pixels on each side; 0 for no crop.
        size: of the random part that is cut out of each file (there ``pad`` plays no role).
        shuffle: a new order in each epoch; otherwise the set's own.
        drop_last: leave out a last batch that is not full.
        threads: how many batches are made at the same time.
        engine: which engine augments.
        shard: (rank, processes): this loader's slice of every batch.
        least: images that each process needs in a batch (2 where a network normalises over the batch). A last batch
            with fewer joins the one before it, and is left out where there is none.
    """

    def __init__(
        self,
        dataset: ArrayDataset | FileDataset,
        *,
        batch_size: int,
        seed: int,
        method: Method | None = None,
        mixing: MixingImages | None = None,
        views: int = 1,
        clean: bool = False,
        flip: bool = True,
        pad: int = 4,
        size: int = 224,
        shuffle: bool = True,
        drop_last: bool = False,
        threads: int = 1,
        engine: str = "compiled",
        shard: tuple[int, int] = (0, 1),
        least: int = 1,
    ) -> None:
        for name, value, lowest, most in (
            ("batch_size", batch_size, 1, BATCH_MOST),
            ("views", views, 1, VIEWS_MOST),
            ("pad", pad, 0, PAD_MOST),
            ("size", size, 1, CROP_MOST),
            ("threads", threads, 1, THREADS_MOST),
            ("least", least, 1, BATCH_MOST),
        ):
            check_count(f"a loader's {name}", value, lowest, most)
        for name, switch in (("clean", clean), ("flip", flip), ("shuffle", shuffle), ("drop_last", drop_last)):
            check_switch(f"a loader's {name}", switch)
        check_int64("a loader's seed", seed)
        if not isinstance(dataset, ArrayDataset | FileDataset):
            raise InputError(f"a loader's dataset must be what datasets.load or scan gives, got {shown(dataset)}")
        if method is not None and not hasattr(method, "mixes_labels"):
            raise InputError(f"a loader's method must be an augmentation method such as IPMix(), got {shown(method)}")
        if method is not None and method.mixes_labels and (views > 1 or clean):
            raise InputError(f"{method.name} mixes labels: a batch has one view, whose labels they are")
        pair = isinstance(shard, tuple | list) and len(shard) == 2 and all(type(number) is int for number in shard)
        if not pair or not 0 <= shard[0] < shard[1] <= batch_size:
            raise InputError(
                "a loader's shard is (rank, processes) with rank < processes <= batch_size "
                f"({batch_size}), got {shown(shard)}"
            )
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.method, self.mixing, self.views, self.clean = method, mixing, views, clean
        self.flip, self.pad, self.size, self.shuffle, self.drop_last = flip, pad, size, shuffle, drop_last
        self.threads, self.engine, self.shard = threads, engine, shard
        self._enough = least * shard[1]

    def __len__(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (not self.drop_last and rest >= (self._enough if whole else self.shard[1]))

    def order(self, epoch: int) -> np.ndarray:
        """The epoch's order: a permutation of the images, int64[N]."""
        check_int64("epoch", epoch)
        if not self.shuffle:
            return np.arange(len(self.dataset), dtype=np.int64)
        return np.argsort(_order_keys(self.seed ^ ORDER_SALT, epoch, len(self.dataset)), kind="stable")

    def first_images(self, count: int) -> np.ndarray:
        """The first images of the first epoch's order, uint8[N, H, W, C], neither cropped (but files) nor augmented.

        They are the same for all processes; N is ``count``, or as many as there are.
        """
        indices = self.order(0)[:count]
        if isinstance(self.dataset, FileDataset):
            return resized_crops(self.dataset, indices, size=self.size, seed=self.seed, epoch=0, flip=self.flip)
        images: np.ndarray = self.dataset.images[indices]
        return images

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from batch ``start`` on; the next ones are prepared in the background.

        An error in the background is raised here, at the batch where it happened.
        """
        order = self.order(epoch)
        check_count("start", start, 0, len(self))
        numbers = iter(range(start, len(self)))
        waiting: deque[Future[Batch]] = deque()
        # Each thread makes whole batches by itself: nothing to wait for inside a batch.
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="ipmix loader")
        try:
            for number in islice(numbers, self.threads - 1 + AHEAD):
                waiting.append(pool.submit(self._batch, self._indices(order, number), epoch))
            while waiting:
                batch = waiting.popleft().result()
                for number in islice(numbers, 1):
                    waiting.append(pool.submit(self._batch, self._indices(order, number), epoch))
                yield batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _indices(self, order: np.ndarray, number: int) -> np.ndarray:
        """This process's slice of batch ``number``: all slices differ by at most one image in length."""
        begin = number * self.batch_size
        batch = order[begin : begin + self.batch_length(number)]
        rank, processes = self.shard
        indices: np.ndarray = batch[len(batch) * rank // processes : len(batch) * (rank + 1) // processes]
        return indices

    def batch_length(self, number: int) -> int:
        """Images in batch ``number`` over all processes together."""
        left = len(self.dataset) - number * self.batch_size
        # The last one takes what is too little for a batch of its own.
        return left if number == len(self) - 1 and not self.drop_last else min(self.batch_size, left)

    def _batch(self, indices: np.ndarray, epoch: int) -> Batch:
        images, labels = self._gather(indices, epoch), self.dataset.labels[indices]
        if self.method is not None and self.method.mixes_labels:
            return Batch(indices, *self._mixed(self.method, images, labels, indices, epoch))
        views = tuple(self._augment(images, indices, epoch, view) for view in range(self.views))
        return Batch(indices, labels, (images, *views) if self.clean else views)

    def _gather(self, indices: np.ndarray, epoch: int) -> np.ndarray:
        seed, flip = self.seed, self.flip
        if isinstance(self.dataset, FileDataset):
            return resized_crops(self.dataset, indices, size=self.size, seed=seed, epoch=epoch, flip=flip)
        return pad_and_crop(self.dataset.images, indices, seed=seed, epoch=epoch, flip=flip, pad=self.pad)

    def _augment(self, images: np.ndarray, indices: np.ndarray, epoch: int, view: int) -> np.ndarray:
        if self.method is None:
            return images
        from ipmix.augmentation.batches import augment

        augmented: np.ndarray = augment(
            images, self.method, self.mixing, seed=self.seed, epoch=epoch, indices=indices, view=view,
            engine=self.engine,
        )  # fmt: skip
        return augmented

    def _mixed(
        self, method: Method, images: np.ndarray, labels: np.ndarray, indices: np.ndarray, epoch: int
    ) -> tuple[np.ndarray, tuple[np.ndarray]]:
        """Soft labels, and the one view they belong to."""
        from ipmix.augmentation.batches import apply, draw

        count = 0 if self.mixing is None else len(self.mixing)
        table = draw(method, images.shape, count, seed=self.seed, epoch=epoch, indices=indices)
        mixed = apply(table, images, self.mixing, engine=self.engine)
        return table.labels(labels, len(self.dataset.classes)), (mixed,)


@compiled
def _order_keys(seed, epoch, count):
    """64 hashed bits for each image: sorting by them is the epoch's permutation."""
    keys = np.empty(count, np.uint64)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, np.int64(seed), np.int64(epoch), np.int64(i), np.int64(SHARED_VIEW))
        keys[i] = bits(state)
    return keys
