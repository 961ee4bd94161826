"""The image operations as one table, and how their parameter is drawn.

An operation takes a uint8 image and one number, its *level*, in the operation's own unit; what it does is
defined in ``engines/reference.py``. The level is ``offset + scale * L / 10`` with the strength L drawn from
U(0.1, severity), the scaled part cut to a whole number where the authors' code does so, and its sign drawn
for the operations that have a direction (authors' public code, ``IPMix_utils.py``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ipmix.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of :data:`OPERATIONS`."""

    name: str
    unit: str
    """What the level counts; "" where the operation has none."""
    offset: float = 0.0
    scale: float = 0.0
    """The level is offset + scale * L / 10; ``relative`` operations multiply the scale by the side."""
    whole: bool = False
    """Whether the scaled part is cut to a whole number (towards zero)."""
    signed: bool = False
    """Whether the level is negated with probability 1/2."""
    relative: str = ""
    """"width" or "height" where the scale is a fraction of that side of the image."""
    geometric: bool = False
    """Whether it moves pixels, so that boxes, masks and key points would have to follow."""
    core: bool = False
    """Whether it is one of the ten operations that the paper's results use."""
    in_test_set: bool = False
    """Whether it resembles a corruption of the -C test sets, and is therefore left out of the core."""
    seeded: bool = False
    """Whether it draws numbers of its own from the step's seed, and also reads the step's a and b (see
    ``engines/prime_reference.py``). In no group, and only for whole images: PRIME's steps."""
    filled: bool = False
    """Whether it reads the step's a, the byte that moves in at the edges, and b, the interpolation (see
    ``engines/filled_reference.py``). In no group, and only for whole images: steps of AutoAugment and its kin."""


OPERATIONS: tuple[Operation, ...] = (
    Operation("equalize", "", core=True),
    Operation("posterize", "bits", 4.0, -4.0, whole=True, core=True),
    Operation("rotate", "degrees", 0.0, 30.0, whole=True, signed=True, geometric=True, core=True),
    Operation("solarize", "threshold", 256.0, -256.0, whole=True, core=True),
    Operation("shear_x", "slope", 0.0, 0.3, signed=True, geometric=True, core=True),
    Operation("shear_y", "slope", 0.0, 0.3, signed=True, geometric=True, core=True),
    Operation(
        "translate_x",
        "pixels",
        0.0,
        1 / 3,
        whole=True,
        signed=True,
        relative="width",
        geometric=True,
        core=True,
    ),
    Operation(
        "translate_y",
        "pixels",
        0.0,
        1 / 3,
        whole=True,
        signed=True,
        relative="height",
        geometric=True,
        core=True,
    ),
    Operation("mirror", "", geometric=True, core=True),
    Operation("invert", "", core=True),
    Operation("autocontrast", "percent", 10.0, -10.0),
    Operation("color", "factor", 0.1, 1.8, in_test_set=True),
    Operation("contrast", "factor", 0.1, 1.8, in_test_set=True),
    Operation("brightness", "factor", 0.1, 1.8, in_test_set=True),
    Operation("sharpness", "factor", 0.1, 1.8, in_test_set=True),
    Operation("spectral", "strength", seeded=True),
    Operation("color_curve", "temperature", seeded=True),
    Operation("spatial", "temperature", geometric=True, seeded=True),
    Operation("rotate_filled", "degrees", geometric=True, filled=True),
    Operation("shear_x_filled", "slope", geometric=True, filled=True),
    Operation("shear_y_filled", "slope", geometric=True, filled=True),
    Operation("translate_x_filled", "pixels", geometric=True, filled=True),
    Operation("translate_y_filled", "pixels", geometric=True, filled=True),
)
"""Every operation; its place here is its code in a recipe table, so rows are only ever added at the end."""

(
    EQUALIZE,
    POSTERIZE,
    ROTATE,
    SOLARIZE,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    MIRROR,
    INVERT,
    AUTOCONTRAST,
    COLOR,
    CONTRAST,
    BRIGHTNESS,
    SHARPNESS,
    SPECTRAL,
    COLOR_CURVE,
    SPATIAL,
    ROTATE_FILLED,
    SHEAR_X_FILLED,
    SHEAR_Y_FILLED,
    TRANSLATE_X_FILLED,
    TRANSLATE_Y_FILLED,
) = range(len(OPERATIONS))

CODES = {operation.name: code for code, operation in enumerate(OPERATIONS)}

GROUPS: dict[str, tuple[str, ...]] = {
    "core": tuple(operation.name for operation in OPERATIONS if operation.core),
    "all": tuple(operation.name for operation in OPERATIONS if not (operation.seeded or operation.filled)),
    "photometric": tuple(o.name for o in OPERATIONS if o.core and not o.geometric),
}
"""Named sets: the paper's ten, all fifteen, and the core's that leave every pixel in its place."""


def operation_names(chosen: str | Iterable[str]) -> tuple[str, ...]:
    """The names behind a group ("core", "all", "photometric") or a list of names, in order, each once.

    Raises :class:`InputError` for an unknown name, an operation that is in no group, or an empty list.
    """
    if isinstance(chosen, str):
        if chosen not in GROUPS:
            raise InputError(
                f"operations={chosen!r} is no group of operations; groups are {', '.join(GROUPS)}, "
                f"or give a list of names out of {', '.join(GROUPS['all'])}"
            )
        return GROUPS[chosen]
    if not isinstance(chosen, Iterable):
        raise InputError(f"operations must be a group ({', '.join(GROUPS)}) or a list of names, got {chosen!r}")
    names = tuple(chosen)
    unknown = [name for name in names if not isinstance(name, str) or name not in GROUPS["all"]]
    if unknown:
        known = ", ".join(GROUPS["all"])
        if isinstance(unknown[0], str) and unknown[0] in CODES:
            owner = "PRIME's own" if OPERATIONS[CODES[unknown[0]]].seeded else "AutoAugment and its kin"
            raise InputError(f"{unknown[0]} is an operation of {owner}; known to other methods are {known}")
        raise InputError(f"unknown operation {unknown[0]!r}; known are {known}")
    if not names:
        raise InputError("operations is empty; give at least one name, or switch the image level off")
    return tuple(dict.fromkeys(names))
