"""What a method makes of one image, stage by stage, and the seed that shows most of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.augmentation.batches import apply, draw
from ipmix.augmentation.explain import Row, explain
from ipmix.core.errors import InputError
from ipmix.methods.ipmix import LEVELS
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.recipe.recipe import Recipe
from ipmix.recipe.table import RecipeSequence

SEEDS = 200
"""How many seeds are tried for one that shows every level."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One recipe of a version: most methods have one, those that combine others have several in order."""

    recipe: Recipe
    rows: list[Row]
    """As :func:`ipmix.augmentation.explain.explain` gives them."""
    result: np.ndarray
    """uint8[H, W, C]: the image after this stage."""


def stages(
    method: Method, image: np.ndarray, mixing: MixingImages | None = None, *, seed: int, **where: Any
) -> Iterator[Stage]:
    """The stages of one version of an image.

    Args:
        method: one that takes single images.
        image: uint8[H, W, C].
        mixing: the mixing set, as in :func:`ipmix.augment`.
        seed: of the drawing; ``where`` takes ``epoch``, ``view`` and ``indices`` as :func:`ipmix.draw` has them.

    Raises:
        InputError: a method that mixes the images of a batch.
    """
    if method.mixes_labels:
        raise InputError(f"{method.name} mixes the images of a batch: there are no stages of a single image to show")
    count = 0 if mixing is None else len(mixing)
    drawn = draw(method, (1, *image.shape), count, seed=seed, **where)
    for table in _tables(drawn):
        rows = explain(image, table[0], mixing)
        image = apply(table, image[None], mixing)[0]
        yield Stage(table[0], rows, image)


def telling_seed(method: Method, shape: tuple[int, ...], mixing_count: int, *, epoch: int, index: int) -> int:
    """The first seed whose recipe for an image of this shape shows most of the levels: image, patch and pixel."""
    best, most = 0, -1
    for seed in range(SEEDS):
        drawn = draw(method, (1, *shape), mixing_count, seed=seed, epoch=epoch, indices=[index])
        found = len({level for table in _tables(drawn) for level in levels_of(table[0], shape)})
        if found > most:
            best, most = seed, found
        if most == len(LEVELS):
            break
    return best


def levels_of(recipe: Recipe, shape: tuple[int, ...]) -> set[str]:
    """Which of the levels the steps of a recipe are of: operations on the image, mixing in a patch, in every pixel."""
    whole = (0, 0, shape[1], shape[0])
    return {
        "image" if not step.mixer else "pixel" if (step.left, step.top, step.right, step.bottom) == whole else "patch"
        for chain in recipe.chains
        if chain.share
        for step in chain.steps
    }


def _tables(drawn: Any) -> Any:
    return drawn.tables if isinstance(drawn, RecipeSequence) else (drawn,)
