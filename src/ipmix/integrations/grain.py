"""grain (JAX): a method as a ``RandomMapTransform``; its key comes from grain's own generator for the element.

>>> grain.MapDataset.source(source).seed(0).shuffle().random_map(GrainTransform("ipmix-k3-t3"))  # doctest: +SKIP

One transform serves all of grain's read threads and worker processes; what an element becomes depends on grain's seed
and the element's place alone, not on which thread or process made it.
"""

from typing import Any

import numpy as np

from ipmix.core.errors import InputError
from ipmix.integrations.sharing import augment_array, made_ready, needed, settled
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages

with needed("grain", "grain"):
    import grain.python as grain


class GrainTransform(grain.RandomMapTransform):
    """A label-preserving method for elements that are an image, or a dict or tuple with one.

    Images are arrays [H, W, C] or [H, W] of uint8, or of floats from 0 to 1; the same comes back.

    Args:
        method: such as ``ipmix.IPMix()``, or its name such as "ipmix-k3-t3".
        mixing: a mixing set, or uint8[M, h, w, C]; by default, where the method needs one, ``MixingSet.sample()``.
        image: where a dict (a key) or a tuple (a place) has its image.

    Raises:
        InputError: settings that don't fit, or an element without an image.
    """

    def __init__(
        self, method: Method | str = "ipmix", mixing: MixingImages | None = None, *, image: str | int | None = None
    ) -> None:
        method, mixing = settled(method, mixing)
        self.image = image
        self._augmenter = made_ready(method, mixing)

    def random_map(self, element: Any, rng: np.random.Generator) -> Any:
        """The element with its image augmented."""
        key = int(rng.integers(2**63))
        if isinstance(element, np.ndarray):
            return self._augmented(element, key)
        place = self.image if self.image is not None else "image" if isinstance(element, dict) else 0
        try:
            image = element[place]
        except (LookupError, TypeError):
            has = ", ".join(map(repr, element)) if isinstance(element, dict) else type(element).__name__
            raise InputError(f"an element has no {place!r}, only {has}: name its image with image=...") from None
        changed = self._augmented(image, key)
        if isinstance(element, dict):
            return {**element, place: changed}
        parts = list(element)
        parts[int(place)] = changed
        return type(element)(parts) if isinstance(element, list) else tuple(parts)

    def _augmented(self, image: np.ndarray, key: int) -> np.ndarray:
        return augment_array(image, lambda one: self._augmenter(one, index=key, epoch=0))
