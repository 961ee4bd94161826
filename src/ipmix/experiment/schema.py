"""The JSON schema of experiment files, for editors: the config dataclasses and the texts below their fields.

    python -m ipmix.experiment.schema > schema.json

An editor that speaks YAML's language server reads it where a file begins with
``# yaml-language-server: $schema=schema.json``. It knows names, types, words and defaults; ranges are checked by
``ipmix experiment``.
"""

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from typing import Any, Literal, Union

from ipmix.core.json_text import json_text
from ipmix.core.terminal import say
from ipmix.experiment.config import ExperimentConfig

DIALECT = "http://json-schema.org/draft-07/schema#"
PLAIN: dict[Any, list[str]] = {
    int: ["integer"],
    float: ["number", "string"],  # YAML 1.1 takes 1e-4, without a dot, for text
    bool: ["boolean"],
    str: ["string"],
}


def schema() -> dict[str, Any]:
    """The schema of an experiment file, as JSON holds it."""
    return {"$schema": DIALECT, "title": "An ipmix experiment", **_settings(ExperimentConfig)}


def field_texts(kind: type) -> dict[str, str]:
    """The text below each field of a dataclass."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    texts = {}
    for field, text in zip(body.body, body.body[1:]):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


def _settings(kind: Any) -> dict[str, Any]:
    hints, texts = typing.get_type_hints(kind), field_texts(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        entry = _value(hints[field.name])
        if field.name in texts:
            entry["description"] = texts[field.name]
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        elif not dataclasses.is_dataclass(hints[field.name]) and field.default is not dataclasses.MISSING:
            entry["default"] = field.default
        properties[field.name] = entry
    if presets := getattr(kind, "presets", None):
        text = "Settings that go together, by name; those given beside it replace single ones."
        properties["preset"] = {"enum": list(presets()), "description": text}
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _value(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        (only,) = [argument for argument in arguments if argument is not type(None)]
        entry = _value(only)
        return {**entry, "type": [*entry["type"], "null"]}
    if dataclasses.is_dataclass(hint):
        return _settings(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": ["array"], "items": _value(arguments[0])}
    if origin is dict:
        return {"type": ["object"]}
    return {"type": PLAIN[hint]}


if __name__ == "__main__":
    say(json_text(schema(), indent=1) + "\n", lines=True)
