"""RandAugment: several operations for each image, drawn uniformly, all at one magnitude; labels untouched.

Source: Cubuk, Zoph, Shlens, Le, "RandAugment: Practical Automated Data Augmentation with a Reduced Search Space",
NeurIPS 2020 (arXiv 1909.13719), section 3. Operations, ranges and defaults are torchvision's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ipmix.core.bounds import MAGNITUDES_MOST, STEPS_MOST
from ipmix.core.checking import check_count
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.errors import InputError
from ipmix.core.randomness import below, start
from ipmix.methods.drawing import DrawPlan
from ipmix.methods.drawn import DrawnMethod
from ipmix.methods.magnitudes import NARROW, Magnitudes, check_filling, make_magnitudes, refuse_preset, write_step
from ipmix.recipe.format import NO_OPERATION, WHOLE
from ipmix.recipe.recipe import ImageSpec


@dataclass(frozen=True)
class RandAugment(DrawnMethod):
    """How RandAugment draws its recipes.

    >>> RandAugment(num_ops=3, magnitude=5)
    """

    num_ops: int = 2
    """Operations for each image: the paper's N, 2 for ResNet-50 on ImageNet, 3 for WRN-28-10 on CIFAR."""
    magnitude: int = 9
    """Their strength, below ``num_magnitude_bins``: the paper's M, 9 for ResNet-50, 4 or 5 for WRN-28-10."""
    num_magnitude_bins: int = 31
    """Steps from no effect to the strongest: 0 .. 30 in the paper."""
    interpolation: str = "nearest"
    """"nearest" or "bilinear", for the operations that move pixels (torchvision's default: nearest)."""
    fill: int = 0
    """What moves into the image at its edges, 0 .. 255 (torchvision's default)."""

    name = "randaugment"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        check_count("num_ops", self.num_ops, 1, STEPS_MOST)
        check_count("num_magnitude_bins", self.num_magnitude_bins, 2, MAGNITUDES_MOST)
        check_count("magnitude", self.magnitude, 0)
        if self.magnitude >= self.num_magnitude_bins:
            raise InputError(
                f"magnitude must be below num_magnitude_bins ({self.num_magnitude_bins}), got {self.magnitude}"
            )
        check_filling(self.interpolation, self.fill)

    @classmethod
    def preset(cls, name: str) -> "RandAugment":
        """Always refused: there are no presets."""
        refuse_preset(cls.name, name)

    def _plan(self, scene: ImageSpec) -> DrawPlan:
        return DrawPlan(_draw_table, _options(self, scene.height, scene.width), 1, self.num_ops)


class Options(NamedTuple):
    """The options as compiled code reads them, settled for one image size."""

    num_ops: int
    magnitude: int
    magnitudes: Magnitudes


@lru_cache(maxsize=64)
def _options(method: RandAugment, height: int, width: int) -> Options:
    largest = {"": 0.0} | NARROW
    bins = method.num_magnitude_bins
    magnitudes = make_magnitudes(largest, bins, height, width, method.interpolation, method.fill)
    return Options(int(method.num_ops), int(method.magnitude), magnitudes)


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        heads[n].clean = 0
        chains[n, 0].share = WHOLE
        length = 0
        for _ in range(o.num_ops):
            which = below(state, o.magnitudes.codes.size)
            if o.magnitudes.codes[which] != NO_OPERATION:
                write_step(state, o.magnitudes, which, o.magnitude, steps[n, 0, length])
                length += 1
        chains[n, 0].length = length
