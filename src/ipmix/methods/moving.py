"""Which methods move pixels, so that boxes and masks would have to follow, and their forms that don't."""

import dataclasses
from typing import Any

from ipmix.core.errors import InputError
from ipmix.methods.layermix import VARIANTS
from ipmix.methods.protocol import Method
from ipmix.recipe.operations import CODES, OPERATIONS, operation_names

MOVING = ("autoaugment", "randaugment", "trivialaugment")
"""Methods whose operations are fixed, some of which move pixels."""


def moves_pixels(method: Method) -> bool:
    """Whether recipes of the method can move pixels."""
    if (declared := getattr(method, "moves_pixels", None)) is not None:
        return bool(declared)
    if method.name in MOVING or _is_unknown(method):
        return True
    if method.name == "combined":
        return any(moves_pixels(part) for part in getattr(method, "methods", ()))
    return any(_is_geometric(name) for name in _names(method))


def photometric(method: Method) -> Method:
    """The method with those of its operations that leave every pixel in its place.

    Raises:
        InputError: none of its operations does, or they can't be chosen.
    """
    if not moves_pixels(method):
        return method
    kept = tuple(name for name in _names(method) if not _is_geometric(name))
    if method.name in MOVING or method.name == "combined" or not kept or hasattr(method, "moves_pixels"):
        raise InputError(
            f"{method.name} moves pixels and has no form that doesn't: take IPMix, AugMix, PixMix, LayerMix or PRIME"
        )
    changed: Any = method
    found: Method = dataclasses.replace(changed, **{_field(method): kept})
    return found


def _is_unknown(method: Any) -> bool:
    """Whether this is somebody's own method that doesn't say which operations it has."""
    return not type(method).__module__.startswith("ipmix.") and not hasattr(method, _field(method))


def _field(method: Any) -> str:
    return "primitives" if hasattr(method, "primitives") else "operations"


def _names(method: Any) -> tuple[str, ...]:
    chosen = getattr(method, _field(method), ())
    return operation_names(chosen) if isinstance(chosen, str) else tuple(chosen)


def _is_geometric(name: str) -> bool:
    code = VARIANTS[name] if name in VARIANTS else CODES[name]
    return OPERATIONS[code].geometric
