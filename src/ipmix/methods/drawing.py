"""What drawing has in common: a method settles its options for an image size, a compiled kernel fills a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.core.checking import shown
from ipmix.core.compiling import direct, embedded
from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, Key, Keys, below, beta, between, bits, start, uniform
from ipmix.recipe.format import NO_MIXING_IMAGE
from ipmix.recipe.operations import OPERATIONS
from ipmix.recipe.recipe import ImageSpec
from ipmix.recipe.table import RecipeTable

STAGES = -2
"""The view whose streams are the seeds of further stages."""

SCOPES = ("batch", "image")
"""What one draw of a method that mixes the images of a batch is for."""


@dataclass(frozen=True, slots=True)
class DrawPlan:
    """How a method's recipes are drawn for one image size.

    ``kernel(seed, epoch, indices, view, options, height, width, images, heads, chains, steps, state, weights)``
    fills the rows of a table that :meth:`RecipeTable.empty` made; ``state`` uint64[1] and ``weights``
    float64[chains] are scratch.
    """

    kernel: Any
    options: Any
    """A named tuple of numbers and arrays."""
    chains: int
    steps: int


def draw_table(plan: DrawPlan, keys: Keys, scene: ImageSpec) -> RecipeTable:
    """One recipe for each key, for images of the scene's size."""
    table = RecipeTable.empty(len(keys), plan.chains, plan.steps, scene.height, scene.width)
    plan.kernel(
        *(keys.seed, keys.epoch, keys.indices, keys.view),
        *(plan.options, scene.height, scene.width, scene.mixing_count),
        *(table.heads, table.chains, table.steps, np.empty(1, np.uint64), np.empty(plan.chains)),
    )
    return table


def make_drawer(plan: DrawPlan, seed: int, scene: ImageSpec) -> tuple[RecipeTable, Callable[[int, int, int], None]]:
    """What :class:`~ipmix.augmentation.single.Augmenter` uses: a table for one image, and a quick function.

    The function fills the table with the recipe of the key (seed, epoch, index, view), given the last three.
    """
    table = draw_table(plan, Keys.of(seed, 0, [0]), scene)  # compiles
    indices = np.zeros(1, np.int64)
    size = (scene.height, scene.width, scene.mixing_count)
    arrays = (table.heads, table.chains, table.steps, np.empty(1, np.uint64), np.empty(plan.chains))
    entry = direct(plan.kernel, seed, 0, indices, 0, plan.options, *size, *arrays)

    def fill(epoch: int, index: int, view: int) -> None:
        indices[0] = index
        entry(seed, epoch, indices, view, plan.options, *size, *arrays)

    return table, fill


def stage_seed(seed: int, stage: int) -> int:
    """The seed of one of several tables drawn for the same keys: the first keeps it, the others have their own."""
    if stage == 0:
        return seed
    return int(Key(seed, 0, stage, STAGES).stream()[0].astype(np.int64))


def find_preset(method: str, presets: Mapping[str, Any], name: str) -> Any:
    """The preset of this name; :class:`InputError` naming those that there are."""
    if not isinstance(name, str) or name not in presets:
        raise InputError(f"{method} has no preset {shown(name)}; presets are {', '.join(presets)}")
    return presets[name]


def check_images(method: str, scene: ImageSpec, instead: str = "") -> None:
    """Raise :class:`InputError` if there are no mixing images; ``instead`` is what else would do."""
    if scene.mixing_count == 0:
        raise InputError(
            f"{method} needs mixing images and got none: pass mixing=MixingSet.generate(...) or "
            f"MixingSet.folder(...){instead}"
        )


@embedded
def draw_mixing_image(state, seed, epoch, index, images, head):
    """Draw the mixing image and where it is cropped: all views of an image share them (authors' code)."""
    start(state, seed, epoch, index, SHARED_VIEW)
    head.mixing_image = below(state, images) if images > 0 else NO_MIXING_IMAGE
    head.crop_x = np.uint32(bits(state) >> np.uint64(32))
    head.crop_y = np.uint32(bits(state) >> np.uint64(32))


@embedded
def start_scope(state, seed, epoch, indices, view):
    """Set a stream to the beginning of a whole batch's: that of its first image, its size counted in."""
    start(state, seed, epoch, indices[0], view)
    start(state, np.int64(state[0]), epoch, indices.size, view)


@embedded
def draw_partners(state, heads):
    """Write a random permutation of the batch's positions to ``heads.partner`` (Fisher and Yates)."""
    for n in range(heads.size):
        heads[n].partner = n
    for n in range(heads.size - 1, 0, -1):
        other = below(state, n + 1)
        partner = heads[n].partner
        heads[n].partner = heads[other].partner
        heads[other].partner = partner


@embedded
def draw_coefficients(state, strength):
    """Coefficients of add and multiply (authors' code, ``get_ab``, which PixMix's has too)."""
    if below(state, 2) == 0:
        return beta(state, strength, 1.0), beta(state, 1.0, strength)
    return 1.0 + beta(state, 1.0, strength), -beta(state, 1.0, strength)


_OFFSET = np.array([operation.offset for operation in OPERATIONS])


_SCALE = np.array([operation.scale for operation in OPERATIONS])


_WHOLE = np.array([operation.whole for operation in OPERATIONS])


_SIGNED = np.array([operation.signed for operation in OPERATIONS])


_SIDE = np.array([("", "height", "width").index(operation.relative) for operation in OPERATIONS])


@embedded
def draw_level(state, code, severity, height, width):
    """Draw the level of operation ``code`` for an image of height x width: float64 in the operation's unit.

    ``severity`` bounds the strength L ~ U(0.1, severity) (authors' code, ``sample_level``). The seeded and the filled
    operations have no such level: 0.
    """
    if _SCALE[code] == 0.0:
        return 0.0
    strength = between(state, 0.1, severity)
    scale = _SCALE[code]
    if _SIDE[code] == 1:
        scale *= height
    elif _SIDE[code] == 2:
        scale *= width
    level = strength * scale / 10.0
    if _WHOLE[code]:
        level = float(int(level))
    if _SIGNED[code] and uniform(state) > 0.5:
        level = -level
    return _OFFSET[code] + level
