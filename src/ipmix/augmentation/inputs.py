"""What the edge checks: images, outputs, and the mixing images that a table asks for."""

import os
from typing import Any

import numpy as np

from ipmix.core.checking import check_images, check_out, described, shown
from ipmix.core.errors import InputError
from ipmix.core.image_forms import channels_advice
from ipmix.core.recycling import recycled_array
from ipmix.engines.output import Output
from ipmix.recipe.format import NO_MIXING_IMAGE
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.table import RecipeTable


def contiguous_images(images: Any, name: str = "images") -> np.ndarray:
    """``images`` as C-contiguous uint8[N, H, W, C]; :class:`InputError` for anything else, by this name."""
    check_images(images, name)
    return np.ascontiguousarray(np.asarray(images))


def make_out(out: np.ndarray | None, form: Output, images: np.ndarray) -> np.ndarray:
    """``out`` if results in this form can be written to it, a new array if it is None."""
    expected = form.shape(*images.shape[:3])
    if out is None:
        return recycled_array(expected, form.kind)
    check_out(out, expected, form.kind, images)
    return out


def check_mixing(mixing: Any) -> None:
    """Raise :class:`InputError` unless this can be a mixing set, an array (checked where it is used), or None."""
    if isinstance(mixing, str | os.PathLike):
        raise InputError(f"mixing is a set, not its path: pass mixing=ipmix.MixingSet.folder({shown(str(mixing))})")
    if mixing is not None and (isinstance(mixing, type) or not hasattr(mixing, "__len__")):
        raise InputError(f"mixing must be a MixingSet or an array uint8[M, h, w, C], got {described(mixing)}")


class OneByOne:
    """A mixing set of which a batch's own images are resized for it, and nothing else is made or kept.

    For a size that not many images have (``MixingSet.planes_if_worth``). The results are the same.
    """

    def __init__(self, mixing: Any) -> None:
        self._mixing = mixing

    def __len__(self) -> int:
        return len(self._mixing)

    def __getitem__(self, index: int) -> np.ndarray:
        image: np.ndarray = self._mixing[index]
        return image

    def planes(self, height: int, width: int, channels: int = 3) -> None:
        """None of the whole set: they are what isn't made."""

    def gather(self, numbers: np.ndarray, height: int, width: int, channels: int = 3) -> np.ndarray:
        """Those of some images."""
        planes: np.ndarray = self._mixing.resized(numbers, height, width, channels)
        return planes


def mixing_planes(
    table: RecipeTable, images: np.ndarray, mixing: MixingImages | OneByOne | None
) -> tuple[RecipeTable, np.ndarray]:
    """The mixing images as planes uint8[M, C, h, w], and the table with its image numbers fitting them."""
    height, width, channels = images.shape[1:]
    used = table.heads["mixing_image"]
    if mixing is None:
        if len(used) and used.max(initial=NO_MIXING_IMAGE) > NO_MIXING_IMAGE:
            raise InputError("the recipes use mixing images, and mixing is None: pass the set they were drawn for")
        return table, np.zeros((1, channels, height, width), np.uint8)
    if len(used) and used.max(initial=NO_MIXING_IMAGE) >= len(mixing):
        raise InputError(f"a recipe uses mixing image {used.max()}, and the set has {len(mixing)}")
    if not isinstance(mixing, np.ndarray) and hasattr(mixing, "planes"):
        planes = mixing.planes(height, width, channels)
        if planes is not None and not isinstance(planes, np.memmap):
            return table, planes
        # A set larger than memory, or a size of few images: only this batch's are read, or resized.
        table, chosen = _renumbered(table)
        return table, mixing.gather(chosen, height, width, channels)
    return _gather(table, contiguous_images(mixing, "mixing"), height, width, channels)


def _gather(
    table: RecipeTable, images: np.ndarray, height: int, width: int, channels: int
) -> tuple[RecipeTable, np.ndarray]:
    check_fit(images, height, width, channels)
    # Only the images that this batch uses are rearranged.
    table, chosen = _renumbered(table)
    return table, np.ascontiguousarray(images[chosen].transpose(0, 3, 1, 2))


def _renumbered(table: RecipeTable) -> tuple[RecipeTable, np.ndarray]:
    """The table with its image numbers pointing into the images it uses, and those: int64[n], n >= 1."""
    used = table.heads["mixing_image"]
    chosen, places = np.unique(used[used != NO_MIXING_IMAGE], return_inverse=True)
    heads = table.heads.copy()
    heads["mixing_image"][used != NO_MIXING_IMAGE] = places
    if not len(chosen):
        chosen = np.zeros(1, np.int64)
    return RecipeTable(table.height, table.width, heads, table.chains, table.steps), chosen


def check_fit(images: np.ndarray, height: int, width: int, channels: int) -> None:
    """Raise :class:`InputError` unless mixing images uint8[M, h, w, C] can be cropped to images of this shape."""
    if images.shape[3] != channels:
        raise InputError(
            f"the images have {channels} channels, the mixing images {images.shape[3]}: {channels_advice(channels)}"
            "convert one"
        )
    if images.shape[1] < height or images.shape[2] < width:
        raise InputError(
            f"mixing images must be at least as large as the images ({width}x{height}), got "
            f"{images.shape[2]}x{images.shape[1]}; MixingSet.array(images) resizes them"
        )
