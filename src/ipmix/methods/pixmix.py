"""PixMix: the image mixed with fractals and feature images, several rounds in a row; labels untouched.

Source: Hendrycks, Zou, Mazeika, Tang, Li, Song, Steinhardt, "PixMix: Dreamlike Images Comprehensively Improve
Safety Measures", CVPR 2022 (arXiv 2112.05135), section 3 and its appendix; and its public code
(github.com/andyzoujm/pixmix).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ipmix.core.bounds import STEPS_MOST
from ipmix.core.checking import check_choice, check_count, check_positive, check_severity, check_subset
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.randomness import below, start
from ipmix.methods.augmix import THIRTEEN
from ipmix.methods.drawing import (
    DrawPlan,
    check_images,
    draw_coefficients,
    draw_level,
    draw_mixing_image,
    find_preset,
)
from ipmix.methods.drawn import DrawnMethod
from ipmix.recipe.format import (
    CLIPPED,
    MIXERS,
    MIXING_IMAGE,
    NO_OPERATION,
    OPERATION,
    ORIGINAL,
    OVERFLOWS,
    WHOLE,
)
from ipmix.recipe.operations import AUTOCONTRAST, CODES, operation_names
from ipmix.recipe.recipe import ImageSpec

MIXES = ("add", "multiply")


@dataclass(frozen=True)
class PixMix(DrawnMethod):
    """How PixMix draws its recipes. ``None`` means: chosen by the image's size (CIFAR form up to 64 pixels).

    >>> PixMix(k=4, beta=3)
    """

    k: int = 4
    """The most rounds of mixing; their number is drawn from 0..k (section 3; public code)."""
    beta: float | None = None
    """Parameter of the coefficients of add and multiply. None: 3 on small images, 4 above (public code)."""
    severity: float | None = None
    """Upper bound of an operation's strength, of 10. None: 3 on small images, 1 above (public code)."""
    operations: str | tuple[str, ...] = THIRTEEN
    """The code's ``all_ops``, on by default there; the preset "nine-operations" has those of AugMix."""
    mixers: tuple[str, ...] = MIXES
    """Out of add, multiply."""
    overflow: str = "round"
    """How a round of mixing ends in bytes, outside 0..255 clipped: "round" to the nearest level (public code: floats),
    "clip" cuts to the level below, which darkens the image by nearly half a level each round."""

    name = "pixmix"
    mixes_labels = False
    needs_mixing_images = True

    def __post_init__(self) -> None:
        check_count("k", self.k, 0, STEPS_MOST)
        if self.beta is not None:
            check_positive("beta", self.beta)
        check_severity(self.severity)
        if not isinstance(self.operations, str):
            object.__setattr__(self, "operations", operation_names(self.operations))
        operation_names(self.operations)
        object.__setattr__(self, "mixers", check_subset("mixers", self.mixers, MIXES))
        check_choice("overflow", self.overflow, CLIPPED)

    @classmethod
    def preset(cls, name: str) -> "PixMix":
        """One of :data:`PRESETS`: "cifar", "imagenet", "nine-operations"."""
        found: PixMix = find_preset("PixMix", PRESETS, name)
        return found

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        check_images("PixMix", scene)
        return DrawPlan(_draw_table, _options(self, max(scene.height, scene.width)), 1, self.k + 1)


PRESETS = {
    "cifar": PixMix(beta=3.0, severity=3.0),
    "imagenet": PixMix(beta=4.0, severity=1.0),
    "nine-operations": PixMix(operations=THIRTEEN[:9]),
}
"""The public code's settings on CIFAR and ImageNet."""


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    k: int
    beta: float
    severity: float
    operations: np.ndarray
    mixers: np.ndarray
    overflow: int


@lru_cache(maxsize=64)
def _options(method: PixMix, side: int) -> Options:
    small = side <= SMALL_SIDE
    return Options(
        method.k,
        float(method.beta or (3.0 if small else 4.0)),
        float(method.severity or (3.0 if small else 1.0)),
        np.array([CODES[name] for name in operation_names(method.operations)], np.int64),
        np.array([MIXERS.index(name) for name in method.mixers], np.int64),
        OVERFLOWS.index(method.overflow),
    )


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        draw_mixing_image(state, seed, epoch, indices[n], images, heads[n])
        start(state, seed, epoch, indices[n], view)
        heads[n].clean = 0
        heads[n].overflow = o.overflow
        chains[n, 0].share = WHOLE
        at = 0
        if below(state, 2) == 0:  # where the rounds begin: the image, half of the time after an operation
            _draw_operation(state, o, height, width, steps[n, 0, at])
            steps[n, 0, at].mixer = OPERATION
            at += 1
        for _ in range(below(state, o.k + 1)):
            step = steps[n, 0, at]
            if below(state, 2) == 0:
                step.source = ORIGINAL
                _draw_operation(state, o, height, width, step)
            else:
                step.source = MIXING_IMAGE
                step.operation = NO_OPERATION
            step.mixer = o.mixers[below(state, o.mixers.size)]
            step.right = width
            step.bottom = height
            a, b = draw_coefficients(state, o.beta)
            step.a = a
            step.b = b
            at += 1
        chains[n, 0].length = at


@compiled_disjoint
def _draw_operation(state, o, height, width, step):
    code = o.operations[below(state, o.operations.size)]
    step.operation = code
    # PixMix's autocontrast has no cut-off.
    step.level = 0.0 if code == AUTOCONTRAST else draw_level(state, code, o.severity, height, width)
