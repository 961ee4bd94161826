"""Settings files: YAML read strictly into frozen dataclasses.

An unknown key, a key twice, a value of the wrong type: each is an error that names the file and the key.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from ipmix.core.errors import InputError

Settings = TypeVar("Settings")


def read(kind: type[Settings], path: str | Path, changes: Mapping[str, str] | None = None) -> Settings:
    """Read a file of settings.

    Args:
        kind: the dataclass to make; its fields may be dataclasses themselves.
        path: the YAML file.
        changes: values that replace the file's, by dotted key: ``{"training.epochs": "10"}``. Values are YAML.

    Raises:
        InputError: no such file, no YAML, or a key or value that does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no settings file {path}")
    content = _parsed(path.read_text(encoding="utf-8"), str(path))
    for key, text in (changes or {}).items():
        _change(content, key, _parsed(text, f"--set {key}"))
    return made(kind, content, str(path))


def made(kind: type[Settings], content: Any, source: str, key: str = "") -> Settings:
    """A dataclass from a mapping, checked field by field; ``source`` and ``key`` are named in errors."""
    where = f"{source}: {key}" if key else source
    if not isinstance(content, dict):
        raise InputError(f"{where} should hold settings (key: value), got {_shown(content)}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in content:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, 1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(fields)}"
            raise InputError(f"{source}: unknown key {_joined(key, name)!r}{hint}")
    hints = typing.get_type_hints(kind)
    values = {}
    for name, field in fields.items():
        if name in content:
            values[name] = _value(hints[name], content[name], source, _joined(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{source}: the key {_joined(key, name)!r} is missing")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _value(hint: Any, value: Any, source: str, key: str) -> Any:
    """``value`` as the type that ``hint`` asks for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (only,) = [argument for argument in arguments if argument is not type(None)]
        return _value(only, value, source, key)
    if hint is Any:
        return value
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return made(hint, value, source, key)
    if origin is Literal:
        if value in arguments:
            return value
        raise InputError(f"{source}: {key} is one of {', '.join(map(str, arguments))}, got {_shown(value)}")
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_value(arguments[0], item, source, f"{key}[{i}]") for i, item in enumerate(value))
        raise InputError(f"{source}: {key} is a list, got {_shown(value)}")
    if origin is dict:
        if isinstance(value, dict):
            return {str(name): item for name, item in value.items()}
        raise InputError(f"{source}: {key} should hold settings (key: value), got {_shown(value)}")
    return _plain(hint, value, source, key)


def _plain(kind: type, value: Any, source: str, key: str) -> Any:
    """A number, a switch or a text."""
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)  # YAML 1.1 takes 1e-4, without a dot, for text
        except ValueError:
            pass
    if type(value) is kind:
        return value
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    raise InputError(f"{source}: {key} is {names.get(kind, kind.__name__)}, got {_shown(value)}")


def _parsed(text: str, source: str) -> Any:
    import yaml  # type: ignore[import-untyped]

    class Strict(yaml.SafeLoader):
        """YAML's safe loader, but a key twice is an error."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    raise InputError(f"{source}: the key {key!r} is there twice (line {key_node.start_mark.line + 1})")
                seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Strict)
    except yaml.YAMLError as error:
        raise InputError(f"{source} is not YAML: {' '.join(str(error).split())}") from None


def _change(content: Any, key: str, value: Any) -> None:
    *path, last = key.split(".")
    for name in path:
        if not isinstance(content, dict):
            break
        content = content.setdefault(name, {})
    if not isinstance(content, dict):
        raise InputError(f"--set {key}: there are no settings below {'.'.join(path)}")
    content[last] = value


def _joined(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _shown(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})" if value is not None else "nothing"
