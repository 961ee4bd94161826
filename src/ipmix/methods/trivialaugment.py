"""TrivialAugmentWide: one operation for each image at one strength, both drawn uniformly; labels untouched.

Source: Müller and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", ICCV 2021 (arXiv
2103.10158), section 4: the wide ranges. Operations and ranges are torchvision's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ipmix.core.bounds import MAGNITUDES_MOST
from ipmix.core.checking import check_count
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.randomness import below, start
from ipmix.methods.drawing import DrawPlan
from ipmix.methods.drawn import DrawnMethod
from ipmix.methods.magnitudes import WIDE, Magnitudes, check_filling, make_magnitudes, refuse_preset, write_step
from ipmix.recipe.format import NO_OPERATION, WHOLE
from ipmix.recipe.recipe import ImageSpec


@dataclass(frozen=True)
class TrivialAugmentWide(DrawnMethod):
    """How TrivialAugmentWide draws its recipes.

    >>> TrivialAugmentWide()
    """

    num_magnitude_bins: int = 31
    """Strengths to draw from: 0 .. 30 in the paper."""
    interpolation: str = "nearest"
    """"nearest" or "bilinear", for the operations that move pixels (torchvision's default: nearest)."""
    fill: int = 0
    """What moves into the image at its edges, 0 .. 255 (torchvision's default)."""

    name = "trivialaugment"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        check_count("num_magnitude_bins", self.num_magnitude_bins, 2, MAGNITUDES_MOST)
        check_filling(self.interpolation, self.fill)

    @classmethod
    def preset(cls, name: str) -> "TrivialAugmentWide":
        """Always refused: there are no presets."""
        refuse_preset(cls.name, name)

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        return DrawPlan(_draw_table, _options(self, scene.height, scene.width), 1, 1)


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    bins: int
    magnitudes: Magnitudes


@lru_cache(maxsize=64)
def _options(method: TrivialAugmentWide, height: int, width: int) -> Options:
    largest = {"": 0.0} | WIDE
    bins = int(method.num_magnitude_bins)
    return Options(bins, make_magnitudes(largest, bins, height, width, method.interpolation, method.fill))


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        heads[n].clean = 0
        chains[n, 0].share = WHOLE
        which = below(state, o.magnitudes.codes.size)
        chains[n, 0].length = 0
        if o.magnitudes.codes[which] != NO_OPERATION:
            write_step(state, o.magnitudes, which, below(state, o.bins), steps[n, 0, 0])
            chains[n, 0].length = 1
