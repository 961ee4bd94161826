"""CutOut: a square of every image is hidden behind a plain color; labels untouched.

Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017
(arXiv 1708.04552), section 3.2; sizes of the ImageNet form from the IPMix paper's appendix A.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ipmix.core.bounds import SIDE_MOST
from ipmix.core.checking import check_count
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.errors import InputError
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.randomness import below, start
from ipmix.methods.drawing import DrawPlan, find_preset
from ipmix.methods.drawn import DrawnMethod
from ipmix.recipe.format import FILL, NO_OPERATION, WHOLE
from ipmix.recipe.recipe import ImageSpec


@dataclass(frozen=True)
class CutOut(DrawnMethod):
    """How CutOut draws its recipes.

    >>> CutOut(size=16)
    """

    size: int | None = None
    """Side of the square, pixels. None: half the shorter side on small images (16 of 32, the paper's for
    CIFAR-10), a quarter above 64 (56 of 224)."""
    fill: int | tuple[int, int, int] = 127
    """The color: one byte for all channels, or three, the last of which stands for all further channels. The
    public code writes 0 after normalisation, which is the data's mean: 127 for a mean of 0.5; 125, 123, 114 for
    CIFAR-10's own."""

    name = "cutout"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        if self.size is not None:
            check_count("size", self.size, 1, SIDE_MOST)
        fill = (self.fill,) * 3 if isinstance(self.fill, int | np.integer) else self.fill
        if not isinstance(fill, tuple | list) or len(fill) != 3:
            raise InputError(f"fill must be one byte, or three, got {self.fill!r}")
        for value in fill:
            check_count("fill", value, 0)
            if value > 255:
                raise InputError(f"fill must be in 0 .. 255, got {value}")
        if not isinstance(self.fill, int | np.integer):
            object.__setattr__(self, "fill", tuple(fill))

    @classmethod
    def preset(cls, name: str) -> "CutOut":
        """One of :data:`PRESETS`: "cifar-10", "cifar-100", "imagenet"."""
        found: CutOut = find_preset("CutOut", PRESETS, name)
        return found

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        side = min(scene.height, scene.width)
        size = self.size or max(side // (2 if side <= SMALL_SIDE else 4), 1)
        fill = (self.fill,) * 3 if isinstance(self.fill, int | np.integer) else self.fill
        return DrawPlan(_draw_table, Options(int(size), *(float(value) for value in fill)), 1, 1)


PRESETS = {"cifar-10": CutOut(size=16), "cifar-100": CutOut(size=8), "imagenet": CutOut(size=56)}
"""The sizes of section 4 (CIFAR) and of the IPMix paper (ImageNet)."""


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    size: int
    first: float
    second: float
    further: float


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        heads[n].clean = 0
        chains[n, 0].share = WHOLE
        chains[n, 0].length = 1
        step = steps[n, 0, 0]
        step.mixer = FILL
        step.operation = NO_OPERATION
        step.a = o.first
        step.b = o.second
        step.level = o.further
        # The centre may be any pixel, so that up to three quarters of the square fall outside (section 3.2).
        y, x = below(state, height), below(state, width)
        step.top = max(y - o.size // 2, 0)
        step.bottom = min(y - o.size // 2 + o.size, height)
        step.left = max(x - o.size // 2, 0)
        step.right = min(x - o.size // 2 + o.size, width)
