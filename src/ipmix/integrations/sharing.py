"""What the integrations have in common: a missing library in one line, a method made ready, images as arrays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ipmix.augmentation.batches import check_method
from ipmix.augmentation.inputs import check_mixing
from ipmix.augmentation.single import Augmenter
from ipmix.core.checking import described
from ipmix.core.errors import InputError
from ipmix.core.image_forms import advice, out_of_range
from ipmix.methods.choosing import named_method
from ipmix.methods.moving import moves_pixels, photometric
from ipmix.methods.protocol import Method
from ipmix.mixing_set import MixingSet
from ipmix.recipe.mixing_images import MixingImages

BOXES = ("refuse", "photometric")
"""What happens to a method that moves pixels beside boxes and masks, as in ``ipmix.transforms.MethodTransform``."""


@contextmanager
def needed(library: str, extra: str) -> Iterator[None]:
    """Around an import: that the library is missing is said in one line, with the extra that brings it.

    Raises:
        ModuleNotFoundError: naming the library and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        message = f'ipmix.integrations.{extra} needs {library}, which is not installed: pip install "ipmix[{extra}]"'
        raise ModuleNotFoundError(message, name=error.name) from None


def settled(
    method: Method | str, mixing: MixingImages | None = None, boxes: str = "refuse"
) -> tuple[Method, MixingImages | None]:
    """The method, by its name or itself, and its mixing images: ``MixingSet.sample()`` where it needs some.

    Raises:
        InputError: no method, or one that mixes labels; mixing images that are none.
    """
    if boxes not in BOXES:
        raise InputError(f"boxes is one of {', '.join(BOXES)}, got {boxes!r}")
    method = named_method(method) if isinstance(method, str) else method
    check_method(method)
    if method.mixes_labels:
        raise InputError(
            f"{method.name} mixes labels, and this gives images alone: take a method that keeps them, or mix whole "
            "batches, with ipmix.transforms.collate(method, classes=...) in PyTorch, elsewhere with ipmix.draw and "
            "ipmix.apply"
        )
    if boxes == "photometric":
        method = photometric(method)
    check_mixing(mixing)
    if mixing is None and method.needs_mixing_images:
        mixing = MixingSet.sample()
    return method, mixing


def refuse_following(method: Method, following: str | None) -> None:
    """Raise :class:`InputError` where the method moves pixels and something of the sample would have to follow."""
    if following and moves_pixels(method):
        raise InputError(
            f"{method.name} moves pixels, and the sample's {following} would stay where they are: pass "
            'boxes="photometric", or operations="photometric" to the method'
        )


def augment_array(image: Any, augmenter: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``augmenter`` (uint8[H, W, C] -> the same) on one array: the same shape and dtype.

    Args:
        image: [H, W, C] or [H, W], of bytes, or of floats from 0 to 1, which are rounded to 256 levels.
        augmenter: what is done.

    Raises:
        InputError: another shape or dtype, or floats beyond 0 to 1; it says what the image may be, and what to do.
    """
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
        words = "" if isinstance(image, np.ndarray) and image.dtype != np.uint8 else advice(image, "image", batch=False)
        raise InputError(f"an image is an array [H, W, C] or [H, W], got {described(image)}{words and ': '}{words}")
    flat = image[:, :, None] if image.ndim == 2 else image
    changed = augmenter(np.ascontiguousarray(to_bytes(flat)))
    changed = from_bytes(changed, flat.dtype)
    return changed[:, :, 0] if image.ndim == 2 else changed


def to_bytes(images: np.ndarray, top: float = 1.0) -> np.ndarray:
    """Bytes as they are, and floats from 0 to ``top`` as bytes: uint8 of the same shape."""
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        words = advice(images, "image", batch=False)
        raise InputError(f"images are of uint8 or of floats from 0 to {top:g}, got {images.dtype}: {words}")
    if images.size:
        low, high = float(images.min()), float(images.max())
        clip, rounded = f"numpy.clip(image, 0, {top:g})", "image.round().astype(numpy.uint8)"
        if how := out_of_range(low, high, top, clip, rounded):
            raise InputError(
                f"images of {images.dtype} hold numbers from 0 to {top:g}, got {low:.6g} to {high:.6g}: {how}"
            )
    return np.rint(images.astype(np.float32) * np.float32(255 / top)).clip(0, 255).astype(np.uint8)


def from_bytes(images: np.ndarray, dtype: Any, top: float = 1.0) -> np.ndarray:
    """Bytes as they are for uint8, and as multiples of ``top`` / 255 for floats."""
    if np.dtype(dtype) == np.uint8:
        return images
    return (images.astype(np.float32) * np.float32(top) / np.float32(255)).astype(dtype)


def made_ready(method: Method, mixing: MixingImages | None, seed: int = 0) -> Augmenter:
    """An :class:`~ipmix.Augmenter` of the settled method, safe for threads and processes."""
    return Augmenter(method, mixing, seed=seed)
