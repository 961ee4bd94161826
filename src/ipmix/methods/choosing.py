"""A method by its name, preset and options."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from ipmix.core.errors import InputError
from ipmix.methods import METHODS
from ipmix.methods.protocol import Method


def method_name(text: str) -> str:
    """The name in METHODS that is meant: in any case, or the class's own name (``RandAugment``).

    Raises:
        InputError: there is none; it names those that there are, and the nearest.
    """
    meant = {**{kind.__name__.lower(): name for name, kind in METHODS.items()}, **{name: name for name in METHODS}}
    if text.lower() in meant:
        return meant[text.lower()]
    near = difflib.get_close_matches(text.lower(), meant, n=1)
    did_you_mean = f"; did you mean {meant[near[0]]}?" if near else ""
    raise InputError(f"there is no method {text!r}{did_you_mean}; methods are none, {', '.join(METHODS)}")


def chosen_method(name: str, preset: str | None = None, options: Mapping[str, Any] | None = None) -> Method | None:
    """The method of this name, None for "none"; ``options`` replace single settings of the preset.

    Raises:
        InputError: an unknown name, preset or option, or a value that the method refuses.
    """
    options = dict(options or {})
    if name in ("none", "plain"):
        if preset or options:
            raise InputError("there is no augmentation to set options of: leave out the preset and the options")
        return None
    kind: Any = METHODS[method_name(name)]  # fields and presets are beyond what all methods have
    if preset and not hasattr(kind, "preset"):
        raise InputError(f"{name} has no preset {preset!r}; it has no presets")
    method = kind.preset(preset) if preset else kind()
    known = [field.name for field in dataclasses.fields(method)]
    for key, value in options.items():
        if key not in known:
            raise InputError(f"{name} has no option {key!r}; it has {', '.join(known)}")
        if isinstance(value, list):
            options[key] = tuple(value)
    return dataclasses.replace(method, **options) if options else method
