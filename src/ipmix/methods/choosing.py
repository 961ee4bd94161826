"""A method by its name, preset and options."""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from typing import Any, cast

from ipmix.core.errors import InputError, first_line
from ipmix.core.extensions import full_name, installed, own
from ipmix.methods import METHODS
from ipmix.methods.pixels import PixelMethod
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
    names = ", ".join([*METHODS, *installed("method")])
    raise InputError(f"there is no method {text!r}{did_you_mean}; methods are none, {names}, or module:Name")


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
    kind = method_kind(name)
    if preset and not hasattr(kind, "preset"):
        raise InputError(f"{name} has no preset {preset!r}; it has no presets")
    method: Any = kind.preset(preset) if preset else made_method(name, kind)
    known = _options_of(method)
    for key, value in options.items():
        if key not in known:
            raise InputError(f"{name} has no option {key!r}; it has {', '.join(known) or 'none'}")
        if isinstance(value, list):
            options[key] = tuple(value)
    return cast(Method, dataclasses.replace(cast(Any, method), **options)) if options else method


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
    name, dash, rest = text.strip().partition("-")
    if name.lower() in ("none", "plain"):
        raise InputError(f"{text!r} is no method to carry out: leave it out, or take 'vanilla', which changes nothing")
    if dash and not rest:
        raise InputError(f"{text!r} ends in a dash: give {name!r}, or a preset or options behind it, such as k3")
    kind = method_kind(name)
    if not rest:
        return made_method(name, kind)
    fields = set(_options_of(kind))
    options: dict[str, Any] = {}
    for word in rest.split("-"):
        found = re.fullmatch(r"([a-z_]+)([0-9]+(?:\.[0-9]+)?)", word)
        known = [option for option in (found[1], *LETTERS.get(found[1], ())) if option in fields] if found else []
        if found is None or not known:
            try:
                if not hasattr(kind, "preset"):
                    raise InputError("it has no presets")
                preset: Method = kind.preset(rest)
            except InputError as error:
                has = ", ".join(sorted(fields)) or "it has none"
                raise InputError(f"{word!r} in {text!r} is no option of {name} ({has}), and {error}") from None
            return preset
        if known[0] in options:
            raise InputError(f"{text!r} sets {known[0]} twice: leave one out")
        number = float(found[2])
        options[known[0]] = int(found[2]) if found[2].isdigit() and known[0] != "severity" else number
    method: Method = dataclasses.replace(kind, **options) if not isinstance(kind, type) else kind(**options)
    return method


def method_kind(name: str) -> Any:
    """The class of this name in METHODS, or what ``module:Name`` or a package's entry point names: a class, a method
    that is made already, or a function of pixels, which becomes a :class:`~ipmix.methods.pixels.PixelMethod`.

    Raises:
        InputError: there is no such method, or what is named is none.
    """
    full = None if name.lower() in METHODS else full_name(name, "method")
    if full is None:
        return METHODS[method_name(name)]
    found = own(full, "method")
    if not hasattr(found, "draw"):
        if isinstance(found, type) or not callable(found):
            raise InputError(
                f"{full} is no method: it has no draw(keys, scene), and is no function (images, keys) -> images either"
            )
        return PixelMethod(found)
    missing = [word for word in ("name", "mixes_labels", "needs_mixing_images") if not hasattr(found, word)]
    if missing:
        raise InputError(f"{full} lacks {', '.join(missing)}, which every method has: see docs/extending.md")
    return found


def made_method(name: str, kind: Any) -> Method:
    """The method of a kind, with its default options; InputError where a class has none for all of them."""
    if not isinstance(kind, type):
        method: Method = kind
        return method
    try:
        return cast(Method, kind())
    except TypeError as error:
        raise InputError(f"{name} can't be made without options ({first_line(error)})") from None


def _options_of(method: Any) -> list[str]:
    """The names of a method's options: its fields, where it is a dataclass."""
    if isinstance(method, PixelMethod) or not dataclasses.is_dataclass(method):
        return []
    return [field.name for field in dataclasses.fields(method)]
