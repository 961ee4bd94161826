"""MixUp: an image and its label are blended with another one of the batch.

Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018
(arXiv 1710.09412), section 2; and its public code (github.com/facebookresearch/mixup-cifar10).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ipmix.core.checking import check_choice, check_positive
from ipmix.core.compiling import compiled_disjoint
from ipmix.core.randomness import Keys, below, beta, start
from ipmix.methods.drawing import SCOPES, DrawPlan, draw_partners, draw_table, find_preset, start_scope
from ipmix.methods.drawn import Configurable
from ipmix.recipe.format import NO_OPERATION, PARTNER, PASTE, WHOLE
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable


@dataclass(frozen=True)
class MixUp(Configurable):
    """How MixUp draws its recipes. Partners are images of the same batch: what ``draw`` is given keys for.

    >>> MixUp(alpha=0.2)
    """

    alpha: float = 1.0
    """Parameter of Beta(alpha, alpha), from which the image's own share is drawn (section 2; 1 on CIFAR)."""
    scope: str = "batch"
    """"batch": one share and one permutation for the whole batch (public code); "image": each its own."""

    name = "mixup"
    mixes_labels = True
    needs_mixing_images = False

    def __post_init__(self) -> None:
        check_positive("alpha", self.alpha)
        check_choice("scope", self.scope, SCOPES)

    @classmethod
    def preset(cls, name: str) -> "MixUp":
        """One of :data:`PRESETS`: "cifar", "imagenet"."""
        found: MixUp = find_preset("MixUp", PRESETS, name)
        return found

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable:
        """One recipe for each key; its partner is a position among the keys."""
        plan = DrawPlan(_draw_table, Options(float(self.alpha), self.scope == "batch"), 1, 1)
        return draw_table(plan, keys, scene)


PRESETS = {"cifar": MixUp(alpha=1.0), "imagenet": MixUp(alpha=0.2)}
"""Section 3: CIFAR, and ImageNet."""


class Options(NamedTuple):
    """The options as compiled code reads them."""

    alpha: float
    whole_batch: bool


@compiled_disjoint
def _draw_table(seed, epoch, indices, view, o, height, width, images, heads, chains, steps, state, weights):
    own = 1.0
    if o.whole_batch and indices.size > 0:
        start_scope(state, seed, epoch, indices, view)
        own = beta(state, o.alpha, o.alpha)
        draw_partners(state, heads)
    for n in range(indices.size):
        if not o.whole_batch:
            start(state, seed, epoch, indices[n], view)
            own = beta(state, o.alpha, o.alpha)
            heads[n].partner = below(state, indices.size)
        share = np.uint32((1.0 - own) * WHOLE)
        heads[n].label = share
        heads[n].clean = WHOLE - share
        chains[n, 0].share = share
        chains[n, 0].length = 1
        step = steps[n, 0, 0]
        step.mixer = PASTE
        step.source = PARTNER
        step.operation = NO_OPERATION
        step.right = width
        step.bottom = height
