"""What several commands have in common: a method by its name, preset and options."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from ipmix.errors import InputError
from ipmix.methods import METHODS


def method_named(name: str, preset: str | None, options: Mapping[str, str]) -> Any:
    """The method of this name with its options, or None for "none".

    Options are JSON (``4``, ``[4, 8]``, ``"wrap"``); a word without quotes is text.
    """
    if name in ("none", "plain"):
        if preset or options:
            raise InputError("there is no augmentation to set options of: leave out --preset and --method-option")
        return None
    if name not in METHODS:
        raise InputError(f"there is no method {name!r}; methods are none, {', '.join(sorted(METHODS))}")
    kind = METHODS[name]
    method = kind.preset(preset) if preset else kind()
    if not options:
        return method
    known = [field.name for field in dataclasses.fields(method)]
    values: dict[str, Any] = {}
    for key, text in options.items():
        if key not in known:
            raise InputError(f"{name} has no option {key!r}; it has {', '.join(known)}")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        values[key] = tuple(value) if isinstance(value, list) else value
    return dataclasses.replace(method, **values)
