"""What stands beside an image in a sample and would have to move with its pixels: boxes, masks, key points."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors

from ipmix.core.errors import InputError
from ipmix.methods.protocol import Method

BOXES = ("refuse", "photometric")
"""What happens to a method that moves pixels beside boxes and masks: it is refused, or keeps to operations that
don't."""

FOLLOWING = tuple(
    getattr(tv_tensors, name) for name in ("BoundingBoxes", "Mask", "KeyPoints") if hasattr(tv_tensors, name)
)
"""What would have to move with the pixels, by its type."""

NAMES = frozenset(
    (
        "boxes",
        "bboxes",
        "bbox",
        "masks",
        "mask",
        "keypoints",
        "seg",
        "segm",
        "segmentation",
        "segmentations",
        "polygons",
    )
)
"""What would have to, by a word of its name in a dict: names of torchvision, COCO, albumentations, WebDataset."""

_BETWEEN = re.compile(r"[^a-z0-9]+")

MASK_MODES = ("1", "L", "P", "I", "I;16", "F")
"""Pillow's modes of images of one number a pixel."""


def refuse_following(method: Method, sample: Any, image: Any) -> None:
    """Refuse a sample with something that would have to move with ``image``, for a method that moves pixels.

    Raises:
        InputError: naming it, and the photometric form.
    """
    found = _following(sample, image, _size(image))
    if found is not None:
        raise InputError(
            f"{method.name} moves pixels, and the sample's {found} would stay where they are: pass "
            'boxes="photometric", or operations="photometric" to the method'
        )


def _following(sample: Any, image: Any, size: tuple[int, int]) -> str | None:
    """The first thing in a sample that would have to follow, in words; None if there is none."""
    if sample is image or isinstance(sample, int | float | str | bytes):
        return None
    if isinstance(sample, Mapping):
        for name, value in sample.items():
            if value is not None and value is not image and _is_named_so(name):
                return type(value).__name__ if isinstance(value, FOLLOWING) else f"{name!r}"
        sample = list(sample.values())
    if isinstance(sample, list | tuple):
        found = (_following(part, image, size) for part in sample)
        return next((words for words in found if words is not None), None)
    if isinstance(sample, FOLLOWING):
        return type(sample).__name__
    if _is_mask(sample, size):
        return f"mask of its size ({type(sample).__name__})"
    return None


def _is_named_so(name: Any) -> bool:
    """Whether one of the words of a name ("mask.png", "segmentation_mask") is one of :data:`NAMES`."""
    return isinstance(name, str) and not NAMES.isdisjoint(_BETWEEN.split(name.lower()))


def _is_mask(part: Any, size: tuple[int, int]) -> bool:
    """Whether this has one number for each pixel of an image of this size (height, width)."""
    if isinstance(part, Image.Image):
        return part.mode in MASK_MODES and (part.height, part.width) == size
    if isinstance(part, np.ndarray) or type(part) is torch.Tensor:
        return tuple(part.shape) in (size, (1, *size), (*size, 1))
    return False


def _size(image: Any) -> tuple[int, int]:
    """(height, width) of an image of any kind; (0, 0) for what is none, which is refused elsewhere."""
    if isinstance(image, Image.Image):
        return image.height, image.width
    shape = tuple(getattr(image, "shape", ()))
    if len(shape) < 2:
        return 0, 0
    return shape[-2:] if isinstance(image, torch.Tensor) else shape[:2]
