"""A data set whose images are augmented by (seed, epoch, index, view), in any number of workers."""

import operator
from collections.abc import Callable
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from ipmix.augmentation.batches import check_method
from ipmix.augmentation.single import Augmenter
from ipmix.core.checking import check_choice, check_count, check_function, check_int64, check_switch, described, shown
from ipmix.core.errors import InputError
from ipmix.methods.choosing import named_method
from ipmix.methods.moving import moves_pixels, photometric
from ipmix.methods.protocol import Method
from ipmix.mixing_set import MixingSet
from ipmix.recipe.mixing_images import MixingImages
from ipmix.transforms.epochs import EpochIndex, SharedEpoch, asking_sampler
from ipmix.transforms.images import augment_item
from ipmix.transforms.samples import BOXES, refuse_following


class AugmentedDataset(Dataset[Any]):
    """Any map-style data set with its images augmented; what a method does is a pure function of
    (seed, epoch, index, view): not of the order, the batch, the workers or how often they are started.

    The epoch counts by itself when a DataLoader begins a pass, and reaches all workers, persistent ones too; or
    :meth:`set_epoch` says it before the pass. With :class:`~ipmix.transforms.epochs.EpochSampler` every index carries
    its own, which also holds where the next pass is begun before this one has ended. A sampler that never asks for the
    data set's length (SubsetRandomSampler, WeightedRandomSampler) does not show where a pass begins: without either, an
    item's epoch is then how often it was made before; after a pass that was seen, a warning says so.

    Args:
        dataset: its items are an image, a tuple or list that begins with one, or a dict with one; an image is a Pillow
            image, an array uint8[H, W, C] or a tensor [C, H, W] of bytes or of numbers from 0 to 1.
        method: a method such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3". It keeps labels.
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        seed: of the augmentation.
        views: how many augmented versions of an image.
        clean: put the image without augmentation before them.
        before: a transform of the image, before all views (cropping, flipping). Its randomness is its own.
        after: a transform of each of them (to a tensor, normalising).
        image: where a dict or a tuple has its image.
        boxes: beside bounding boxes, masks or key points in an item (``tv_tensors``, dict entries of such names, a mask
            of the image's size), a method that moves pixels is refused ("refuse"), or those of its operations that
            leave pixels in their place are taken ("photometric").

    An item is as before, its image replaced by the augmented one; with ``clean`` or several views by a tuple of them,
    which DataLoader makes a list of batches of: ``torch.cat`` them for :func:`ipmix.losses.jsd_loss`.

    Raises:
        InputError: settings that don't fit, an item without an image, or boxes beside moved pixels.
    """

    def __init__(
        self,
        dataset: Any,
        method: Method | str,
        mixing: MixingImages | None = None,
        *,
        seed: int = 0,
        views: int = 1,
        clean: bool = False,
        before: Callable[[Any], Any] | None = None,
        after: Callable[[Any], Any] | None = None,
        image: int | str | None = None,
        boxes: str = "refuse",
    ) -> None:
        if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
            raise InputError(
                f"dataset must have numbered items and a length, got {described(dataset)}: for a stream, call "
                "Augmenter with index=ipmix.key_of(the item's own key)"
            )
        method = named_method(method) if isinstance(method, str) else method
        check_method(method)
        if method.mixes_labels:
            raise InputError(f"{method.name} mixes labels: take ipmix.transforms.collate(method, classes=...)")
        check_choice("boxes", boxes, BOXES)
        method = photometric(method) if boxes == "photometric" else method
        check_int64("seed", seed)
        check_switch("clean", clean)
        check_count("views", views, 0 if clean else 1)
        check_function("before", before)
        check_function("after", after)
        if not (image is None or isinstance(image, int | str)):
            raise InputError(f"image is where an item has its image, a key or a place, got {shown(image)}")
        if mixing is None and method.needs_mixing_images:
            mixing = MixingSet.sample()
        self.dataset, self.method, self.mixing, self.seed = dataset, method, mixing, int(seed)
        self.views, self.clean, self.before, self.after, self.image = int(views), bool(clean), before, after, image
        self._augmenter = Augmenter(method, mixing, seed=seed)
        self._moves = moves_pixels(method)
        self._epoch = SharedEpoch(len(dataset))

    @property
    def epoch(self) -> int:
        """The epoch of the pass that runs, or of the one that was set; 0 where items count each for itself."""
        return self._epoch.epoch

    def __getattr__(self, name: str) -> Any:
        """What the data set has besides items, such as ``classes`` and ``targets``."""
        if name.startswith("_") or "dataset" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return getattr(self.dataset, name)

    def __repr__(self) -> str:
        images = "" if self.mixing is None else f", {len(self.mixing)} mixing images"
        views = f", {self.views} views{' behind the clean image' if self.clean else ''}"
        return f"<AugmentedDataset of {len(self.dataset)} items: {self.method}{images}{views}, seed {self.seed}>"

    def set_epoch(self, epoch: int) -> None:
        """The pass that begins next is epoch ``epoch``; the ones behind it count on from there."""
        self._epoch.give(epoch)

    def __len__(self) -> int:
        if (sampler := asking_sampler()) is not None:
            self._epoch.begin_pass(repeats=bool(getattr(sampler, "replacement", False)))
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        length = len(self.dataset)
        try:
            at = operator.index(index)  # also of NumPy's and torch's whole numbers
        except TypeError:
            raise InputError(
                f"an item is taken by its number, got {shown(index)}: for several, torch.utils.data.Subset(dataset, "
                "range(0, 2))"
            ) from None
        if not -length <= at < length:
            raise IndexError(f"item {at} of a data set of {length}")
        number = at % length
        epoch = index.epoch if isinstance(index, EpochIndex) else self._epoch.of(number)
        item = self.dataset[number]
        place = self._place(item)
        image = item if place is None else item[place]
        if self._moves and place is not None:
            refuse_following(self.method, item, image)
            self._refuse_several(item, image)
        if self.before is not None:
            image = self.before(image)
        made = [_copy(image)] if self.clean else []  # ``after`` may change it, and the data set's must stay
        for view in range(self.views):
            made.append(augment_item(image, self._augmenter, index=number, epoch=epoch, view=view))
        if self.after is not None:
            made = [self.after(one) for one in made]
        return _replaced(item, place, made[0] if len(made) == 1 and not self.clean else tuple(made))

    def _refuse_several(self, item: Any, image: Any) -> None:
        """Refuse an item with another Pillow image: a mask in colors looks like one. ``image=...`` says it is none."""
        parts = item.values() if isinstance(item, dict) else item
        if self.image is None and any(isinstance(part, Image.Image) and part is not image for part in parts):
            raise InputError(
                f"an item of the data set has several images, and {self.method.name} would move the pixels of one: say "
                'which with image=..., or, where the other is a mask, pass boxes="photometric"'
            )

    def _place(self, item: Any) -> Any:
        """Where an item has its image; None if it is one."""
        if isinstance(item, dict):
            place = "image" if self.image is None else self.image
            if place not in item:
                raise InputError(
                    f"an item of the data set has no {place!r}, only {', '.join(map(repr, item))}: name its image with "
                    "image=..."
                )
            return place
        if isinstance(item, tuple | list):
            return 0 if self.image is None else self.image
        return None


def _copy(image: Any) -> Any:
    """Pillow's images and arrays have a ``copy``, torch's tensors a ``clone``."""
    copy = getattr(image, "copy", None) or getattr(image, "clone", None)
    return image if copy is None else copy()


def _replaced(item: Any, place: Any, image: Any) -> Any:
    if place is None:
        return image
    if isinstance(item, dict):
        return {**item, place: image}
    parts = list(item)
    parts[place] = image
    if isinstance(item, list):
        return parts
    return type(item)(*parts) if hasattr(item, "_fields") else tuple(parts)
