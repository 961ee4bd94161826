"""What every method has: its options in its fields, a name, and ``draw``."""

from typing import Protocol

from ipmix.core.randomness import Keys
from ipmix.recipe.pixels import Drawn
from ipmix.recipe.recipe import ImageSpec


class Method(Protocol):
    """What every method has: options in its fields, and :meth:`draw`.

    One that draws a single table for a single image also has ``drawer(seed, scene)``: a table for one image,
    and a function of (epoch, index, view) that fills it; or None where its options don't allow it.
    """

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def needs_mixing_images(self) -> bool:
        """Whether its recipes can ask for a mixing image."""

    @property
    def mixes_labels(self) -> bool:
        """Whether its recipes can give a share of the label to another image of the batch."""

    def draw(self, keys: Keys, scene: ImageSpec) -> Drawn:
        """One recipe for each key."""
