"""PRIME: AugMix's mixture over three families of random transformations; labels untouched.

Source: Modas, Rade, Ortiz-Jimenez, Moosavi-Dezfooli, Frossard, "PRIME: A Few Primitives Can Boost Robustness to
Common Corruptions", ECCV 2022 (arXiv 2112.13547), section 3; and its public code
(github.com/amodas/PRIME-augmentations), whose settings are the defaults.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ipmix.core.bounds import SIDE_MOST, STEPS_MOST
from ipmix.core.checking import check_choice, check_count, check_positive, check_subset
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.errors import InputError
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.randomness import below, beta, between, bits, dirichlet, start
from ipmix.methods.drawing import DrawPlan, find_preset
from ipmix.methods.drawn import DrawnMethod
from ipmix.recipe.format import MOST_FREQUENCY, OPERATION, WHOLE
from ipmix.recipe.operations import CODES, COLOR_CURVE, SPECTRAL
from ipmix.recipe.recipe import ImageSpec

PRIMITIVES = ("spectral", "color_curve", "spatial")
FILTERS = ("centred", "off-centre")
STRENGTHS = ("fixed", "drawn")


@dataclass(frozen=True)
class PRIME(DrawnMethod):
    """How PRIME draws its recipes. ``None`` means: chosen by the image's size (CIFAR form up to 64 pixels).

    >>> PRIME(primitives=("spectral", "spatial"))
    """

    k: int = 3
    """How many chains are mixed."""
    t: int = 3
    """The most steps in a chain; their number is drawn from 1..t."""
    alpha: float = 1.0
    """Parameter of Dirichlet(alpha, ..., alpha) and Beta(alpha, alpha)."""
    primitives: tuple[str, ...] = PRIMITIVES
    """Out of spectral (a random filter), color_curve, spatial (a smooth displacement)."""
    sigma: float = 4.0
    """Standard deviation of the filter's random part."""
    filter_form: str = "centred"
    """Where the filter's one lies: "centred", or "off-centre", a row and a column below as in the public code."""
    color_frequencies: int | None = None
    """The highest frequency of a color curve. None: 100 on small images, 500 above."""
    color_temperature: float | None = None
    """How much colors change. None: 0.01 on small images, 0.05 above."""
    color_band: int | None = None
    """How many neighbouring frequencies a curve has, 0 for all. None: all on small images, 20 above."""
    least_cut: int = 2
    """The smoothest displacement's highest frequency."""
    most_cut: int | None = None
    """The roughest displacement's highest frequency. None: 100 on small images, 500 above."""
    strengths: str = "fixed"
    """"fixed" as above, or "drawn" for each step with these as the most: sigma, the highest frequencies and the
    colors' temperature (the public code's "stochastic" form, which draws once for each batch)."""

    name = "prime"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        for name in ("k", "t"):
            check_count(name, getattr(self, name), 1, STEPS_MOST)
        check_count("least_cut", self.least_cut, 2, SIDE_MOST)
        for name, least in (("color_frequencies", 1), ("color_band", 0), ("most_cut", self.least_cut)):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name), least, SIDE_MOST if name == "color_band" else None)
        for name in ("color_frequencies", "most_cut"):
            if (getattr(self, name) or 0) > MOST_FREQUENCY:
                raise InputError(f"{name} must be at most {MOST_FREQUENCY}, got {getattr(self, name)}")
        for name in ("alpha", "sigma", "color_temperature"):
            if name != "color_temperature" or self.color_temperature is not None:
                check_positive(name, getattr(self, name))
        for name in ("sigma", "color_temperature"):
            if (getattr(self, name) or 0) > 1000:
                raise InputError(f"{name} must be at most 1000, got {getattr(self, name)}")
        check_choice("filter_form", self.filter_form, FILTERS)
        check_choice("strengths", self.strengths, STRENGTHS)
        object.__setattr__(self, "primitives", check_subset("primitives", self.primitives, PRIMITIVES))

    @classmethod
    def preset(cls, name: str) -> "PRIME":
        """One of :data:`PRESETS`: "cifar", "imagenet", "code-cifar", "code-imagenet"."""
        found: PRIME = find_preset("PRIME", PRESETS, name)
        return found

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        return DrawPlan(_draw_table, _options(self, max(scene.height, scene.width)), self.k, self.t)


_CIFAR = PRIME(color_frequencies=100, color_temperature=0.01, color_band=0, most_cut=100)
_IMAGENET = PRIME(color_frequencies=500, color_temperature=0.05, color_band=20, most_cut=500)
PRESETS = {
    "cifar": _CIFAR,
    "imagenet": _IMAGENET,
    "code-cifar": _CIFAR.with_options(filter_form="off-centre"),
    "code-imagenet": _IMAGENET.with_options(filter_form="off-centre"),
}
"""The public code's settings, with the filter as the paper describes it and as the code has it."""


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    k: int
    t: int
    alpha: float
    primitives: np.ndarray
    sigma: float
    offset: int
    frequencies: int
    temperature: float
    band: int
    least_cut: int
    most_cut: int
    drawn: bool


@lru_cache(maxsize=64)
def _options(method: PRIME, side: int) -> Options:
    settled = _CIFAR if side <= SMALL_SIDE else _IMAGENET
    chosen = {
        name: getattr(settled, name) if getattr(method, name) is None else getattr(method, name)
        for name in ("color_frequencies", "color_temperature", "color_band", "most_cut")
    }
    return Options(
        method.k,
        method.t,
        float(method.alpha),
        np.array([CODES[name] for name in method.primitives], np.int64),
        float(method.sigma),
        FILTERS.index(method.filter_form),
        chosen["color_frequencies"],
        float(chosen["color_temperature"]),
        chosen["color_band"],
        method.least_cut,
        max(chosen["most_cut"], method.least_cut),
        method.strengths == "drawn",
    )


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        dirichlet(state, o.alpha, weights)
        m = beta(state, o.alpha, o.alpha)
        clean = np.int64(WHOLE)
        for i in range(o.k):
            length = 1 + below(state, o.t)
            for j in range(length):
                _draw_step(state, o, height, width, steps[n, i, j])
            chains[n, i].length = length
            chains[n, i].share = np.uint32(m * weights[i] * WHOLE)
            clean -= np.int64(chains[n, i].share)
        heads[n].clean = np.uint32(clean)  # 1 - m, and what rounding the shares down leaves over


@compiled_disjoint
def _draw_step(state, o, height, width, step):
    code = o.primitives[below(state, o.primitives.size)]
    step.mixer = OPERATION
    step.operation = code
    step.seed = np.uint32(bits(state) >> np.uint64(32))
    if code == SPECTRAL:
        step.level = between(state, 0.0, o.sigma) if o.drawn else o.sigma
        step.a = o.offset
        step.b = 0.0
    elif code == COLOR_CURVE:
        most = 1 + below(state, o.frequencies) if o.drawn else o.frequencies
        step.level = between(state, 0.0, o.temperature) if o.drawn else o.temperature
        first = 1 + below(state, most) if o.band > 0 else 1
        step.a = first
        step.b = min(first + o.band - 1, most) if o.band > 0 else most
    else:
        most = o.most_cut
        if o.drawn:
            least = min(o.least_cut + 1, most)
            most = least + below(state, most - least + 1)
        cut = o.least_cut + below(state, most - o.least_cut + 1)
        side = min(height, width)
        # From displacements of half a pixel to the most without folds (Petrini et al., NeurIPS 2021).
        low = 1.0 / (math.pi * side * side * math.log(cut))
        high = max(low, 4.0 / (math.pi**3 * cut * cut * math.log(cut)))
        step.level = between(state, low, high)
        step.a = cut
        step.b = 0.0
