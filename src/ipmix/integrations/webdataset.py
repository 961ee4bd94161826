"""WebDataset: a function over samples, for ``.map`` behind ``.decode``.

>>> wds.WebDataset(urls).decode("pil").map(AugmentedSample("ipmix-k3-t3", image="jpg"))  # doctest: +SKIP

A stream has no numbers: what a sample becomes is a pure function of the seed, the epoch and its own ``__key__``, by
:func:`ipmix.key_of`, whatever shard, worker or order it comes in.
"""

import warnings
from typing import Any

import numpy as np
import torch

from ipmix.core.checking import check_int64, described, shown
from ipmix.core.errors import InputError
from ipmix.core.item_keys import key_of
from ipmix.integrations.sharing import made_ready, needed, settled
from ipmix.methods.moving import moves_pixels
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages

with needed("webdataset", "webdataset"):
    import webdataset as webdataset

ENDINGS = ("jpg", "jpeg", "png", "webp", "ppm", "pgm", "bmp")
"""Under which a sample's image is looked for."""


class AugmentedSample:
    """A label-preserving method for samples, dicts with a ``__key__`` and a decoded image.

    Args:
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        image: under which the sample has its image, such as "jpg" or "jpg;png"; the usual endings if left out. A Pillow
            image ("pil"), an array uint8[H, W, C] ("rgb8") or a tensor [C, H, W] ("torchrgb"), not a file's bytes.
        seed: of the augmentation.
        boxes: beside boxes, masks or key points (by a word of their ending, such as mask.png, or an image of one number
            a pixel), a method that moves pixels is refused ("refuse"), or those of its operations that leave pixels in
            their place are taken ("photometric").

    Raises:
        InputError: settings that don't fit, or a sample without a key or a decoded image.
    """

    def __init__(
        self,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        *,
        image: str | None = None,
        seed: int = 0,
        boxes: str = "refuse",
    ) -> None:
        check_int64("seed", seed)
        if image is not None and not (isinstance(image, str) and all(image.split(";"))):
            raise InputError(f"image is the ending of a sample's image, such as 'jpg' or 'jpg;png', got {shown(image)}")
        self.method, mixing = settled(method, mixing, boxes)
        self._moves = moves_pixels(self.method)
        self.endings = ENDINGS if image is None else tuple(image.split(";"))
        self._epoch = torch.zeros((), dtype=torch.int64, device="cpu").share_memory_()  # workers see it change
        # The number of one sample of this epoch, and whether there is one: seen by all workers, also by later ones.
        self._met = torch.zeros(2, dtype=torch.int64, device="cpu").share_memory_()
        self._augmenter = made_ready(self.method, mixing, seed)

    def set_epoch(self, epoch: int) -> None:
        """Which pass over the data begins: to be told before it, also where workers stay; a warning says if not."""
        check_int64("epoch", epoch)
        self._epoch.fill_(int(epoch))
        self._met.fill_(0)

    def _meet(self, index: int) -> None:
        """Warn where a sample comes again in one epoch: its image would be the same in every pass."""
        if not int(self._met[1]):
            self._met[0], self._met[1] = index, 1
        elif int(self._met[1]) == 1 and int(self._met[0]) == index:
            self._met[1] = 2  # said
            warnings.warn(
                f"a sample has come a second time in epoch {int(self._epoch)}, and is augmented as before: call "
                "set_epoch(n) before each pass over the data",
                stacklevel=3,
            )

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """The sample with its image augmented."""
        from ipmix.transforms.images import augment_item
        from ipmix.transforms.samples import refuse_following

        if not isinstance(sample, dict):
            raise InputError(
                f"a sample is a dict with a __key__ and an image, got {type(sample).__name__}: augment before .to_tuple"
            )
        place = next((ending for ending in self.endings if ending in sample), None)
        if place is None or "__key__" not in sample:
            raise InputError(
                f"a sample needs a __key__ and an image under {', '.join(self.endings)}, it has "
                f"{', '.join(sample)}: name the image with image=..., and augment before .to_tuple"
            )
        image = sample[place]
        if isinstance(image, bytes | bytearray | memoryview):
            raise InputError(
                f"the sample's {place} is not decoded yet, it is {len(image)} bytes of a file: put .decode('pil') "
                "before this"
            )
        if isinstance(image, np.ndarray) and image.dtype != np.uint8:
            raise InputError(
                f"the sample's {place} was decoded as {described(image)}: decode it as bytes, .decode('pil') or "
                ".decode('rgb8')"
            )
        if self._moves:
            refuse_following(self.method, {key: part for key, part in sample.items() if key != place}, image)
        index, epoch = key_of(sample["__key__"]), int(self._epoch)
        self._meet(index)
        return {**sample, place: augment_item(image, self._augmenter, index=index, epoch=epoch)}
