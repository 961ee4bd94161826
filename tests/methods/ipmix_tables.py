"""Tables that a method draws, and how to look into them."""

import math
from typing import Any

import numpy as np
import pytest

from ipmix.core.randomness import Keys
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable

SCENE = ImageSpec(32, 32, 3, 100)


def drawn(method: Any, count: int = 3000, scene: ImageSpec = SCENE, seed: int = 0, **key: int) -> RecipeTable:
    table: RecipeTable = method.draw(Keys.of(seed, key.get("epoch", 0), np.arange(count), key.get("view", 0)), scene)
    return table


def used_steps(table: RecipeTable) -> np.ndarray:
    """All steps that are no padding, in one row."""
    places = np.arange(table.steps.shape[2])
    rows: np.ndarray = table.steps[places < table.chains["length"][..., None]]
    return rows


def boxes(steps: np.ndarray) -> np.ndarray:
    """left, top, right, bottom of the mixing steps: int[M, 4]."""
    mixing = steps[steps["mixer"] != 0]
    return np.stack([mixing[side] for side in ("left", "top", "right", "bottom")], axis=1).astype(np.int64)


def within(share: float, count: int) -> Any:
    """A share that was counted in ``count`` tries, within four standard deviations."""
    return pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count) + 1e-9)
