"""Draws docs/images/methods.jpg, every method on one image: python docs/images/make_methods.py

The cat is "Chelsea" (S. van der Walt, CC0), its partner "coffee" (R. Michetti, CC0), both from scikit-image.
"""

import math
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from ipmix import MixingSet
from ipmix.cli.method_figure import compare, methods_named
from ipmix.cli.sheet import draw_sheet

SIDE, SEED = 224, 205


def square(image: np.ndarray, left: int) -> np.ndarray:
    """A square of the image's height from this column on, brought to SIDE pixels."""
    height = image.shape[0]
    cropped = Image.fromarray(image[:, left : left + height])
    return np.asarray(cropped.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


methods = methods_named(("all",))
pair = np.stack([square(data.chelsea(), 75), square(data.coffee(), 100)])
mixing = MixingSet.generate(64, math.ceil(SIDE * 8 / 7), 0)
lines = compare(methods, "", pair, mixing, 1, seed=SEED, epoch=0, index=0, engine="compiled")
draw_sheet(lines, cell=150).save(Path(__file__).with_name("methods.jpg"), quality=88)
