"""What the first tab shows: one version of an image by one method, taken apart, with its recipes in words and JSON."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import ipmix
from ipmix.augmentation.explain import Row, mixing_image_of
from ipmix.augmentation.stages import SEEDS, stages, telling_seed

MIXED_IN = 48
"""Of the mixing images that come with the package, every tenth: what is kept ready at each size."""

LEAST_SHARE, MOST_SHARE = 0.2, 0.6
"""Of the label, the partner's share with which both images are well visible."""


@dataclass(frozen=True, eq=False)
class Version:
    """One augmented version of an image.

    Attributes:
        result: uint8[H, W, C].
        rows: what led to it, as :func:`ipmix.augmentation.explain.explain` has it.
        words: each recipe, as it is printed.
        json: each recipe as JSON.
    """

    result: np.ndarray
    rows: list[Row]
    words: list[str]
    json: list[str]


@lru_cache(maxsize=4)
def mixing_images(folder: Path | None = None) -> Any:
    """The images that are mixed in: of a folder or a made set, or every tenth of those that come with the package."""
    if folder is not None:
        return ipmix.MixingSet.open(folder)
    sample = ipmix.MixingSet.sample()
    return ipmix.MixingSet.array(np.stack([sample[i] for i in range(0, len(sample), len(sample) // MIXED_IN)]))


def first_seed(method: Any, image: np.ndarray, mixing: Any) -> int:
    """The first seed that tells: operations on the image, in a patch and in every pixel, or both images well visible.

    0 where none of the first seeds does.
    """
    count = len(mixing) if method.needs_mixing_images else 0
    if not method.mixes_labels:
        return telling_seed(method, image.shape, count, epoch=0, index=0)
    for seed in range(SEEDS):
        drawn = ipmix.draw(method, (2, *image.shape), count, seed=seed, epoch=0)
        if LEAST_SHARE <= drawn.labels(np.array([0, 1]), 2)[0, 1] <= MOST_SHARE:
            return seed
    return 0


def version(method: Any, image: np.ndarray, mixing: Any, *, seed: int, epoch: int = 0) -> Version:
    """One version of an image: uint8[H, W, 3].

    A method that mixes the images of a batch gets the first mixing image, fitted to the size, as its partner.

    Raises:
        InputError: settings, a seed or an epoch that are refused.
    """
    needed = mixing if method.needs_mixing_images else None
    if not method.mixes_labels:
        found = list(stages(method, image, needed, seed=seed, epoch=epoch, indices=[0]))
        rows = [row for stage in found for row in stage.rows]
        recipes = [stage.recipe for stage in found]
        return Version(found[-1].result, rows, [str(each) for each in recipes], [each.to_json() for each in recipes])
    height, width = image.shape[:2]
    partner = np.asarray(Image.fromarray(mixing[0]).resize((width, height), Image.Resampling.LANCZOS))
    pair = np.stack([image, partner])
    count = 0 if needed is None else len(needed)
    drawn = ipmix.draw(method, pair.shape, count, seed=seed, epoch=epoch)
    result = ipmix.apply(drawn, pair, needed)[0]
    share = float(drawn.labels(np.array([0, 1]), 2)[0, 1])
    recipes = [table[0] for table in getattr(drawn, "tables", (drawn,))]
    images = [("clean", image), ("partner", partner)]
    for recipe in recipes:
        if (mixed := mixing_image_of(recipe, image, needed)) is not None:
            images.append((f"mixing image {recipe.mixing_image}", mixed))
    row = Row(f"result: {share:.0%} of the label is the partner's", (*images, ("result", result)))
    return Version(result, [row], [str(each) for each in recipes], [each.to_json() for each in recipes])
