"""A method's settings as knobs of a page, read off its dataclass: names, explanations, defaults, ranges, choices."""

import ast
import dataclasses
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import ipmix

Kind = Literal["whole", "number", "switch", "choice", "subset", "text"]

LEFT_OUT = {("combined", "methods")}
"""Settings that hold methods themselves; the presets stand for them."""

MOST_WHOLE, MOST_PIXELS, BYTE = 8, 224, 255
"""Where a slider of whole numbers ends, or at four times the default, whichever is more; sooner where that is refused.
Those of pixels end later, those of a byte at its end."""


@dataclass(frozen=True)
class Knob:
    """One setting of a method.

    Attributes:
        name: of the dataclass's field.
        kind: "whole" and "number" lie in ``low`` to ``high``, ``step`` apart; "switch" is on or off; "choice" is one
            of ``choices``; "subset" is some of them, at least one; "text" is JSON, a word without quotes being text.
        default: the value it begins with; None: the method chooses by the image's size.
        optional: whether None is allowed.
        explained: the field's docstring.
    """

    name: str
    kind: Kind
    default: Any
    optional: bool
    explained: str
    low: float = 0
    high: float = 1
    step: float = 1
    choices: tuple[str, ...] = ()


def presets(name: str) -> tuple[str, ...]:
    """The names of a method's presets; none if it has none."""
    return tuple(getattr(sys.modules[ipmix.METHODS[name].__module__], "PRESETS", ()))


def base(name: str, preset: str | None = None) -> Any:
    """The method of this name with its defaults, or those of a preset."""
    kind: Any = ipmix.METHODS[name]
    return kind.preset(preset) if preset else kind()


def knobs(name: str, preset: str | None = None) -> list[Knob]:
    """The settings of a method, in its own order."""
    method = base(name, preset)
    kind: Any = type(method)
    said = _docstrings(kind)
    return [
        _knob(method, field.name, inspect.formatannotation(field.type), said.get(field.name, ""))
        for field in dataclasses.fields(method)
        if (name, field.name) not in LEFT_OUT
    ]


def made(name: str, preset: str | None, values: Mapping[str, Any]) -> Any:
    """The method with these settings.

    Args:
        name: of the method.
        preset: of its settings, or None.
        values: the settings by name; text of "text" knobs is read as JSON.

    Raises:
        InputError: a value that the method refuses.
    """
    method = base(name, preset)
    known = {knob.name: knob for knob in knobs(name, preset)}
    options = {}
    for key, value in values.items():
        if known[key].kind == "text" and isinstance(value, str):
            value = _read(value)
        options[key] = tuple(value) if isinstance(value, list) else value
    return dataclasses.replace(method, **options)


def in_python(method: Any, name: str, preset: str | None) -> str:
    """The method as one would write it in Python: what differs from the defaults or the preset."""
    kind = type(method).__name__
    start = base(name, preset)
    changed = [
        f"{field.name}={value!r}"
        for field in dataclasses.fields(method)
        if (value := getattr(method, field.name)) != getattr(start, field.name)
    ]
    if preset is None:
        return f"ipmix.{kind}({', '.join(changed)})"
    text = f'ipmix.{kind}.preset("{preset}")'
    return f"dataclasses.replace({', '.join([text, *changed])})" if changed else text


def _read(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _knob(method: Any, name: str, kind: str, explained: str) -> Knob:
    default = getattr(method, name)
    optional = "None" in kind and _takes(method, name, None)

    def knob(kind: Kind, **rest: Any) -> Knob:
        return Knob(name, kind, default, optional, explained, **rest)

    if kind == "bool":
        return knob("switch")
    if kind.startswith("int") and "tuple" not in kind:
        low = next(value for value in (0, 1, 2, default) if _takes(method, name, value))
        most = max(MOST_PIXELS if "pixels" in explained else MOST_WHOLE, 4 * (default or 0))
        if _takes(method, name, BYTE) and not _takes(method, name, BYTE + 1):
            most = BYTE
        return knob("whole", low=low, high=_last(method, name, range(low, most + 1)))
    if kind.startswith("float"):
        step = 0.01 if "0.0" in explained else 0.1
        low = next(value for value in (0.0, step, default) if _takes(method, name, value))
        high = next(value for value in (100 * step, 1.0, default) if _takes(method, name, value))
        return knob("number", low=low, high=high, step=step)
    quoted = tuple(dict.fromkeys(re.findall(r'"([a-z][a-z0-9_-]*)"', explained)))
    if "tuple[str" in kind and isinstance(default, tuple) and len(set(default)) == len(default):
        return knob("subset", choices=default)
    if kind.startswith("str"):
        offered = _accepted(method, name, (*([default] if isinstance(default, str) else []), *quoted))
        if len(offered) > 1 or "tuple" not in kind:
            return knob("choice", choices=offered)
    return knob("text")


def _accepted(method: Any, name: str, values: Iterable[str]) -> tuple[str, ...]:
    """What the method takes of the words that its explanation puts in quotation marks."""
    return tuple(value for value in dict.fromkeys(values) if _takes(method, name, value))


def _last(method: Any, name: str, values: Iterable[int]) -> int:
    """The last of ascending numbers before the first that is refused."""
    last = 0
    for value in values:
        if not _takes(method, name, value):
            break
        last = value
    return last


def _takes(method: Any, name: str, value: Any) -> bool:
    try:
        dataclasses.replace(method, **{name: value})
    except (ipmix.InputError, TypeError):
        return False
    return True


@cache
def _docstrings(kind: type) -> dict[str, str]:
    """What stands under each field of a dataclass, as one line."""
    (body,) = [node for node in ast.parse(textwrap.dedent(inspect.getsource(kind))).body if hasattr(node, "body")]
    found: dict[str, str] = {}
    for field, below in zip(body.body, body.body[1:]):
        said = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, str):
            found[field.target.id] = " ".join(said.split())
    return found
