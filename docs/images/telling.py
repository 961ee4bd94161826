"""Which version of an image a figure shows: by one rule for all figures, not by hand.

Of the versions that a method makes of an image under one seed (views 0, 1, 2, ...), the one whose change is at
the ninth decile: one version in ten changes the image more. The change is that of the differences between neighbouring
pixels (mean absolute difference, in levels), so that what has been added or moved counts and a mere veil of grey does
not. At the median, methods that mix much of the clean image back in would all look like the clean image.
"""

from itertools import count, islice
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from ipmix import apply, draw
from ipmix.cli.method_figure import versions
from ipmix.mixing_set import MixingSet
from ipmix.recipe import Recipe
from ipmix.recipe.format import WHOLE

SEED, COUNT, SIDE, DECILE = 0, 51, 224, 9
TEXT = 20
"""Points of a figure's labels: some 650 to 750 pixels wide, they are read on a screen of 400 too."""


def square(image: np.ndarray, left: int, side: int = SIDE) -> np.ndarray:
    """A square of the image's height from this column on, brought to ``side`` pixels."""
    height = image.shape[0]
    cropped = Image.fromarray(image[:, left : left + height])
    return np.asarray(cropped.resize((side, side), Image.Resampling.LANCZOS))


def cat_and_cup() -> np.ndarray:
    """uint8[2, 224, 224, 3]: "Chelsea" (S. van der Walt, CC0) and "coffee" (R. Michetti, CC0), of scikit-image."""
    return np.stack([square(data.chelsea(), 75), square(data.coffee(), 100)])


def one_mixing_image(number: int = 33) -> MixingSet:
    """A set of a single image, so that all cells of a figure mix in the same one."""
    made = MixingSet.generate(64, 256, SEED)
    return MixingSet.array(np.stack([made[number]]))


def change(image: np.ndarray, version: np.ndarray) -> float:
    """Between two images uint8[H, W, C], in levels."""
    difference = version.astype(np.int16) - image
    return float(np.mean([np.abs(np.diff(difference, axis=axis)).mean() for axis in (0, 1)]))


def telling(method: Any, pair: np.ndarray, mixing: MixingSet) -> tuple[str, np.ndarray]:
    """A few words, and the version of ``pair[0]`` at the ninth decile of change."""
    made = list(versions(method, pair, mixing, COUNT, seed=SEED, epoch=0, index=0, engine="compiled"))
    return ninth_decile(pair[0], made)


def telling_mixture(method: Any, image: np.ndarray, mixing: MixingSet) -> np.ndarray:
    """The same among those versions of ``image`` into which a method mixes the mixing image over the whole of it."""
    recipes = (draw(method, (1, *image.shape), len(mixing), seed=SEED, view=view, indices=[0]) for view in count())
    mixed = islice((recipe for recipe in recipes if mixes_over_the_whole(recipe[0])), COUNT)
    return ninth_decile(image, [("", apply(recipe, image[None], mixing)[0]) for recipe in mixed])[1]


def mixes_over_the_whole(recipe: Recipe) -> bool:
    """Whether a chain of at least a fifth of the sum mixes the mixing image into all of the image."""
    return any(
        step.mixer and step.source == "mixing_image" and step.right - step.left == recipe.width
        for chain in recipe.chains
        if chain.share >= WHOLE // 5
        for step in chain.steps
    )


def ninth_decile(image: np.ndarray, made: list[tuple[str, np.ndarray]]) -> tuple[str, np.ndarray]:
    return sorted(made, key=lambda version: change(image, version[1]))[DECILE * len(made) // 10]
