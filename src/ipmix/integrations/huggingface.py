"""Hugging Face datasets: a function over a dict of lists, for ``set_transform``, ``with_transform`` and ``map``.

>>> dataset.set_transform(AugmentedColumn("ipmix-k3-t3", after=to_tensor, into="pixel_values"))  # doctest: +SKIP

It is hashed by its settings, so that ``map`` caches what it made, and pickled to workers. With a column of keys and
:func:`epoch_callback` an image that the ``Trainer`` trains on is a pure function of (seed, epoch, key).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ipmix.core.checking import check_function, check_int64, described, shown
from ipmix.core.errors import InputError
from ipmix.core.item_keys import key_of
from ipmix.integrations.sharing import made_ready, needed, settled
from ipmix.methods.moving import moves_pixels
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages


class AugmentedColumn:
    """A label-preserving method for a column of images.

    Each image's key is its number where ``map(..., with_indices=True)`` gives one; the hash of its own key where
    ``key`` names a column of keys (text or integers); else a number from torch's generator, which differs from epoch to
    epoch and from worker to worker by itself.

    Args:
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        image: the column of images: Pillow images, arrays uint8[H, W, C], or tensors [C, H, W].
        key: the column of the images' own keys.
        before: a transform of each image, before the method (cropping, flipping).
        after: a transform of each augmented image (to a tensor, normalising).
        into: the column that the augmented images go to; ``image`` if left out.
        seed: of the augmentation.
        boxes: beside columns of boxes, masks or key points (by their names, or an image of one number a pixel), a
            method that moves pixels is refused ("refuse"), or those of its operations that leave pixels in their place
            are taken ("photometric").

    Raises:
        InputError: settings that don't fit, or a batch without the column.
    """

    def __init__(
        self,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        *,
        image: str = "image",
        key: str | None = None,
        before: Callable[[Any], Any] | None = None,
        after: Callable[[Any], Any] | None = None,
        into: str | None = None,
        seed: int = 0,
        boxes: str = "refuse",
    ) -> None:
        check_int64("seed", seed)
        for name, column in (("image", image), ("key", key or image), ("into", into or image)):
            if not isinstance(column, str):
                raise InputError(f"{name} is the name of a column, got {shown(column)}")
        check_function("before", before)
        check_function("after", after)
        if isinstance(mixing, str):
            raise InputError(
                f"mixing is a set, not its path: pass mixing=ipmix.MixingSet.folder({shown(mixing)}). A column is "
                f"named by image={shown(mixing)}"
            )
        self.method, self.mixing = settled(method, mixing, boxes)
        self.image, self.key, self.before, self.after = image, key, before, after
        self.into, self.seed = into or image, int(seed)
        self._epoch = torch.zeros((), dtype=torch.int64, device="cpu").share_memory_()  # workers see it change
        self._moves = moves_pixels(self.method)
        self._augmenter = made_ready(self.method, self.mixing, self.seed)

    def set_epoch(self, epoch: int) -> None:
        """Which pass over the data set begins; it counts where images have keys or numbers."""
        check_int64("epoch", epoch)
        self._epoch.fill_(int(epoch))

    def __call__(self, batch: dict[str, list[Any]], indices: Sequence[int] | None = None) -> dict[str, list[Any]]:
        """The batch with its images augmented."""
        from ipmix.transforms.images import augment_item, check_array

        if not isinstance(batch, Mapping):
            raise InputError(f"a batch is a dict of columns, got {described(batch)}: give it to set_transform or map")
        if self.image not in batch:
            raise InputError(
                f"a batch has no column {self.image!r}, only {', '.join(map(repr, batch))}: name it with image=..."
            )
        if not _is_column(batch[self.image]):
            raise InputError(
                f"a batch's column {self.image!r} is a list of images, got one {described(batch[self.image])}: "
                "pass batched=True to map"
            )
        self._refuse_following(batch)
        images = batch[self.image] if self.before is None else [self.before(image) for image in batch[self.image]]
        made = []
        for image, (index, epoch) in zip(images, self._keys(batch, len(images), indices)):
            if isinstance(image, np.ndarray):
                check_array(image)
            made.append(augment_item(image, self._augmenter, index=index, epoch=epoch))
        if self.after is not None:
            made = [self.after(image) for image in made]
        return {**batch, self.into: made}

    def _refuse_following(self, batch: Mapping[str, Any]) -> None:
        """Refuse columns of what would have to move with the pixels; the first row of a batch shows them."""
        from ipmix.transforms.samples import refuse_following

        if not self._moves or not len(batch[self.image]):
            return
        others = (name for name in batch if name not in (self.image, self.into, self.key))
        refuse_following(self.method, {name: _first(batch[name]) for name in others}, batch[self.image][0])

    def _keys(self, batch: dict[str, list[Any]], count: int, indices: Sequence[int] | None) -> list[tuple[int, int]]:
        """(index, epoch) of each image."""
        epoch = int(self._epoch)
        numbers, called = (indices, "indices") if indices is not None else (batch.get(self.key or ""), f"{self.key!r}")
        if numbers is not None and len(numbers) != count:
            raise InputError(f"a batch of {count} images needs as many {called}, got {len(numbers)}")
        if indices is not None:
            return [(int(index), epoch) for index in indices]
        if self.key is None:
            return [(number, 0) for number in torch.empty(count, dtype=torch.int64).random_().tolist()]
        if self.key not in batch:
            raise InputError(f"a batch has no column {self.key!r}, only {', '.join(map(repr, batch))}: see key=...")
        return [(one if isinstance(one, int) else key_of(one), epoch) for one in batch[self.key]]

    def __getstate__(self) -> dict[str, Any]:
        """The settings and the epoch: what is hashed, and sent to workers."""
        return {name: value for name, value in vars(self).items() if name != "_augmenter"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._augmenter = made_ready(self.method, self.mixing, self.seed)


def _is_column(images: Any) -> bool:
    """Whether this may be the images of a batch; one array [H, W, C] or tensor [C, H, W] is an image by itself."""
    if isinstance(images, np.ndarray):
        return images.ndim == 4 or images.dtype == object
    if isinstance(images, torch.Tensor):
        return images.ndim == 4
    return hasattr(images, "__getitem__") and hasattr(images, "__len__") and not isinstance(images, str | bytes)


def _first(column: Any) -> Any:
    return column[0] if hasattr(column, "__getitem__") and hasattr(column, "__len__") and len(column) else None


def epoch_callback(*augmented: AugmentedColumn) -> Any:
    """A callback for ``Trainer(callbacks=[...])`` that tells the functions which epoch begins, also after a resume.

    It counts for images with keys of a column; others have a number of torch's generator, which needs no epoch.

    Raises:
        InputError: something else than :class:`AugmentedColumn`, or none.
        ModuleNotFoundError: transformers is not installed.
    """
    if not augmented or not all(isinstance(one, AugmentedColumn) for one in augmented):
        raise InputError(f"epoch_callback takes the AugmentedColumn(...) of set_transform, got {shown(augmented)}")
    with needed("transformers", "huggingface"):
        from transformers import TrainerCallback

    class EpochCallback(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            for one in augmented:
                one.set_epoch(int((state.epoch or 0) + 1e-6))

    return EpochCallback()
