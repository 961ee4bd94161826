"""Methods one after the other, or one of several: the IPMix paper's combinations (appendix F), and any list.

Each method gets the images that the one before it made; one that mixes within the batch then mixes augmented
images with augmented images, and labels that are mixed already with each other.
"""

from dataclasses import dataclass, replace
from typing import Any

from ipmix.core.bounds import EPOCHS_MOST, STEPS_MOST
from ipmix.core.checking import check_choice, check_count, shown
from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, Keys, below
from ipmix.methods.augmix import AugMix
from ipmix.methods.cutmix import CutMix
from ipmix.methods.cutout import CutOut
from ipmix.methods.drawing import find_preset, stage_seed
from ipmix.methods.drawn import Configurable
from ipmix.methods.ipmix import IPMix
from ipmix.methods.mixup import MixUp
from ipmix.methods.pixmix import PixMix
from ipmix.methods.vanilla import Vanilla
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeSequence, RecipeTable

PARTS = {kind.name: kind for kind in (Vanilla, AugMix, PixMix, IPMix, CutOut, MixUp, CutMix)}
"""Methods that can be combined, by name."""

CHOICES = ("all", "one", "by_epoch")

CHOOSING = 10_000
"""The stage whose stream chooses, beyond the number of any method."""


@dataclass(frozen=True)
class Combined(Configurable):
    """Several methods in order.

    >>> Combined((AugMix(), MixUp(), CutMix()))
    >>> Combined(("augmix", "mixup", "cutmix"), choose="by_epoch", switch=50)
    """

    methods: tuple[Any, ...] = ("augmix", "mixup", "cutmix")
    """The methods, or names of methods with their defaults."""
    always: int = 1
    """How many from the front are carried out in any case, where ``choose`` is not "all"."""
    choose: str = "all"
    """Of the methods behind those: "all" in order; "one", drawn anew for each batch, all as likely; or "by_epoch",
    the first of them before epoch ``switch``, the second before twice that, and so on."""
    switch: int = 50
    """Epochs that each method has, where ``choose`` is "by_epoch" (appendix F: MixUp 50 epochs, then CutMix)."""

    name = "combined"

    def __post_init__(self) -> None:
        if not isinstance(self.methods, tuple | list) or not self.methods:
            raise InputError(f"methods must be a list of methods or their names, got {shown(self.methods)}")
        object.__setattr__(self, "methods", tuple(_method(item) for item in self.methods))
        check_choice("choose", self.choose, CHOICES)
        check_count("always", self.always, 0, STEPS_MOST)
        check_count("switch", self.switch, 1, EPOCHS_MOST)
        if self.choose != "all" and self.always >= len(self.methods):
            raise InputError(
                f"of {len(self.methods)} methods {self.always} are always carried out: none is left to choose from"
            )

    @classmethod
    def preset(cls, name: str) -> "Combined":
        """One of :data:`PRESETS`, such as "augmix-mixup-cutmix"."""
        found: Combined = find_preset("Combined", PRESETS, name)
        return found

    @property
    def mixes_labels(self) -> bool:
        """Whether one of the methods mixes labels."""
        return any(method.mixes_labels for method in self.methods)

    @property
    def needs_mixing_images(self) -> bool:
        """Whether one of the methods can ask for a mixing image."""
        return any(method.needs_mixing_images for method in self.methods)

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeSequence:
        """The recipes of each method for each key; every method has streams of its own."""
        tables: list[RecipeTable] = []
        for stage, method in self._stages(keys):
            drawn = method.draw(replace(keys, seed=stage_seed(keys.seed, stage)), scene)
            tables += drawn.tables if isinstance(drawn, RecipeSequence) else [drawn]
        return RecipeSequence(tuple(tables))

    def _stages(self, keys: Keys) -> list[tuple[int, Any]]:
        numbered = list(enumerate(self.methods))
        if self.choose == "all":
            return numbered
        fixed, rest = numbered[: self.always], numbered[self.always :]
        if self.choose == "by_epoch":
            return [*fixed, rest[min(max(keys.epoch, 0) // self.switch, len(rest) - 1)]]
        first = int(keys.indices[0]) if len(keys) else 0
        stream = Key(stage_seed(keys.seed, CHOOSING), keys.epoch, first, keys.view).stream()
        return [*fixed, rest[below(stream, len(rest))]]


def _method(item: Any) -> Any:
    if isinstance(item, str):
        if item not in PARTS:
            raise InputError(f"there is no method {item!r} to combine; methods are {', '.join(PARTS)}")
        return PARTS[item]()
    if not hasattr(item, "draw") or not hasattr(item, "mixes_labels"):
        raise InputError(f"methods holds {item!r}, which draws no recipes; methods are {', '.join(PARTS)}")
    return item


PRESETS = {
    "augmix-mixup-cutmix": Combined((AugMix(), MixUp(), CutMix())),  # Table 6
    "augmix-cutmix-mixup": Combined((AugMix(), CutMix(), MixUp())),
    "augmix-one": Combined((AugMix(), MixUp(), CutMix()), choose="one"),
    "augmix-by-epoch": Combined((AugMix(), MixUp(), CutMix()), choose="by_epoch"),
    **{  # Table 7; the paper does not say for which order: that of its first combination
        f"augmix-k{k}-mixup-{a}-cutmix-{b}": Combined((AugMix(k=k), MixUp(alpha=a), CutMix(alpha=b)))
        for k in (1, 5)
        for a in (0.2, 0.5)
        for b in (0.2, 0.5)
    },
}
"""The combinations of appendix F, Tables 6 and 7."""
