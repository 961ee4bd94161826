"""A method by its name, preset and options."""

import dataclasses
import difflib
import re
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


LETTERS = {
    "m": ("severity", "magnitude"),
    "w": ("k", "num_ops"),
    "d": ("t", "depth"),
    "n": ("num_ops",),
    "a": ("alpha",),
    "b": ("beta",),
}
"""Letters of :func:`named_method` that stand for options, in the sense of timm's names (``augmix-m5-w4-d2``)."""


def named_method(text: str) -> Method:
    """The method with its options that one word stands for: "ipmix-k3-t3", "ipmix-paper-imagenet", "augmix-m3-w3".

    Behind the method's name stand a preset, or letters with numbers: options of that name (k, t), or one of
    :data:`LETTERS`: m the strength, w the width, d the depth, n the number of operations, a alpha, b beta.

    Raises:
        InputError: an unknown method, preset or option, or a value that the method refuses.
    """
    if not isinstance(text, str):
        raise InputError(f"a method's name is text such as 'ipmix-k3-t3', got {text!r}")
    name, _, rest = text.strip().partition("-")
    kind: Any = METHODS[method_name(name)]
    if not rest:
        made: Method = kind()
        return made
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    options: dict[str, Any] = {}
    for word in rest.split("-"):
        found = re.fullmatch(r"([a-z_]+)([0-9]+(?:\.[0-9]+)?)", word)
        known = [option for option in (found[1], *LETTERS.get(found[1], ())) if option in fields] if found else []
        if found is None or not known:
            try:
                preset: Method = kind.preset(rest)
            except InputError as error:
                has = ", ".join(sorted(fields)) or "it has none"
                raise InputError(f"{word!r} in {text!r} is no option of {name} ({has}), and {error}") from None
            return preset
        number = float(found[2])
        options[known[0]] = int(found[2]) if found[2].isdigit() and known[0] != "severity" else number
    method: Method = kind(**options)
    return method
