"""Batches whose images are mixed with each other, and their labels with them: a DataLoader's ``collate_fn``."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from ipmix.augmentation.batches import apply, check_method, draw
from ipmix.augmentation.inputs import check_mixing
from ipmix.augmentation.tensors import from_tensor, to_tensor
from ipmix.core.bounds import CLASSES_MOST
from ipmix.core.checking import check_count, shown
from ipmix.core.errors import InputError
from ipmix.core.image_forms import check_channels_first
from ipmix.methods.choosing import named_method
from ipmix.methods.protocol import Method
from ipmix.mixing_set import MixingSet
from ipmix.recipe.mixing_images import MixingImages
from ipmix.transforms.images import check_array, from_pil, no_image


class BatchCollate:
    """A ``collate_fn`` that augments the batch and gives soft labels; see :func:`collate`."""

    def __init__(self, method: Method, classes: int, mixing: MixingImages | None) -> None:
        self.method, self.classes, self.mixing = method, classes, mixing

    def __call__(self, items: list[tuple[Any, Any]]) -> tuple[torch.Tensor, torch.Tensor]:
        """(image, label) items -> images [N, C, H, W], labels float32[N, classes] whose rows sum to 1."""
        if not items or not all(isinstance(item, tuple | list) and len(item) == 2 for item in items):
            raise InputError("a batch to collate is a list of items (image, label)")
        tensors, like = _stacked([image for image, _ in items])
        key = int(torch.empty((), dtype=torch.int64).random_())
        count = 0 if self.mixing is None else len(self.mixing)
        table = draw(self.method, tensors.shape, count, seed=key)
        planes = apply(table, tensors, self.mixing, layout="nchw")
        labels = table.labels(np.array([_number(label) for _, label in items]), self.classes)
        mixed = torch.from_numpy(planes) if like is None else to_tensor(planes, like)
        return mixed, torch.from_numpy(np.ascontiguousarray(labels, np.float32))


def collate(method: Method | str, classes: int, mixing: MixingImages | None = None) -> BatchCollate:
    """A ``collate_fn`` for DataLoader that carries out ``method`` on whole batches: CutMix, MixUp, Combined, or any.

    Items are (image, label): Pillow images, arrays uint8[H, W, C] or tensors [C, H, W] of bytes or numbers from 0 to 1,
    all of one size; labels are numbers of classes. The batch is a tensor [N, C, H, W] of the tensors' dtype, or of
    bytes, and float32[N, classes], for ``cross_entropy``. The key comes from torch's generator, once for each batch, in
    a worker from the worker's own. "cutmix" mixes a batch with probability 0.5 (``ipmix.CutMix(probability=1.0)``:
    every one); the others come as they are.

    >>> DataLoader(dataset, 128, collate_fn=ipmix.transforms.collate("cutmix", classes=10))  # doctest: +SKIP
    """
    method = named_method(method) if isinstance(method, str) else method
    check_method(method)
    check_count("classes", classes, 1, CLASSES_MOST)
    check_mixing(mixing)
    if mixing is None and method.needs_mixing_images:
        mixing = MixingSet.sample()
    return BatchCollate(method, int(classes), mixing)


def _number(label: Any) -> int:
    """A label as a number of a class; InputError for text, fractions and more than one number."""
    try:
        number = int(label)
        whole = bool(number == label)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        whole = False
    if not whole:
        several = " (of one-hot or soft labels, label.argmax())" if getattr(label, "ndim", 0) else ""
        raise InputError(f"labels to collate are whole numbers of classes, got {shown(label)}{several}")
    return number


def _stacked(images: list[Any]) -> tuple[np.ndarray, torch.Tensor | None]:
    """The images as uint8[N, H, W, C], and where they are tensors, those as one batch."""
    kinds = {type(image).__name__ if not isinstance(image, Image.Image) else f"Pillow image of mode {image.mode}"
             for image in images}  # fmt: skip
    if len(kinds) > 1:
        raise InputError(
            f"the images of a batch must be of one kind, got {' and '.join(sorted(kinds))}: convert them, such as by "
            "image.convert('RGB') or numpy.asarray(image)"
        )
    shapes = {tuple(getattr(image, "shape", ())) or getattr(image, "size", None) for image in images}
    if len(shapes) > 1:
        raise InputError(
            f"the images of a batch must be of one size, got {sorted(map(str, shapes))}: crop or resize them"
        )
    if all(isinstance(image, torch.Tensor) for image in images):
        if images[0].ndim != 3:
            raise no_image(images[0])
        check_channels_first(images[0].shape)
        like = torch.stack(images)
        return from_tensor(like), like
    for image in images:
        if isinstance(image, np.ndarray):
            check_array(image)
    arrays = [from_pil(image) if isinstance(image, Image.Image) else image for image in images]
    if not all(isinstance(array, np.ndarray) for array in arrays):
        raise InputError("images to collate are Pillow images, arrays uint8[H, W, C] or tensors [C, H, W], all alike")
    return np.stack(arrays), None
