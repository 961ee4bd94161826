"""Vanilla: no augmentation beyond the loader's flip and crop; what every method is compared with."""

from collections.abc import Callable
from dataclasses import dataclass

from ipmix.core.randomness import Keys
from ipmix.methods.drawn import Configurable
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable


@dataclass(frozen=True)
class Vanilla(Configurable):
    """Recipes that leave every image as it is."""

    name = "vanilla"
    mixes_labels = False
    needs_mixing_images = False

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable:
        """One recipe for each key: the clean image."""
        return RecipeTable.empty(len(keys), 1, 1, scene.height, scene.width)

    def drawer(self, seed: int, scene: ImageSpec) -> tuple[RecipeTable, Callable[[int, int, int], None]]:
        """See :func:`~ipmix.methods.drawing.make_drawer`."""
        return self.draw(Keys.of(seed, 0, [0]), scene), lambda epoch, index, view: None
