"""One augmented image taken apart: every chain, every step, as images with labels."""

from dataclasses import dataclass

import numpy as np

from ipmix.augmentation.batches import apply
from ipmix.core.errors import InputError
from ipmix.engines import reference
from ipmix.recipe.format import WHOLE
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.recipe import Recipe, Step
from ipmix.recipe.table import RecipeTable


@dataclass(frozen=True, eq=False)
class Row:
    """One line of an explanation: what it is about, and its images (label, uint8[H, W, C]) in order."""

    label: str
    images: tuple[tuple[str, np.ndarray], ...]
    boxes: tuple[tuple[int, int, int, int] | None, ...] = ()
    """For each image the patch that its step has mixed: left, top, right, bottom in pixels; None for none."""


def explain(image: np.ndarray, recipe: Recipe, mixing: MixingImages | None = None) -> list[Row]:
    """The images behind ``augment``'s result for one image, by the reference engine.

    Args:
        image: uint8[H, W, C].
        recipe: what is done to it, such as ``draw(...)[0]``.
        mixing: the mixing set that the recipe was drawn for, as in :func:`ipmix.augment`.

    Returns:
        A first row (the clean image, the mixing image if one is used, the result), then a row for each
        chain: the clean image, and the chain's image after each step.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3:
        raise InputError(f"explain takes one image uint8[H, W, C], got {getattr(image, 'shape', type(image).__name__)}")
    result = apply(RecipeTable.pack([recipe]), image[None], mixing)[0]
    mixing_image = mixing_image_of(recipe, image, mixing)
    first = [("clean", image)]
    if mixing_image is not None:
        first.append((f"mixing image {recipe.mixing_image}", mixing_image))
    rows = [Row(f"result: {recipe.clean / WHOLE:.0%} clean", (*first, ("result", result)))]
    for number, chain in enumerate(recipe.chains, start=1):
        steps = zip(chain.steps, reference.run(recipe, chain, image, mixing_image))
        images = (("clean", image), *((str(step), after) for step, after in steps))
        kind = "" if chain.steps else ", unchanged"
        boxes = (None, *(_box(step) for step in chain.steps))
        rows.append(Row(f"chain {number}: {chain.share / WHOLE:.0%}{kind}", images, boxes))
    return rows


def mixing_image_of(recipe: Recipe, image: np.ndarray, mixing: MixingImages | None) -> np.ndarray | None:
    """The part of the mixing image that a recipe mixes into an image, uint8[H, W, C]; None if it mixes in none."""
    uses = any(step.mixer and step.source == "mixing_image" for chain in recipe.chains for step in chain.steps)
    return None if not uses or mixing is None else cropped(recipe, image, mixing)


def cropped(recipe: Recipe, image: np.ndarray, mixing: MixingImages) -> np.ndarray | None:
    """The part of the mixing image that a recipe names, whether its steps use it or not; None if it names none."""
    height, width, channels = image.shape
    if hasattr(mixing, "planes"):
        return reference.crop(recipe, mixing.planes(height, width, channels))
    return reference.crop(recipe, np.asarray(mixing).transpose(0, 3, 1, 2))


def _box(step: Step) -> tuple[int, int, int, int] | None:
    return (step.left, step.top, step.right, step.bottom) if step.mixer else None
