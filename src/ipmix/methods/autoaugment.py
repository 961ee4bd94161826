"""AutoAugment: one of 25 learnt pairs of operations for each image; labels untouched.

Source: Cubuk, Zoph, Mané, Vasudevan, Le, "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019 (arXiv
1805.09501), appendix A. Operations and ranges, and the policies where they differ from the paper's, are torchvision's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ipmix.core.checking import check_choice
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.randomness import below, start, uniform
from ipmix.methods.drawing import DrawPlan
from ipmix.methods.drawn import DrawnMethod
from ipmix.methods.magnitudes import NARROW, Magnitudes, check_filling, make_magnitudes, refuse_preset, write_step
from ipmix.recipe.format import WHOLE
from ipmix.recipe.recipe import ImageSpec

SMALL_SIDE = 64
"""Up to this longer side, the CIFAR-10 policy is taken by default; above it, the ImageNet policy."""

BINS = 10
"""Magnitudes that a policy chooses from."""

_WRITTEN = {
    "cifar10": """
        invert 0.1 -, contrast 0.2 6
        rotate 0.7 2, translate_x 0.3 9
        sharpness 0.8 1, sharpness 0.9 3
        shear_y 0.5 8, translate_y 0.7 9
        autocontrast 0.5 -, equalize 0.9 -
        shear_y 0.2 7, posterize 0.3 7
        color 0.4 3, brightness 0.6 7
        sharpness 0.3 9, brightness 0.7 9
        equalize 0.6 -, equalize 0.5 -
        contrast 0.6 7, sharpness 0.6 5
        color 0.7 7, translate_x 0.5 8
        equalize 0.3 -, autocontrast 0.4 -
        translate_y 0.4 3, sharpness 0.2 6
        brightness 0.9 6, color 0.2 8
        solarize 0.5 2, invert 0.0 -
        equalize 0.2 -, autocontrast 0.6 -
        equalize 0.2 -, equalize 0.6 -
        color 0.9 9, equalize 0.6 -
        autocontrast 0.8 -, solarize 0.2 8
        brightness 0.1 3, color 0.7 0
        solarize 0.4 5, autocontrast 0.9 -
        translate_y 0.9 9, translate_y 0.7 9
        autocontrast 0.9 -, solarize 0.8 3
        equalize 0.8 -, invert 0.1 -
        translate_y 0.7 9, autocontrast 0.9 -
    """,
    "imagenet": """
        posterize 0.4 8, rotate 0.6 9
        solarize 0.6 5, autocontrast 0.6 -
        equalize 0.8 -, equalize 0.6 -
        posterize 0.6 7, posterize 0.6 6
        equalize 0.4 -, solarize 0.2 4
        equalize 0.4 -, rotate 0.8 8
        solarize 0.6 3, equalize 0.6 -
        posterize 0.8 5, equalize 1.0 -
        rotate 0.2 3, solarize 0.6 8
        equalize 0.6 -, posterize 0.4 6
        rotate 0.8 8, color 0.4 0
        rotate 0.4 9, equalize 0.6 -
        equalize 0.0 -, equalize 0.8 -
        invert 0.6 -, equalize 1.0 -
        color 0.6 4, contrast 1.0 8
        rotate 0.8 8, color 1.0 2
        color 0.8 8, solarize 0.8 7
        sharpness 0.4 7, invert 0.6 -
        shear_x 0.6 5, equalize 1.0 -
        color 0.4 0, equalize 0.6 -
        equalize 0.4 -, solarize 0.2 4
        solarize 0.6 5, autocontrast 0.6 -
        invert 0.6 -, equalize 1.0 -
        color 0.6 4, contrast 1.0 8
        equalize 0.8 -, equalize 0.6 -
    """,
    "svhn": """
        shear_x 0.9 4, invert 0.2 -
        shear_y 0.9 8, invert 0.7 -
        equalize 0.6 -, solarize 0.6 6
        invert 0.9 -, equalize 0.6 -
        equalize 0.6 -, rotate 0.9 3
        shear_x 0.9 4, autocontrast 0.8 -
        shear_y 0.9 8, invert 0.4 -
        shear_y 0.9 5, solarize 0.2 6
        invert 0.9 -, autocontrast 0.8 -
        equalize 0.6 -, rotate 0.9 3
        shear_x 0.9 4, solarize 0.3 3
        shear_y 0.8 8, invert 0.7 -
        equalize 0.9 -, translate_y 0.6 6
        invert 0.9 -, equalize 0.6 -
        contrast 0.3 3, rotate 0.8 4
        invert 0.8 -, translate_y 0.0 2
        shear_y 0.7 6, solarize 0.4 8
        invert 0.6 -, rotate 0.8 4
        shear_y 0.3 7, translate_x 0.9 3
        shear_x 0.1 6, invert 0.6 -
        solarize 0.7 2, translate_y 0.6 7
        shear_y 0.8 4, invert 0.8 -
        shear_x 0.7 9, translate_y 0.8 3
        shear_y 0.8 5, autocontrast 0.7 -
        shear_x 0.7 2, invert 0.1 -
    """,
}
"""The policies: in each line an operation, its probability and its magnitude, and a second one."""

Choice = tuple[str, float, int]
"""An operation, its probability, and its magnitude, below :data:`BINS`."""


def _read(text: str) -> tuple[tuple[Choice, Choice], ...]:
    pairs = []
    for line in text.split("\n"):
        if line.strip():
            first, second = (choice.split() for choice in line.split(","))
            pairs.append((_choice(*first), _choice(*second)))
    return tuple(pairs)


def _choice(name: str, probability: str, magnitude: str) -> Choice:
    known = name if name in NARROW or name == "invert" else f"{name}_filled"
    return known, float(probability), 0 if magnitude == "-" else int(magnitude)


POLICIES = {name: _read(text) for name, text in _WRITTEN.items()}
"""25 pairs for each of "cifar10", "imagenet" and "svhn"."""


@dataclass(frozen=True)
class AutoAugment(DrawnMethod):
    """How AutoAugment draws its recipes.

    >>> AutoAugment("cifar10")
    """

    policy: str | None = None
    """"cifar10", "imagenet" or "svhn": what the pairs were learnt on (appendix A of the paper).
    None: cifar10 up to 64 pixels, imagenet above."""
    interpolation: str = "nearest"
    """"nearest" or "bilinear", for the operations that move pixels (torchvision's default: nearest)."""
    fill: int = 0
    """What moves into the image at its edges, 0 .. 255 (torchvision's default; the paper's code: 128)."""

    name = "autoaugment"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        if self.policy is not None:
            check_choice("policy", self.policy, tuple(POLICIES))
        check_filling(self.interpolation, self.fill)

    @classmethod
    def preset(cls, name: str) -> "AutoAugment":
        """Always refused: there are no presets."""
        refuse_preset(cls.name, name)

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        return DrawPlan(_draw_table, _options(self, scene.height, scene.width), 1, 2)


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    which: np.ndarray
    """int64[25, 2]: operations, by their place in ``magnitudes``."""
    probabilities: np.ndarray
    """float64[25, 2]."""
    levels: np.ndarray
    """int64[25, 2]: places of their magnitudes."""
    magnitudes: Magnitudes


@lru_cache(maxsize=64)
def _options(method: AutoAugment, height: int, width: int) -> Options:
    pairs = POLICIES[method.policy or ("cifar10" if max(height, width) <= SMALL_SIDE else "imagenet")]
    largest = NARROW | {"invert": 0.0}
    names = list(largest)
    return Options(
        np.array([[names.index(name) for name, _, _ in pair] for pair in pairs], np.int64),
        np.array([[probability for _, probability, _ in pair] for pair in pairs], np.float64),
        np.array([[magnitude for _, _, magnitude in pair] for pair in pairs], np.int64),
        make_magnitudes(largest, BINS, height, width, method.interpolation, method.fill),
    )


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        heads[n].clean = 0
        chains[n, 0].share = WHOLE
        pair = below(state, o.which.shape[0])
        length = 0
        for i in range(2):
            if uniform(state) < o.probabilities[pair, i]:
                write_step(state, o.magnitudes, o.which[pair, i], o.levels[pair, i], steps[n, 0, length])
                length += 1
        chains[n, 0].length = length
