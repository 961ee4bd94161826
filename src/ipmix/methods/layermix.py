"""LayerMix: one kind of operation in layers, mixed with its own variations and a fractal; labels untouched.

Source: Ahmad, Morle, Rahimi, "LayerMix: Enhanced Data Augmentation through Fractal Integration for Robust Deep
Learning", 2025 (arXiv 2501.04861), and its public code (github.com/ahmadmughees/LayerMix).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ipmix.core.checking import check_choice, check_positive, check_subset
from ipmix.core.compiling import compiled_disjoint, inlined
from ipmix.core.errors import InputError
from ipmix.core.randomness import below, between, bits, start, uniform
from ipmix.methods.drawing import (
    DrawPlan,
    check_images,
    draw_coefficients,
    draw_mixing_image,
    find_preset,
)
from ipmix.methods.drawn import DrawnMethod
from ipmix.recipe.format import (
    ADD,
    CLIPPED,
    MIXERS,
    MIXING_IMAGE,
    MULTIPLY,
    NO_OPERATION,
    OPERATION,
    ORIGINAL,
    OVERFLOWS,
    WHOLE,
)
from ipmix.recipe.operations import (
    AUTOCONTRAST,
    BRIGHTNESS,
    COLOR,
    CONTRAST,
    EQUALIZE,
    POSTERIZE,
    ROTATE,
    SHARPNESS,
    SHEAR_X,
    SHEAR_Y,
    SOLARIZE,
    TRANSLATE_X,
    TRANSLATE_Y,
)
from ipmix.recipe.recipe import ImageSpec

LAYERS = 3
"""0, 1 or 2 rounds of mixing, each as likely."""

VARIANTS: dict[str, int] = {
    "equalize": EQUALIZE,
    "posterize": POSTERIZE,
    "posterize_increasing": POSTERIZE,
    "solarize": SOLARIZE,
    "solarize_increasing": SOLARIZE,
    "autocontrast": AUTOCONTRAST,
    "greyscale": COLOR,
    "rotate": ROTATE,
    "shear_x": SHEAR_X,
    "shear_y": SHEAR_Y,
    "translate_x": TRANSLATE_X,
    "translate_y": TRANSLATE_Y,
    "color": COLOR,
    "contrast": CONTRAST,
    "brightness": BRIGHTNESS,
    "sharpness": SHARPNESS,
}
"""LayerMix's operations, and the operation of a recipe that each becomes; levels are drawn in ``_draw_level``."""
IMAGE, SPATIAL, TEST_SET = tuple(VARIANTS)[:7], tuple(VARIANTS)[7:12], tuple(VARIANTS)[12:]
_CODES = np.array(list(VARIANTS.values()), np.int64)
(
    _,
    POSTERIZE_LOW,
    POSTERIZE_HIGH,
    SOLARIZE_LOW,
    SOLARIZE_ALL,
    _,
    GREYSCALE,
    ROTATION,
    SLANT_X,
    SLANT_Y,
    SHIFT_X,
    SHIFT_Y,
    FIRST_FACTOR,
) = range(len(VARIANTS) - 3)

WEIGHTED_MIXERS = ("add", "multiply", "add", "multiply", "random_pixels", "random_elements")


@dataclass(frozen=True)
class LayerMix(DrawnMethod):
    """How LayerMix draws its recipes.

    >>> LayerMix(magnitude=5)
    """

    magnitude: float = 3.0
    """Upper bound of an operation's strength, of 10 (public code)."""
    beta: float = 3.0
    """Parameter of the coefficients of add and multiply (public code)."""
    operations: tuple[str, ...] = IMAGE + SPATIAL
    """Names out of :data:`VARIANTS`. Left out by default: color, contrast, brightness and sharpness, which
    resemble the -C test corruptions."""
    mixers: tuple[str, ...] = WEIGHTED_MIXERS
    """Out of add, multiply, random_pixels, random_elements; one named twice is twice as likely (public code)."""
    overflow: str = "round"
    """How a round of mixing ends in bytes, outside 0..255 clipped: "round" to the nearest level (public code: floats),
    "clip" cuts to the level below, which darkens the image by nearly half a level each round."""

    name = "layermix"
    mixes_labels = False
    needs_mixing_images = True

    def __post_init__(self) -> None:
        check_positive("magnitude", self.magnitude)
        check_positive("beta", self.beta)
        if self.magnitude > 10:
            raise InputError(f"magnitude must be at most 10, got {self.magnitude}")
        object.__setattr__(self, "operations", check_subset("operations", self.operations, VARIANTS))
        if isinstance(self.mixers, str) or not isinstance(self.mixers, Iterable) or not tuple(self.mixers):
            raise InputError(f"mixers must be a list of {', '.join(MIXERS[1:5])}, got {self.mixers!r}")
        object.__setattr__(self, "mixers", tuple(self.mixers))
        for mixer in self.mixers:
            check_choice("each of mixers", mixer, MIXERS[1:5])
        check_choice("overflow", self.overflow, CLIPPED)

    @classmethod
    def preset(cls, name: str) -> "LayerMix":
        """One of :data:`PRESETS`: "code"."""
        found: LayerMix = find_preset("LayerMix", PRESETS, name)
        return found

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        check_images("LayerMix", scene)
        return DrawPlan(_draw_table, _options(self), 1, LAYERS + 1)


PRESETS = {"code": LayerMix()}
"""The public code's settings; the defaults are these, under a name."""


class Options(NamedTuple):
    """The options as compiled code reads them."""

    magnitude: float
    beta: float
    variants: np.ndarray
    mixers: np.ndarray
    overflow: int


@lru_cache(maxsize=64)
def _options(method: LayerMix) -> Options:
    names = list(VARIANTS)
    return Options(
        float(method.magnitude),
        float(method.beta),
        np.array([names.index(name) for name in method.operations], np.int64),
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
        layers = below(state, LAYERS)
        # One kind of operation for the whole recipe, with a fresh level each time.
        variant = o.variants[below(state, o.variants.size)]
        _draw_operation(state, variant, o.magnitude, height, width, steps[n, 0, 0])
        if layers >= 1:  # with another variation of the image
            _draw_mixing(state, o, height, width, steps[n, 0, 1])
            steps[n, 0, 1].source = ORIGINAL
            _draw_level(state, variant, o.magnitude, height, width, steps[n, 0, 1])
        if layers == 2:  # with the mixing image, and the operation once more
            _draw_mixing(state, o, height, width, steps[n, 0, 2])
            steps[n, 0, 2].source = MIXING_IMAGE
            steps[n, 0, 2].operation = NO_OPERATION
            _draw_operation(state, variant, o.magnitude, height, width, steps[n, 0, 3])
        chains[n, 0].length = layers + 1 if layers < 2 else 4


@inlined
def _draw_operation(state, variant, magnitude, height, width, step):
    step.mixer = OPERATION
    step.seed = 0
    _draw_level(state, variant, magnitude, height, width, step)


@inlined
def _draw_mixing(state, o, height, width, step):
    mixer = o.mixers[below(state, o.mixers.size)]
    step.mixer = mixer
    step.right = width
    step.bottom = height
    step.seed = 0
    if mixer == ADD or mixer == MULTIPLY:
        a, b = draw_coefficients(state, o.beta)
        step.a = a
        step.b = b
    else:
        step.a = uniform(state)
        step.b = 0.0
        step.seed = np.uint32(bits(state) >> np.uint64(32))


@inlined
def _strength(state, most, magnitude):
    """U(0.1, most * magnitude / 10), the 0.1 in the operation's own unit; the ends may come in either order."""
    return between(state, 0.1, most * magnitude / 10.0)


@compiled_disjoint
def _draw_level(state, variant, magnitude, height, width, step):
    """Set the step's operation and level to a fresh variation of one of :data:`VARIANTS`."""
    step.operation = _CODES[variant]
    level = 0.0  # greyscale is color at 0; autocontrast at 0 has no cut-off
    if variant == POSTERIZE_LOW or variant == POSTERIZE_HIGH:
        level = np.floor(_strength(state, 4.0, magnitude))
        if variant == POSTERIZE_HIGH:
            level = 4.0 - level
        if level == 0.0:  # no bit left is a black image
            step.operation = BRIGHTNESS
    elif variant == SOLARIZE_LOW:
        level = np.ceil(255.0 * _strength(state, 1.0, magnitude))
    elif variant == SOLARIZE_ALL:
        level = np.ceil(255.0 * _strength(state, 1.0, 1.0 - magnitude))
    elif variant >= ROTATION:
        most = 0.9
        if variant == ROTATION:
            most = 30.0
        elif variant == SLANT_X or variant == SLANT_Y:
            most = 0.3
        elif variant == SHIFT_X or variant == SHIFT_Y:
            most = np.floor(0.33 * (width if variant == SHIFT_X else height))
        level = _strength(state, most, magnitude)
        if below(state, 2) == 1:
            level = -level
        if variant == SHIFT_X or variant == SHIFT_Y:
            level = np.floor(level + 0.5)
        elif variant >= FIRST_FACTOR:
            level += 1.0
    step.level = level + 0.0  # a plain zero for a negative one
