"""albumentations: a method as an ``ImageOnlyTransform``, for ``A.Compose``.

>>> A.Compose([A.RandomCrop(32, 32), AlbumentationsTransform("ipmix-k3-t3")])  # doctest: +SKIP
"""

import sys
from typing import Any

import numpy as np

from ipmix.core.checking import check_int64
from ipmix.integrations.method_data import method_as_data, method_of_data
from ipmix.integrations.sharing import augment_array, made_ready, needed, refuse_following, settled
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages

with needed("albumentations", "albumentations"):
    import albumentations

FOLLOWING = ("mask", "masks", "bboxes", "keypoints", "mask3d", "masks3d")
"""What of a sample would have to move with the pixels."""


class AlbumentationsTransform(albumentations.ImageOnlyTransform):
    """A label-preserving method for images [H, W, C] or [H, W] of uint8, or of float32 from 0 to 1.

    The key of each call is drawn from the transform's own generator, or from the one that ``A.Compose`` gives to all.
    In a worker of torch's DataLoader the worker's own seed is mixed in, since forked workers have copies of one
    generator: so every worker and every epoch has other draws, and ``torch.manual_seed`` repeats them.

    Args:
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        own_seed: of the transform's own generator; without it, ``A.Compose(..., seed=...)`` decides.
        boxes: beside masks, boxes or key points, a method that moves pixels is refused ("refuse"), or those of its
            operations that leave pixels in their place are taken ("photometric").
        p: the share of images that are augmented.

    Raises:
        InputError: settings that don't fit, masks beside moved pixels, or an image of another dtype or range.
    """

    class InitSchema(albumentations.BasicTransform.InitSchema):
        method: Any
        mixing: Any
        own_seed: Any
        boxes: Any

        def model_dump(self, **_: Any) -> dict[str, Any]:
            """The settings as they are: a method that was made would become a dict of its options."""
            return {name: getattr(self, name) for name in type(self).model_fields}

    def __init__(
        self,
        method: Method | str = "ipmix",
        mixing: MixingImages | None = None,
        own_seed: int | None = None,
        boxes: str = "refuse",
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        method = method_of_data(method)
        if own_seed is not None:
            check_int64("own_seed", own_seed)
        self.method, self.mixing, self.own_seed, self.boxes = method, mixing, own_seed, boxes
        self._method, images = settled(method, mixing, boxes)
        self._augmenter = made_ready(self._method, images)
        self._own = None if own_seed is None else np.random.default_rng(own_seed % 2**64)

    def get_transform_init_args(self) -> dict[str, Any]:
        """The settings for a saved pipeline: the method by its name, or by its name and options; no mixing images.

        Raises:
            InputError: a method of one's own that was given as an object.
        """
        return {**super().get_transform_init_args(), "method": method_as_data(self.method), "mixing": None}

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The key of this call."""
        refuse_following(self._method, next((name for name in FOLLOWING if data.get(name) is not None), None))
        source = self.random_generator if self._own is None else self._own
        return {"key": int(source.integers(2**63)), "worker": _worker_seed()}

    def apply(self, img: np.ndarray, key: int = 0, worker: int = 0, **params: Any) -> np.ndarray:
        """One image, augmented by the key."""
        return augment_array(img, lambda image: self._augmenter(image, index=key, epoch=worker))


def _worker_seed() -> int:
    """The seed of the DataLoader's worker that this process is; 0 in any other process."""
    torch = sys.modules.get("torch")
    info = None if torch is None else torch.utils.data.get_worker_info()
    return 0 if info is None else int(info.seed)
