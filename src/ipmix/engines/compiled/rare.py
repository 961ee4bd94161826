"""What is compiled only when a recipe needs it: the first image of all others comes sooner for it.

The kernel has a form for each of a few sets of parts. What a process has needed so far stays among them, so that it
does not go to and fro between forms; the rare operations are looked for in each table, since a kernel with them is
half as large again.
"""

import numpy as np

from ipmix.recipe.format import NO_OPERATION, OPERATION
from ipmix.recipe.operations import CODES, OPERATIONS
from ipmix.recipe.table import RecipeTable

RARE = frozenset(o.name for o in OPERATIONS if o.seeded or o.filled) | {"color", "contrast", "sharpness"}
"""Operations of methods beside IPMix with its core."""

_OTHERS = bytes(sorted(set(range(256)) - {CODES[name] for name in RARE}))
"""Every byte that is no code of a rare operation, "no operation" among them."""


def uses_rare(table: RecipeTable) -> bool:
    """Whether some step of the table is an operation of :data:`RARE`.

    As a string of bytes without the others: 1.4 us for 128 images of three chains of three steps, a thousandth of what
    carrying them out takes; NumPy's ways of looking up the codes take twice to three times as long.
    """
    return bool(table.steps["operation"].tobytes().translate(None, _OTHERS))


COMPILED: tuple[()] = ()
"""Given to the kernel for a part, instead of None: the part is compiled."""

Part = tuple[()] | None


class Needed:
    """Whether this process's tables so far had operations, and mixed boxes."""

    operations: Part = None
    boxes: Part = None

    @classmethod
    def by(cls, table: RecipeTable) -> bool:
        """Look at a table, one of whose recipes the kernel left; whether that had something new."""
        used = np.arange(table.steps.shape[2]) < table.chains["length"][:, :, None]
        before = cls.operations, cls.boxes
        if (table.steps["operation"][used] != NO_OPERATION).any():
            cls.operations = COMPILED
        if (table.steps["mixer"][used] != OPERATION).any():
            cls.boxes = COMPILED
        return (cls.operations, cls.boxes) != before


USUAL_CHANNELS = (1, 3)
"""Images with other numbers of channels get the kernel with the rare operations, which has code for theirs as well."""
