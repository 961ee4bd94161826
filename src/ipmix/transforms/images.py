"""Images as training scripts have them, as arrays that the engine takes, and back: Pillow, NumPy, torch.

A form is found once for an image; what it holds stays as it is: mode, dtype, device, the kind of tensor.
"""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors

from ipmix.augmentation.single import Augmenter
from ipmix.augmentation.tensors import from_tensor
from ipmix.augmentation.tensors import to_tensor as to_plain_tensor
from ipmix.core.checking import described
from ipmix.core.errors import InputError
from ipmix.core.image_forms import advice, check_channels_last, pillow_advice
from ipmix.transforms.pillow_memory import rgb_pair

MODES = ("L", "LA", "RGB", "RGBA", "CMYK")
"""Pillow's modes whose channels are light, or ink, of 8 bits: the engine takes them as they are."""

OTHER_COLORS = ("YCbCr", "HSV", "LAB")
"""Modes whose channels are no amounts of light: mixing hues, or turning them round, gives no colors of an image."""


def from_pil(image: Image.Image) -> np.ndarray:
    """A Pillow image as uint8[H, W, C]."""
    if image.mode not in MODES:
        convert = f"convert it first, {pillow_advice(image.mode)}"
        if image.mode in OTHER_COLORS:
            raise InputError(f"an image of mode {image.mode} has no channels of light to augment: {convert}")
        scale = " (of numbers from 0 to 65535)" if image.mode.startswith(("I", "F")) else ""
        raise InputError(f"an image of mode {image.mode} has no 8-bit channels to augment: {convert}{scale}")
    # Its bytes at once: np.asarray takes half as long again for a small image.
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, len(image.getbands()))


def to_pil(pixels: np.ndarray, like: Image.Image) -> Image.Image:
    """uint8[H, W, C] as a Pillow image of the same mode, with what is known of it (color profile, EXIF)."""
    made = Image.frombytes(like.mode, (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels))
    made.info = like.info.copy()
    return made


def to_tensor(planes: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """uint8[N, C, H, W] as a tensor like ``like``: shape, dtype, device and kind; numbers are multiples of 1/255."""
    tensor = to_plain_tensor(planes, like)
    return tv_tensors.wrap(tensor, like=like) if isinstance(like, tv_tensors.TVTensor) else tensor


def check_array(image: np.ndarray) -> None:
    """Raise :class:`InputError` unless an array is one image uint8[H, W, C]; what to do for what it is instead."""
    if image.dtype == np.uint8 and image.ndim == 3 and 0 not in image.shape:
        check_channels_last(image.shape, "image")
        return
    words = advice(image, "image", batch=False)
    raise InputError(f"an array to augment is one image uint8[H, W, C], got {described(image)}: {words}")


def augment_item(image: Any, augmenter: Augmenter, *, index: int, epoch: int, view: int = 0) -> Any:
    """One image of any kind augmented by a key: the same kind.

    Args:
        image: a Pillow image, uint8[H, W, C] or [H, W], or a tensor [C, H, W].
        augmenter: of bytes, pixel by pixel.
        index, epoch, view: as in a call of the augmenter.

    Raises:
        InputError: no image, or one whose samples the engine doesn't take.
    """
    if isinstance(image, Image.Image):
        if image.mode == "RGB" and (pair := rgb_pair(image)) is not None:
            source, target, made, _keepers = pair
            width, height = image.size
            augmenter.augment_rgbx(source, target, (height, width), index=index, epoch=epoch, view=view)
            return made
        return to_pil(augmenter(from_pil(image), index=index, epoch=epoch, view=view), image)
    if isinstance(image, np.ndarray):
        if image.ndim == 2:
            return augmenter(image[:, :, None], index=index, epoch=epoch, view=view)[:, :, 0]
        return augmenter(image, index=index, epoch=epoch, view=view)
    if isinstance(image, torch.Tensor) and image.ndim == 3:
        pixels = augmenter(from_tensor(image)[0], index=index, epoch=epoch, view=view)
        return to_tensor(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None], image)
    raise no_image(image)


def no_image(image: Any) -> InputError:
    """What is said of something that was expected to be one image, and what to do."""
    words = advice(image, "image", batch=False)
    shape = f" {list(image.shape)}" if isinstance(image, torch.Tensor) else ""
    return InputError(
        f"expected one image (Pillow, uint8[H, W, C], or a tensor [C, H, W]), got {type(image).__name__}{shape}"
        f"{words and ': '}{words}"
    )
