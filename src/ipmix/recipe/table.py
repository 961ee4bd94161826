"""The recipes of a batch, packed into arrays: what methods fill and engines read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.core.bounds import CLASSES_MOST
from ipmix.core.checking import check_count, shown
from ipmix.core.errors import InputError, plain
from ipmix.recipe.format import (
    CHAIN_TYPE,
    HEAD_TYPE,
    MIXERS,
    NO_MIXING_IMAGE,
    NO_OPERATION,
    NO_PARTNER,
    OVERFLOWS,
    SOURCES,
    STEP_TYPE,
    WHOLE,
)
from ipmix.recipe.operations import CODES, OPERATIONS
from ipmix.recipe.recipe import Chain, Recipe, Step


@dataclass(frozen=True, slots=True, eq=False)
class RecipeTable:
    """The recipes of N images, packed: up to K chains of up to T steps each.

    ``heads`` is HEAD_TYPE[N], ``chains`` CHAIN_TYPE[N, K], ``steps`` STEP_TYPE[N, K, T], all C-contiguous.
    ``table[i]`` is the i-th :class:`Recipe`; ``table[i:j]`` is a table.
    """

    height: int
    width: int
    heads: np.ndarray
    chains: np.ndarray
    steps: np.ndarray

    @classmethod
    def empty(cls, count: int, chains: int, steps: int, height: int, width: int) -> "RecipeTable":
        """A table of ``count`` recipes that all leave their image unchanged."""
        table = cls(
            height,
            width,
            np.zeros(count, HEAD_TYPE),
            np.zeros((count, chains), CHAIN_TYPE),
            np.zeros((count, chains, steps), STEP_TYPE),
        )
        table.heads["clean"] = WHOLE
        table.heads["mixing_image"] = NO_MIXING_IMAGE
        table.heads["partner"] = NO_PARTNER
        return table

    @classmethod
    def pack(cls, recipes: Sequence[Recipe]) -> "RecipeTable":
        """The table that holds these recipes, which must all be for the same height and width."""
        if isinstance(recipes, str) or not isinstance(recipes, Sequence):
            raise InputError(f"recipes are a list of Recipe, got {plain(repr(recipes), most=60)}")
        if not recipes:
            return cls.empty(0, 1, 1, 1, 1)
        for recipe in recipes:
            if not isinstance(recipe, Recipe):
                raise InputError(f"recipes are a list of Recipe, got {plain(repr(recipe), most=60)} among them")
        height, width = recipes[0].height, recipes[0].width
        for i, recipe in enumerate(recipes):
            if (recipe.height, recipe.width) != (height, width):
                raise InputError(
                    f"one table holds recipes for one size: recipe 0 is {width}x{height}, "
                    f"recipe {i} is {recipe.width}x{recipe.height}"
                )
        most_chains = max([1, *(len(recipe.chains) for recipe in recipes)])
        most_steps = max([1, *(len(chain.steps) for recipe in recipes for chain in recipe.chains)])
        table = cls.empty(len(recipes), most_chains, most_steps, height, width)
        for i, recipe in enumerate(recipes):
            overflow = OVERFLOWS.index(recipe.overflow)
            crop = (recipe.crop_x, recipe.crop_y)
            table.heads[i] = (recipe.clean, recipe.mixing_image, *crop, recipe.partner, recipe.label, overflow)
            for j, chain in enumerate(recipe.chains):
                table.chains[i, j] = (chain.share, len(chain.steps))
                for k, step in enumerate(chain.steps):
                    table.steps[i, j, k] = _packed(step)
        return table

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Recipe]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return RecipeTable(self.height, self.width, self.heads[which], self.chains[which], self.steps[which])
        _check_place(which, len(self))
        head = self.heads[which]
        chains = tuple(
            Chain(int(chain["share"]), tuple(_unpacked(step) for step in steps[: chain["length"]]))
            for chain, steps in zip(self.chains[which], self.steps[which])
        )
        # Chains that a recipe does not use (share 0, no step) are padding of the table.
        while chains and chains[-1] == Chain(0):
            chains = chains[:-1]
        return Recipe(
            self.height,
            self.width,
            int(head["clean"]),
            chains,
            int(head["mixing_image"]),
            int(head["crop_x"]),
            int(head["crop_y"]),
            OVERFLOWS[head["overflow"]],
            int(head["partner"]),
            int(head["label"]),
        )

    def labels(self, labels: np.ndarray, classes: int | None = None) -> np.ndarray:
        """The labels of the augmented images: float32[N, classes], every row summing to 1.

        Args:
            labels: int[N] with ``classes`` named, or float[N, classes], already shares of classes.
            classes: how many classes there are.

        Raises:
            InputError: a label out of range, or another number of them than of recipes.
        """
        shares = _label_shares(labels, classes, len(self))
        given = self.heads["label"].astype(np.float32)[:, None] / np.float32(WHOLE)
        return shares * (1 - given) + shares[np.maximum(self.heads["partner"], 0)] * given


@dataclass(frozen=True, slots=True, eq=False)
class RecipeSequence:
    """Tables carried out one after the other: the images that one makes are the next one's clean images.

    ``sequence[i]`` is the recipes of image i in order, ``sequence[i:j]`` a sequence.
    """

    tables: tuple[RecipeTable, ...]

    def __post_init__(self) -> None:
        shapes = {(len(table), table.height, table.width) for table in self.tables}
        if len(shapes) != 1:
            raise InputError(f"a sequence needs one or more tables for the same images, got {len(shapes)} kinds")

    @property
    def height(self) -> int:
        return self.tables[0].height

    @property
    def width(self) -> int:
        return self.tables[0].width

    def __len__(self) -> int:
        return len(self.tables[0])

    def __iter__(self) -> Iterator[tuple[Recipe, ...]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, which: Any) -> Any:
        if not isinstance(which, slice):
            _check_place(which, len(self))
        parts = tuple(table[which] for table in self.tables)
        return RecipeSequence(parts) if isinstance(which, slice) else parts

    def labels(self, labels: np.ndarray, classes: int | None = None) -> np.ndarray:
        """The labels after all tables; see :meth:`RecipeTable.labels`."""
        for table in self.tables:
            labels = table.labels(labels, classes)
        return labels


Recipes = RecipeTable | RecipeSequence
"""What methods draw: a table, or several to be carried out one after the other."""


def _check_place(which: Any, count: int) -> None:
    """IndexError (which ends a loop over a table) for a place that there is not; InputError for what is no place."""
    if isinstance(which, bool) or not isinstance(which, int | np.integer):
        raise InputError(f"a recipe's place is a whole number, or a slice, got {shown(which)}")
    if not -count <= which < count:
        raise IndexError(f"recipe {which} of {count}")


def _label_shares(labels: np.ndarray, classes: int | None, count: int) -> np.ndarray:
    try:
        labels = np.asarray(labels)
    except ValueError:
        raise InputError(
            f"labels must be int[{count}] or float[{count}, classes], got rows of several lengths"
        ) from None
    if labels.ndim == 2 and np.issubdtype(labels.dtype, np.floating) and len(labels) == count:
        if classes is not None and labels.shape[1] != classes:
            raise InputError(f"labels have shares of {labels.shape[1]} classes, and classes is {classes}")
        return labels.astype(np.float32)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or len(labels) != count:
        raise InputError(
            f"labels must be int[{count}] or float[{count}, classes], got {labels.dtype}{list(labels.shape)}"
        )
    if classes is None:
        raise InputError("labels are numbers of classes: name how many classes there are (classes=...)")
    check_count("classes", classes, 1, CLASSES_MOST)
    if count and not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"labels must be in 0 .. {classes - 1}, got {labels.min()} .. {labels.max()}")
    shares = np.zeros((count, classes), np.float32)
    shares[np.arange(count), labels] = 1
    return shares


def _packed(step: Step) -> tuple[Any, ...]:
    operation = CODES[step.operation] if step.operation else NO_OPERATION
    box = (step.left, step.top, step.right, step.bottom)
    mixer, source = MIXERS.index(step.mixer), SOURCES.index(step.source)
    return (mixer, source, operation, step.level, *box, step.a, step.b, step.seed)


def _unpacked(row: Any) -> Step:
    mixer, source, operation, level, left, top, right, bottom, a, b, seed = row.item()
    name = "" if operation == NO_OPERATION else OPERATIONS[operation].name
    return Step(MIXERS[mixer], SOURCES[source], name, level, left, top, right, bottom, a, b, seed)
