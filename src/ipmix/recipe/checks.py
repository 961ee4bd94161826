"""What a recipe may hold: engines trust it, so that everything in it must be possible."""

from collections.abc import Sequence
from typing import Any

from ipmix.core.errors import InputError
from ipmix.recipe.format import BILINEAR, MIXERS, MOST, MOST_FREQUENCY, NO_MIXING_IMAGE, NO_PARTNER, SOURCES
from ipmix.recipe.operations import CODES, OPERATIONS


def check_step(step: Any, recipe: Any, where: str) -> None:
    """Raise :class:`InputError`, beginning with ``where``, unless the recipe can have this step."""
    check_known(where, "mixer", step.mixer, MIXERS)
    check_known(where, "source", step.source, SOURCES)
    check_known(where, "operation", step.operation, ("", *CODES))
    if step.operation:
        low, high = {"posterize": (1, 8), "autocontrast": (0, 100)}.get(step.operation, (-MOST, MOST))
        check_number(step, "level", low, high, where)
        if OPERATIONS[CODES[step.operation]].seeded:
            _check_seeded(step, where)
        if OPERATIONS[CODES[step.operation]].filled:
            _check_filled(step, where)
        if step.operation.startswith("translate_") and step.level != int(step.level):
            raise InputError(f"{where}: the level of {step.operation} must be whole pixels, got {step.level!r}")
    elif step.mixer == "fill":
        for name in ("a", "b", "level"):
            check_number(step, name, 0, 255, where)
            if getattr(step, name) != int(getattr(step, name)):
                raise InputError(f"{where}: {name} of fill must be a whole number, got {getattr(step, name)!r}")
    elif not step.mixer:
        raise InputError(f"{where}: it has neither a mixer nor an operation; name one of them")
    if not step.mixer:
        return
    check_ranges(step, where, left=(0, step.right + 1), right=(0, recipe.width + 1))
    check_ranges(step, where, top=(0, step.bottom + 1), bottom=(0, recipe.height + 1), seed=(0, 2**32))
    if step.mixer == "fill":
        if step.operation:
            raise InputError(f"{where}: fill takes no operation, got {step.operation!r}")
        return
    check_number(step, "a", -8 if step.mixer == "add" else 0, 8 if step.mixer in ("add", "multiply") else 1, where)
    check_number(step, "b", -8, 8, where)
    if step.source == "mixing_image" and recipe.mixing_image == NO_MIXING_IMAGE:
        raise InputError(f'{where}: source is "image", and the recipe\'s image is {NO_MIXING_IMAGE}: name an image')
    if step.source == "partner":
        if recipe.partner == NO_PARTNER:
            raise InputError(f'{where}: source is "partner", and the recipe\'s partner is {NO_PARTNER}: name one')
        if step.operation:
            raise InputError(f"{where}: a partner goes through no operation first, got {step.operation!r}")


def _check_seeded(step: Any, where: str) -> None:
    if step.mixer:
        raise InputError(f"{where}: {step.operation} works on whole images only, and can't be mixed in")
    check_ranges(step, where, seed=(0, 2**32))
    check_number(step, "level", 0, MOST, where)
    for name in ("a", "b"):
        check_number(step, name, 0, 1 if step.operation == "spectral" else MOST_FREQUENCY, where)
        if getattr(step, name) != int(getattr(step, name)):
            raise InputError(f"{where}: {name} of {step.operation} must be a whole number, got {getattr(step, name)!r}")


def _check_filled(step: Any, where: str) -> None:
    if step.mixer:
        raise InputError(f"{where}: {step.operation} works on whole images only, and can't be mixed in")
    for name, most in (("a", 255), ("b", BILINEAR)):
        check_number(step, name, 0, most, where)
        if getattr(step, name) != int(getattr(step, name)):
            raise InputError(f"{where}: {name} of {step.operation} must be a whole number, got {getattr(step, name)!r}")


def check_known(where: str, name: str, value: Any, known: Sequence[str]) -> None:
    """Raise :class:`InputError` unless the value is one of the known words."""
    if value not in known:
        raise InputError(f"{where}: unknown {name} {value!r}; known are {', '.join(filter(None, known))}")


def check_number(step: Any, name: str, low: float, high: float, where: str) -> None:
    """Raise :class:`InputError` unless the step's value of this name is in low .. high."""
    value = getattr(step, name)
    if not low <= value <= high:  # NaN is in no range
        raise InputError(f"{where}: {name} must be in {low} .. {high}, got {value!r}")


def check_ranges(item: Any, where: str, **ranges: tuple[int, int]) -> None:
    """Raise :class:`InputError` unless each value named is in its range, whose end is excluded."""
    for name, (low, end) in ranges.items():
        if not low <= getattr(item, name) < end:
            raise InputError(f"{where}: {name} must be in {low} .. {end - 1}, got {getattr(item, name)!r}")
