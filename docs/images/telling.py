"""Which version of an image a figure shows: by one rule for all figures, not by hand.

Of the versions that a method makes of an image under one seed (views 0, 1, 2, ...), the one whose change is at
the ninth decile: one version in ten changes the image more. The change is that of the differences between neighbouring
pixels (mean absolute difference, in levels), so that what has been added or moved counts and a mere veil of grey does
not. At the median, methods that mix much of the clean image back in would all look like the clean image.
"""

import numpy as np
from PIL import Image
from skimage import data

from ipmix.cli.method_figure import versions
from ipmix.mixing_set import MixingSet

SEED, COUNT, SIDE, DECILE = 0, 51, 224, 9


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


def telling(method: object, pair: np.ndarray, mixing: MixingSet | None) -> tuple[str, np.ndarray, int]:
    """A few words, the version of ``pair[0]`` at the ninth decile of change, and its place among the versions."""
    made = list(versions(method, pair, mixing, COUNT, seed=SEED, epoch=0, index=0, engine="compiled"))
    order = sorted(range(COUNT), key=lambda place: change(pair[0], made[place][1]))
    chosen = order[DECILE * COUNT // 10]
    return *made[chosen], chosen
