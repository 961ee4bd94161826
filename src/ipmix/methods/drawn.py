"""What the classes of methods have in common: copies with other options, and recipes drawn by one kernel."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys
from ipmix.methods.drawing import DrawPlan, draw_table, make_drawer
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable


class Configurable:
    """A frozen dataclass whose fields are the method's options."""

    def with_options(self, **options: Any) -> Self:
        """A copy with some options changed."""
        return replace(self, **options)  # type: ignore[type-var]

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Refused: a method is what others carry out; as a list of transforms calls what it holds, it says which."""
        name = type(self).__name__
        raise InputError(
            f"{name}(...) holds the settings of a method and is not called: as a transform take "
            f"ipmix.transforms.MethodTransform({name}(...)), for arrays ipmix.augment(images, {name}(...), seed=...)"
        )


class DrawnMethod(Configurable):
    """A method whose recipes one kernel draws, each from its own key."""

    @abstractmethod
    def _plan(self, scene: ImageSpec) -> DrawPlan:
        """How its recipes are drawn for images of this size."""

    def draw(self, keys: Keys, scene: ImageSpec) -> RecipeTable:
        """One recipe for each key, for images of the scene's size.

        Raises :class:`InputError` if the method mixes images in and the scene has none.
        """
        return draw_table(self._plan(scene), keys, scene)

    def drawer(self, seed: int, scene: ImageSpec) -> tuple[RecipeTable, Callable[[int, int, int], None]]:
        """See :func:`~ipmix.methods.drawing.make_drawer`."""
        return make_drawer(self._plan(scene), seed, scene)
