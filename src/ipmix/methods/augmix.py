"""AugMix: chains of image operations, mixed with each other and with the clean image; labels untouched.

Source: Hendrycks, Mu, Cubuk, Zoph, Gilmer, Lakshminarayanan, "AugMix: A Simple Data Processing Method to Improve
Robustness and Uncertainty", ICLR 2020 (arXiv 1912.02781), Algorithm 1; and its public code
(github.com/google-research/augmix). Trained with :func:`~ipmix.training.losses.jensen_shannon` on two views.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ipmix.core.bounds import STEPS_MOST
from ipmix.core.checking import check_count, check_positive, check_severity
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.randomness import below, beta, dirichlet, start
from ipmix.methods.drawing import DrawPlan, draw_level, find_preset
from ipmix.methods.drawn import DrawnMethod
from ipmix.recipe.format import OPERATION, WHOLE
from ipmix.recipe.operations import AUTOCONTRAST, CODES, operation_names
from ipmix.recipe.recipe import ImageSpec

NINE = (
    "autocontrast",
    "equalize",
    "posterize",
    "rotate",
    "solarize",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
"""AugMix's operations: none that resembles a corruption of the -C test sets."""

THIRTEEN = (*NINE, "color", "contrast", "brightness", "sharpness")
"""AugMix's ``all_ops``; four of them resemble corruptions of the -C test sets."""


@dataclass(frozen=True)
class AugMix(DrawnMethod):
    """How AugMix draws its recipes. ``None`` means: chosen by the image's size (CIFAR form up to 64 pixels).

    >>> AugMix(k=3, severity=3)
    >>> AugMix.preset("imagenet")
    """

    k: int = 3
    """Width: how many chains are mixed (section 4)."""
    depth: int | None = None
    """Operations in a chain. None: drawn from 1..3 for each chain (section 4; the code's ``depth=-1``)."""
    alpha: float = 1.0
    """Parameter of Dirichlet(alpha, ..., alpha) and Beta(alpha, alpha) (section 4)."""
    severity: float | None = None
    """Upper bound of an operation's strength, of 10. None: 3 on small images, 1 above (public code)."""
    operations: str | tuple[str, ...] = NINE
    """AugMix's nine; or "all" of ours, or names. Its ``all_ops`` is the preset "all-operations"."""

    name = "augmix"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        check_count("k", self.k, 1, STEPS_MOST)
        if self.depth is not None:
            check_count("depth", self.depth, 1, STEPS_MOST)
        check_positive("alpha", self.alpha)
        check_severity(self.severity)
        if not isinstance(self.operations, str):
            object.__setattr__(self, "operations", operation_names(self.operations))
        operation_names(self.operations)

    @classmethod
    def preset(cls, name: str) -> "AugMix":
        """One of :data:`PRESETS`: "cifar", "imagenet", "all-operations"."""
        found: AugMix = find_preset("AugMix", PRESETS, name)
        return found

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        options = _options(self, max(scene.height, scene.width))
        return DrawPlan(_draw_table, options, self.k, self.depth or 3)


PRESETS = {
    "cifar": AugMix(severity=3.0),
    "imagenet": AugMix(severity=1.0),
    "all-operations": AugMix(operations=THIRTEEN),
}
"""The public code's settings on CIFAR (``cifar.py``) and ImageNet (``imagenet.py``)."""


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    k: int
    shortest: int
    longest: int
    alpha: float
    severity: float
    operations: np.ndarray


@lru_cache(maxsize=64)
def _options(method: AugMix, side: int) -> Options:
    return Options(
        method.k,
        method.depth or 1,
        method.depth or 3,
        float(method.alpha),
        float(method.severity or (3.0 if side <= SMALL_SIDE else 1.0)),
        np.array([CODES[name] for name in operation_names(method.operations)], np.int64),
    )


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        dirichlet(state, o.alpha, weights)
        m = beta(state, o.alpha, o.alpha)
        clean = np.int64(WHOLE)
        for i in range(o.k):
            length = o.shortest + below(state, o.longest - o.shortest + 1)
            for j in range(length):
                code = o.operations[below(state, o.operations.size)]
                steps[n, i, j].mixer = OPERATION
                steps[n, i, j].operation = code
                # AugMix's autocontrast has no cut-off.
                steps[n, i, j].level = (
                    0.0 if code == AUTOCONTRAST else draw_level(state, code, o.severity, height, width)
                )
            chains[n, i].length = length
            chains[n, i].share = np.uint32(m * weights[i] * WHOLE)
            clean -= np.int64(chains[n, i].share)
        heads[n].clean = np.uint32(clean)  # 1 - m, and what rounding the shares down leaves over
