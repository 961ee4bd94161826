"""Recipes that are no data: a function of one's own that makes the augmented images itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ipmix.core.checking import described
from ipmix.core.errors import InputError, first_line
from ipmix.core.randomness import Keys
from ipmix.recipe.table import Recipes, RecipeTable

PixelFunction = Callable[[np.ndarray, Keys], np.ndarray]
"""(images uint8[N, H, W, C], their keys) -> augmented images, of the same shape and dtype."""


@dataclass(frozen=True, slots=True, eq=False)
class PixelRecipes:
    """What a function is to do to N images: the function and the images' keys; see :class:`ipmix.methods.PixelMethod`.

    There is nothing to print or to take apart: the function alone knows what it does.
    """

    function: PixelFunction
    keys: Keys
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, which: Any) -> Any:
        if not isinstance(which, slice):
            name = getattr(self.function, "__name__", "it")
            raise InputError(f"a method of pixels has no recipes to look at, only {name} knows what it does")
        keys = replace(self.keys, indices=self.keys.indices[which])
        return PixelRecipes(self.function, keys, self.height, self.width)

    def labels(self, labels: np.ndarray, classes: int | None = None) -> np.ndarray:
        """The images' own labels; see :meth:`RecipeTable.labels`."""
        return RecipeTable.empty(len(self), 1, 1, self.height, self.width).labels(labels, classes)

    def changed(self, images: np.ndarray) -> np.ndarray:
        """What the function makes of the images: uint8[N, H, W, C].

        Raises:
            InputError: it gives something else, or fails.
        """
        try:
            found = self.function(images.copy(), self.keys)  # a copy: the caller's images stay as they are
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # somebody's code: whatever it raises
            name = getattr(self.function, "__name__", "a method of pixels")
            raise InputError(f"the method {name} failed: {type(error).__name__}: {first_line(error)}") from error
        if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape != images.shape:
            name = getattr(self.function, "__name__", "a method of pixels")
            raise InputError(f"{name} must give uint8{list(images.shape)} for such images, got {described(found)}")
        return np.ascontiguousarray(found)


Drawn = Recipes | PixelRecipes
"""What methods draw."""
