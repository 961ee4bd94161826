"""CutMix: a box of every image comes from another one of the batch, and so does that share of the label.

Source: Yun, Han, Oh, Chun, Choe, Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019 (arXiv 1905.04899), section 3; and its public code
(github.com/clovaai/CutMix-PyTorch).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ipmix.core.checking import check_choice, check_positive
from ipmix.core.compiling import compiled, compiled_disjoint
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys, below, beta, start, uniform
from ipmix.methods.drawing import SCOPES, DrawPlan, draw_partners, draw_table, find_preset, start_scope
from ipmix.methods.drawn import Configurable
from ipmix.recipe.format import NO_OPERATION, PARTNER, PASTE, WHOLE
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable


@dataclass(frozen=True)
class CutMix(Configurable):
    """How CutMix draws its recipes. Partners are images of the same batch: what ``draw`` is given keys for.

    >>> CutMix(alpha=1.0, probability=0.5)
    """

    alpha: float = 1.0
    """Parameter of Beta(alpha, alpha), from which the image's own share of the area is drawn (section 3)."""
    probability: float = 0.5
    """How often it is done at all (the public code's ``cutmix_prob``, 0.5 on CIFAR and 1 on ImageNet)."""
    scope: str = "batch"
    """"batch": one box and one permutation for the whole batch (public code); "image": each its own."""

    name = "cutmix"
    mixes_labels = True
    needs_mixing_images = False

    def __post_init__(self) -> None:
        check_positive("alpha", self.alpha)
        if not isinstance(self.probability, int | float) or not 0 <= self.probability <= 1:
            raise InputError(f"probability must be in 0 .. 1, got {self.probability!r}")
        check_choice("scope", self.scope, SCOPES)

    @classmethod
    def preset(cls, name: str) -> "CutMix":
        """One of :data:`PRESETS`: "cifar", "imagenet"."""
        found: CutMix = find_preset("CutMix", PRESETS, name)
        return found

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable:
        """One recipe for each key; its partner is a position among the keys."""
        options = Options(float(self.alpha), float(self.probability), self.scope == "batch")
        return draw_table(DrawPlan(_draw_table, options, 1, 1), keys, scene)


PRESETS = {"cifar": CutMix(alpha=1.0, probability=0.5), "imagenet": CutMix(alpha=0.2, probability=1.0)}
"""The public code's setting on CIFAR, and the IPMix paper's on ImageNet."""


class Options(NamedTuple):
    """The options as compiled code reads them."""

    alpha: float
    probability: float
    whole_batch: bool


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    if o.whole_batch and indices.size > 0:
        start_scope(state, seed, epoch, indices, view)
        mixes = uniform(state) < o.probability
        if mixes:
            _draw_box(state, o, height, width, steps[0, 0, 0])
            draw_partners(state, heads)
        for n in range(indices.size):
            if mixes:
                _settle(height, width, steps[0, 0, 0], heads[n], chains[n, 0], steps[n, 0, 0])
        return
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], view)
        if uniform(state) < o.probability:
            _draw_box(state, o, height, width, steps[n, 0, 0])
            heads[n].partner = below(state, indices.size)
            _settle(height, width, steps[n, 0, 0], heads[n], chains[n, 0], steps[n, 0, 0])


@compiled_disjoint
def _draw_box(state, o, height, width, step):
    own = beta(state, o.alpha, o.alpha)
    ratio = math.sqrt(1.0 - own)
    across, down = int(width * ratio), int(height * ratio)
    # The centre may be any pixel; what of the box falls outside is cut off, and counts for nothing in the label.
    x, y = below(state, width), below(state, height)
    step.left = max(x - across // 2, 0)
    step.right = min(x + across // 2, width)
    step.top = max(y - down // 2, 0)
    step.bottom = min(y + down // 2, height)


@compiled
def _settle(height, width, box, head, chain, step):
    step.left = box.left
    step.right = box.right
    step.top = box.top
    step.bottom = box.bottom
    area = np.int64(box.right - box.left) * np.int64(box.bottom - box.top)
    step.mixer = PASTE
    step.source = PARTNER
    step.operation = NO_OPERATION
    head.label = np.uint32((area * WHOLE + height * width // 2) // (height * width))
    head.clean = 0
    chain.share = WHOLE
    chain.length = 1
