"""The methods as torchvision transforms, for ``v2.Compose`` and for the older ``transforms.Compose``.

Randomness follows torchvision: each call draws one number from torch's generator, and that is the key. So workers,
epochs and ``torch.manual_seed`` do what they do for every other transform.
"""

import threading
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch.utils._pytree import tree_flatten, tree_unflatten
from torchvision import tv_tensors
from torchvision.transforms import v2

from ipmix import methods
from ipmix.augmentation.batches import augment, check_method
from ipmix.augmentation.single import Augmenter
from ipmix.augmentation.tensors import from_tensor
from ipmix.core.checking import check_choice, described
from ipmix.core.errors import InputError
from ipmix.core.randomness import GOLDEN
from ipmix.methods.choosing import named_method
from ipmix.methods.moving import moves_pixels, photometric
from ipmix.methods.protocol import Method
from ipmix.mixing_set import MixingSet
from ipmix.recipe.mixing_images import MixingImages
from ipmix.transforms.images import augment_item, check_array, to_tensor
from ipmix.transforms.samples import BOXES, FOLLOWING, refuse_following

IMAGES = (Image.Image, tv_tensors.Image, tv_tensors.Video)
"""What is an image by its type; an array uint8[H, W, C] or a plain tensor is one where a sample holds none of these."""


class _Drawn(threading.local):
    """A place for a number from torch's generator, each thread's own: making one takes longer than drawing it."""

    def __init__(self) -> None:
        with torch.inference_mode(False):  # what is made in that mode could not be written to outside it
            self.number = torch.empty((), dtype=torch.int64, device="cpu")


_DRAWN = _Drawn()


class MethodTransform(v2.Transform):
    """Any label-preserving method as a transform.

    Takes Pillow images (of 8-bit channels: L, RGB, or others with a mixing set of as many channels), arrays
    uint8[H, W, C], tensors [C, H, W] or [N, C, H, W] of bytes or of numbers from 0 to 1, ``tv_tensors.Image`` and
    ``tv_tensors.Video``; gives the same kind, shape, dtype and device. In a sample (a tuple, list or dict) labels and
    the like pass; an array or a plain tensor is its image where nothing else is, the first of them. Several
    images of a sample are augmented by one key where each is a ``tv_tensors.Image``; others are refused, as one may be
    a mask. Every image of a batch has a recipe of its own, the frames of a video share one. Numbers are rounded to 256
    levels. Tensors on an accelerator travel to the CPU and back. Place it after cropping and flipping, before
    normalising.

    Args:
        method: such as ``ipmix.IPMix()``.
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        boxes: beside bounding boxes, masks or key points (``tv_tensors``, dict entries of such names, a mask of the
            image's size), a method that moves pixels is refused ("refuse"), or those of its operations that leave
            pixels in their place are taken in every call ("photometric").

    Raises:
        InputError: a method that mixes labels (see :func:`ipmix.transforms.collate`), images that can't be used, or a
            call without an image.
    """

    def __init__(self, method: Method, mixing: MixingImages | None = None, *, boxes: str = "refuse") -> None:
        super().__init__()
        check_method(method)
        if method.mixes_labels:
            raise InputError(f"{method.name} mixes labels: take ipmix.transforms.collate(method, classes=...)")
        check_choice("boxes", boxes, BOXES)
        self.method = photometric(method) if boxes == "photometric" else method
        self.mixing = MixingSet.sample() if mixing is None and method.needs_mixing_images else mixing
        self.boxes = boxes
        self._moves = moves_pixels(self.method)
        self._augmenter = Augmenter(self.method, self.mixing, seed=0)

    def forward(self, *inputs: Any) -> Any:
        """As every transform of torchvision, but that one image alone is not looked for in a tree of inputs.

        At 32x32 that takes longer than augmenting it; the key, and so the result, are the same.
        """
        if len(inputs) == 1:
            if isinstance(inputs[0], Image.Image):
                return augment_item(inputs[0], self._augmenter, index=self.make_params([])["key"], epoch=0)
            if type(inputs[0]) is torch.Tensor:
                return self.transform(inputs[0], self.make_params([]))
            inputs = inputs[0]
        items, structure = tree_flatten(inputs)
        self.check_inputs(items)
        chosen = _images_of(items)
        if self._moves:
            refuse_following(self.method, inputs, items[min(chosen)])
        params = self.make_params(items)
        made = [self.transform(item, params) if place in chosen else item for place, item in enumerate(items)]
        return tree_unflatten(made, structure)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Refuse what would have to follow the pixels, also where there is no image."""
        following = next((item for item in flat_inputs if isinstance(item, FOLLOWING)), None)
        if following is not None and self._moves:
            refuse_following(self.method, following, None)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The key of this call: a number from torch's generator."""
        return {"key": _DRAWN.number.random_().item()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """``inpt`` augmented by the key."""
        if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(inpt, tv_tensors.Image | tv_tensors.Video):
            return inpt
        key = params["key"]
        if isinstance(inpt, np.ndarray):
            check_array(inpt)
        elif isinstance(inpt, torch.Tensor) and inpt.ndim != 3:
            return self._batch(inpt, key)
        return augment_item(inpt, self._augmenter, index=key, epoch=0)

    def _batch(self, batch: torch.Tensor, key: int) -> torch.Tensor:
        images = from_tensor(batch)
        numbers = np.arange(len(images))
        if isinstance(batch, tv_tensors.Video):
            numbers //= batch.shape[-4]  # its frames share a key
        keys = (np.uint64(key) + numbers.astype(np.uint64) * GOLDEN).view(np.int64)
        planes = augment(images, self.method, self.mixing, seed=0, indices=keys, layout="nchw")
        return to_tensor(planes, batch)

    def extra_repr(self) -> str:
        """The method, how many mixing images there are, and what happens beside boxes."""
        images = "" if self.mixing is None else f", {len(self.mixing)} mixing images"
        return f"{self.method}{images}, boxes={self.boxes!r}"


def _images_of(items: list[Any]) -> set[int]:
    """The places of a sample's images: those that are by their type, else its first array or plain tensor.

    Raises:
        InputError: there is none; or beside another one that is an image or a mask, which nothing tells apart.
    """
    chosen = {place for place, item in enumerate(items) if isinstance(item, IMAGES)}
    if chosen:
        # By their own types only: a mask of Pillow looks like an image, and colors that change ruin it.
        plain = [item for item in items if isinstance(item, Image.Image) or _is_array_image(item)]
        declared = sum(isinstance(item, tv_tensors.TVTensor) for item in (items[place] for place in chosen))
        if plain and len(plain) + declared > 1:
            raise InputError(_several(plain[-1]))
        return chosen
    arrays = [item for item in items if _is_array_image(item)]
    if len(arrays) > 1:
        raise InputError(_several(arrays[-1]))
    for place, item in enumerate(items):
        if type(item) is torch.Tensor or (isinstance(item, np.ndarray) and (item.ndim > 1 or len(items) == 1)):
            return {place}
    got = ", ".join(described(item) for item in items[:4]) + (", ..." if len(items) > 4 else "")
    raise InputError(
        "there is no image to augment: expected one (Pillow, array uint8[H, W, C], tensor [C, H, W] or "
        f"tv_tensors.Image), alone or in a sample, got {got or 'nothing'}"
    )


def _is_array_image(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim == 3 and item.shape[2] <= 4


def _several(second: Any) -> str:
    """What is said of a sample with several images that don't say what they are."""
    is_pillow = isinstance(second, Image.Image)
    kind = f"a Pillow image of mode {second.mode}" if is_pillow else f"an array {described(second)}"
    return (
        f"the sample has several images, one of them {kind}: a mask is to be wrapped in torchvision.tv_tensors.Mask "
        "(torchvision.datasets.wrap_dataset_for_transforms_v2 does it), images in tv_tensors.Image each"
    )


class _NamedTransform(MethodTransform):
    """A method by its own class: its options are the transform's."""

    kind: ClassVar[Any]

    def __init__(self, *options: Any, mixing: MixingImages | None = None, boxes: str = "refuse", **named: Any) -> None:
        if options and hasattr(options[0], "draw"):
            raise InputError(
                f"{self.kind.__name__} takes the options of its method, got a method: take "
                f"ipmix.transforms.MethodTransform({type(options[0]).__name__}(...))"
            )
        try:
            method = self.kind(*options, **named)
        except TypeError as error:
            raise InputError(f"{self.kind.__name__}: {error}") from None
        super().__init__(method, mixing, boxes=boxes)

    @classmethod
    def preset(cls, name: str, *, mixing: MixingImages | None = None, boxes: str = "refuse") -> MethodTransform:
        """The transform of one of the method's presets, such as "paper-imagenet" of IPMix."""
        if not hasattr(cls.kind, "preset"):
            raise InputError(f"{cls.kind.name} has no presets")
        return MethodTransform(cls.kind.preset(name), mixing, boxes=boxes)


class IPMixTransform(_NamedTransform):
    """:class:`ipmix.IPMix` as a transform; see :class:`MethodTransform`."""

    kind = methods.IPMix


class AugMixTransform(_NamedTransform):
    """:class:`ipmix.AugMix` as a transform; see :class:`MethodTransform`."""

    kind = methods.AugMix


class PixMixTransform(_NamedTransform):
    """:class:`ipmix.PixMix` as a transform; see :class:`MethodTransform`."""

    kind = methods.PixMix


class LayerMixTransform(_NamedTransform):
    """:class:`ipmix.LayerMix` as a transform; see :class:`MethodTransform`."""

    kind = methods.LayerMix


class PRIMETransform(_NamedTransform):
    """:class:`ipmix.PRIME` as a transform; see :class:`MethodTransform`."""

    kind = methods.PRIME


class CutOutTransform(_NamedTransform):
    """:class:`ipmix.CutOut` as a transform; see :class:`MethodTransform`."""

    kind = methods.CutOut


class AutoAugmentTransform(_NamedTransform):
    """:class:`ipmix.AutoAugment` as a transform; see :class:`MethodTransform`."""

    kind = methods.AutoAugment


class RandAugmentTransform(_NamedTransform):
    """:class:`ipmix.RandAugment` as a transform; see :class:`MethodTransform`."""

    kind = methods.RandAugment


class TrivialAugmentWideTransform(_NamedTransform):
    """:class:`ipmix.TrivialAugmentWide` as a transform; see :class:`MethodTransform`."""

    kind = methods.TrivialAugmentWide


class VanillaTransform(_NamedTransform):
    """:class:`ipmix.Vanilla` as a transform: nothing is changed; see :class:`MethodTransform`."""

    kind = methods.Vanilla


def from_name(name: str, mixing: MixingImages | None = None, *, boxes: str = "refuse") -> MethodTransform:
    """The transform that a name stands for, such as "ipmix-k3-t3", "augmix-imagenet" or "randaugment-m9".

    See :func:`ipmix.methods.choosing.named_method` for the names.
    """
    return MethodTransform(named_method(name), mixing, boxes=boxes)
