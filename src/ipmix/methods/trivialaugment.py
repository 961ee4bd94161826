"""TrivialAugmentWide: one operation for each image at one strength, both drawn uniformly; labels untouched.

Source: Müller and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", ICCV 2021 (arXiv
2103.10158), section 4: the wide ranges. Operations and ranges are torchvision's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from ipmix.core.bounds import MAGNITUDES_MOST
from ipmix.core.checking import check_count
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.randomness import Keys, below, start
from ipmix.methods.drawing import DrawPlan, draw_table, make_drawer
from ipmix.methods.magnitudes import WIDE, Magnitudes, check_filling, make_magnitudes, refuse_preset, write_step
from ipmix.recipe.format import NO_OPERATION, WHOLE
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable


@dataclass(frozen=True)
class TrivialAugmentWide:
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

    def with_options(self, **options: Any) -> "TrivialAugmentWide":
        """A copy with some options changed."""
        return replace(self, **options)

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable:
        """One recipe for each key, for images of the scene's size."""
        return draw_table(self._plan(scene), keys, scene)

    def drawer(self, seed: int, scene: ImageSpec) -> tuple[RecipeTable, Callable[[int, int, int], None]]:
        """See :func:`~ipmix.methods.drawing.make_drawer`."""
        return make_drawer(self._plan(scene), seed, scene)

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
