"""kornia: a method for batches on any device, inside ``AugmentationSequential`` or alone.

>>> K.AugmentationSequential(K.RandomHorizontalFlip(), KorniaAugmentation("ipmix-k3-t3"))  # doctest: +SKIP

Each image of a batch has a key of its own from torch's generator, kept in ``_params`` as kornia's other draws are:
``augmentation(images, params=augmentation._params)`` does the same again. Batches on an accelerator travel to the CPU
and back. There is no gradient through it.
"""

from typing import Any

import torch

from ipmix.integrations.sharing import needed, refuse_following, settled
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages

with needed("kornia", "kornia"):
    from kornia.augmentation import IntensityAugmentationBase2D


class KorniaAugmentation(IntensityAugmentationBase2D):
    """A label-preserving method for float images [B, C, H, W] from 0 to 1.

    Args:
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        boxes: beside masks, boxes or key points, a method that moves pixels is refused ("refuse"), or those of its
            operations that leave pixels in their place are taken ("photometric").
        p, same_on_batch, keepdim: as of kornia's own augmentations.

    Raises:
        InputError: settings that don't fit, masks beside moved pixels, or numbers beyond 0 to 1.
    """

    def __init__(
        self,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        *,
        boxes: str = "refuse",
        p: float = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
    ) -> None:
        super().__init__(p=p, same_on_batch=same_on_batch, p_batch=1.0, keepdim=keepdim)
        self.method, self.mixing = settled(method, mixing, boxes)

    def generate_parameters(self, batch_shape: Any) -> dict[str, torch.Tensor]:
        """A key for each image: int64[B]."""
        count = int(batch_shape[0])
        keys = torch.empty(1 if self.same_on_batch else count, dtype=torch.int64).random_()
        return {"keys": keys.expand(count).contiguous()}

    def apply_transform(self, input: torch.Tensor, params: Any, flags: Any, transform: Any = None) -> torch.Tensor:
        """The batch with each image augmented by its key: same dtype and device."""
        from ipmix.augmentation.batches import augment

        keys = params["keys"].cpu().numpy()
        changed: torch.Tensor = augment(input, self.method, self.mixing, seed=0, indices=keys)
        return changed

    def apply_transform_mask(self, input: Any, params: Any, flags: Any, transform: Any = None) -> Any:
        """Masks as they are, unless pixels move."""
        refuse_following(self.method, "masks")
        return input

    def apply_transform_box(self, input: Any, params: Any, flags: Any, transform: Any = None) -> Any:
        """Boxes as they are, unless pixels move."""
        refuse_following(self.method, "boxes")
        return input

    def apply_transform_keypoint(self, input: Any, params: Any, flags: Any, transform: Any = None) -> Any:
        """Key points as they are, unless pixels move."""
        refuse_following(self.method, "key points")
        return input
