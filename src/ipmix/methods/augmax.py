"""AugMax: of all mixtures of augmented versions, the one that the network gets most wrong.

Source: Wang, Xiao, Kossaifi, Yu, Anandkumar, Wang, "AugMax: Adversarial Composition of Random Augmentations for
Robust Training", NeurIPS 2021 (arXiv 2110.13771); and its public code (github.com/VITA-Group/AugMax).

An image becomes several views: number 0 is an AugMix of it; the others are single chains of operations, whose
worst mixture training finds by gradient ascent (:func:`ipmix.ascent.worst_mixture`) against the network as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ipmix.core.checking import check_count, check_positive
from ipmix.core.compiling import compiled
from ipmix.core.randomness import Keys, start, uniform
from ipmix.methods.augmix import NINE, AugMix
from ipmix.methods.drawing import find_preset
from ipmix.methods.drawn import Configurable
from ipmix.recipe.format import WHOLE
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable

START_SALT = 0x6175676D6178


@dataclass(frozen=True)
class AugMax(Configurable):
    """How AugMax draws its views and seeks the worst mixture.

    >>> AugMax(steps=5)
    >>> AugMax.preset("imagenet")

    Training with it needs a network with two BatchNorms (such as ``wrn-40-4-dubin``) and the Jensen-Shannon loss,
    whose coefficient the public code sets to 10 on CIFAR (1 for ResNet-18 on CIFAR-100) and 12 on ImageNet.
    """

    k: int = 3
    """Width: how many chains are mixed (public code)."""
    depth: int | None = None
    """Operations in a chain. None: drawn from 1..3 for each chain (public code)."""
    severity: float = 3.0
    """Upper bound of an operation's strength, of 10; 3 at every image size (public code)."""
    operations: str | tuple[str, ...] = NINE
    """AugMix's nine; or "all" of ours, or names."""
    steps: int = 10
    """The most steps of the ascent: 10 in the public commands for CIFAR, 5 on ImageNet."""
    step_size: float = 0.1
    """Of each step (public code)."""
    budget: int | None = 1
    """A mixture that was misclassified this often is not changed any more ("friendly" attack, tau = 1). None: all steps
    for every image, which is what the public code does: its mask is applied to a copy and stops nothing."""

    name = "augmax"
    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        check_count("steps", self.steps, 0)
        check_positive("step_size", self.step_size)
        if self.budget is not None:
            check_count("budget", self.budget, 1)
        object.__setattr__(self, "operations", self.augmix.operations)  # and checks all that AugMix checks

    @classmethod
    def preset(cls, name: str) -> "AugMax":
        """One of :data:`PRESETS`: "cifar", "imagenet", "code-cifar", "code-imagenet"."""
        found: AugMax = find_preset("AugMax", PRESETS, name)
        return found

    @property
    def augmix(self) -> AugMix:
        """The AugMix whose chains these are."""
        return AugMix(k=self.k, depth=self.depth, severity=self.severity, operations=self.operations)

    @property
    def views(self) -> int:
        """How many views of an image one step of training needs: an AugMix, and each chain by itself."""
        return 1 + self.k

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable:
        """One recipe for each key: an AugMix for view 0; for any other, one chain whose share is the whole."""
        if keys.view == 0:
            return self.augmix.draw(keys, scene)
        table = replace(self.augmix, k=1).draw(keys, scene)
        _chain_alone(table)
        return table

    def drawer(self, seed: int, scene: ImageSpec) -> tuple[RecipeTable, Callable[[int, int, int], None]]:
        """See :func:`~ipmix.methods.drawing.make_drawer`."""
        table, fill = self.augmix.drawer(seed, scene)
        chain, fill_chain = replace(self.augmix, k=1).drawer(seed, scene)

        def fill_any(epoch: int, index: int, view: int) -> None:
            if view == 0:
                fill(epoch, index, view)
                return
            fill_chain(epoch, index, view)
            _chain_alone(chain)
            table.heads[:] = chain.heads
            table.chains[:] = np.zeros(1, table.chains.dtype)
            table.chains[:, :1], table.steps[:, :1] = chain.chains, chain.steps

        return table, fill_any

    def starts(self, keys: Keys) -> tuple[np.ndarray, np.ndarray]:
        """Where the ascent begins: the blend float32[N] and the chains' logits float32[N, k], uniform in 0..1."""
        numbers = _start_numbers(keys.seed ^ START_SALT, keys.epoch, keys.indices, 1 + self.k)
        return numbers[:, 0].copy(), numbers[:, 1:].copy()


PRESETS = {
    "cifar": AugMax(steps=10),
    "imagenet": AugMax(steps=5),
    "code-cifar": AugMax(steps=10, budget=None),
    "code-imagenet": AugMax(steps=5, budget=None),
}
"""The public code's commands, as they are meant (with the friendly budget) and as they run (without)."""


def _chain_alone(table: RecipeTable) -> None:
    table.heads["clean"] = 0
    table.chains["share"] = WHOLE


@compiled
def _start_numbers(seed, epoch, indices, count):
    numbers = np.empty((indices.size, count), np.float32)
    state = np.empty(1, np.uint64)
    for n in range(indices.size):
        start(state, seed, epoch, indices[n], 0)
        for i in range(count):
            numbers[n, i] = uniform(state)
    return numbers
