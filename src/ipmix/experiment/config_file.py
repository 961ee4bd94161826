"""Settings files: YAML read strictly into frozen dataclasses.

An unknown key, a key twice, a value of the wrong type or beyond all use (an infinite number, one of more than 64
bits): each is an error that names the file and the key.
"""

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from ipmix.core.errors import InputError
from ipmix.core.extensions import is_of_a_hub, is_own
from ipmix.core.files import no_file

Settings = TypeVar("Settings")

TRUST = "pass --trust if you know where the file comes from, or name it on the command line"

_CODE = re.compile(r"(?:^|\.)(?:method(?:\.name|\.options\..*)?|corruptions|model|own_measures|measures)$")
"""The keys whose values may be somebody's own methods, corruptions, networks and measures."""

_LIBRARIES = ("timm:", "torchvision:")
"""Other people's networks are named so too, and are no code of the file's."""

FORMS = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
"""What plain words are besides text, and how such words begin: YAML 1.2's core, without octal and hexadecimal numbers.

In YAML 1.1, which PyYAML reads, 1:30 is 90, 010 is 8, 1e-4 a text, and no, a word of ours, is false.
"""

LONGEST = 60
"""Characters of a wrong value that a message shows."""


def read(
    kind: type[Settings], path: str | Path, changes: Mapping[str, str] | None = None, *, trust: bool = False
) -> Settings:
    """Read a file of settings.

    Args:
        kind: the dataclass to make; its fields may be dataclasses themselves.
        path: the YAML file.
        changes: values that replace the file's, by dotted key: ``{"training.epochs": "10"}``. Values are YAML.
        trust: let the file name code (``module:Name``) for its method, network, corruptions and measures, and a network
            of a hub (``timm:hf-hub:OWNER/MODEL``); ``changes`` may anyway.

    Raises:
        InputError: no such file, no YAML, or a key or value that does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{no_file(path)}; expected a settings file (YAML)")
    content = parsed(text_of(path), str(path))
    if not trust:
        refuse_code(content, str(path))
    for key, text in (changes or {}).items():
        _change(content, key, parsed(text, f"--set {key}"))
    return made(kind, content, str(path))


def text_of(path: Path) -> str:
    """What a file of settings holds; InputError if that is no text in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text in UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
        ) from None


def refuse_code(content: Any, source: str, advice: str = TRUST) -> None:
    """Raise :class:`InputError` where settings name code that would be imported and run: ``module:Name``.

    Of a method, a network, corruptions or measures, at any depth; a stranger's file must not decide what code runs, nor
    which hub is asked for a network.
    """
    waiting = [("", content)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{key}.{name}" if key else str(name), inner) for name, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(key, inner) for inner in value]
        elif isinstance(value, str) and _CODE.search(key):
            if is_of_a_hub(value):
                raise InputError(
                    f"{source}: {key} names a network of a hub or a folder, {_shown(value)}, which would be asked for; "
                    f"expected one of timm's own names, or {advice}"
                )
            if is_own(value) and not value.startswith(_LIBRARIES):
                raise InputError(f"{source}: {key} names code, {_shown(value)}, which would be run; {advice}")


def made(kind: type[Settings], content: Any, source: str, key: str = "") -> Settings:
    """A dataclass from a mapping, checked field by field; ``source`` and ``key`` are named in errors."""
    where = f"{source}: {key}" if key else source
    if not isinstance(content, dict):
        raise InputError(f"{where} should hold settings (key: value), got {_shown(content)}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    begin: dict[str, Any] = {}
    if "preset" in content and "preset" not in fields and hasattr(kind, "preset"):
        begin = _preset(kind, content["preset"], source, _joined(key, "preset"))
        content = {name: value for name, value in content.items() if name != "preset"}
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
        elif name in begin:
            values[name] = begin[name]
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{source}: the key {_joined(key, name)!r} is missing")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _preset(kind: Any, name: Any, source: str, key: str) -> dict[str, Any]:
    """The settings that a preset of ``kind`` begins with; the file's own replace them."""
    if not isinstance(name, str):
        raise InputError(f"{source}: {key} is text, got {_shown(name)}")
    try:
        begun = kind.preset(name)
    except InputError as error:
        raise InputError(f"{source}: {key}: {error}") from None
    return {field.name: getattr(begun, field.name) for field in dataclasses.fields(begun)}


def _value(hint: Any, value: Any, source: str, key: str) -> Any:
    """``value`` as the type that ``hint`` asks for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (only,) = [argument for argument in arguments if argument is not type(None)]
        return _value(only, value, source, key)
    if hint is Any:
        _check_free(value, source, key)
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
            _check_free(value, source, key)
            words = [str(name) for name in value]
            if len(set(words)) < len(words):
                name = next(word for place, word in enumerate(words) if word in words[:place])
                raise InputError(f"{source}: the key {_joined(key, name)!r} is there twice, once as a number")
            return dict(zip(words, value.values(), strict=True))
        raise InputError(f"{source}: {key} should hold settings (key: value), got {_shown(value)}")
    return _plain(hint, value, source, key)


def _plain(kind: type, value: Any, source: str, key: str) -> Any:
    """A number, a switch or a text."""
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            value = float(value)  # of text, such as .5e-3 in quotes
        except OverflowError:
            value = math.inf
        except ValueError:
            pass
    if type(value) is kind:
        _check_range(value, source, key)
        return value
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    raise InputError(f"{source}: {key} is {names.get(kind, kind.__name__)}, got {_shown(value)}")


def _check_range(value: Any, source: str, key: str) -> None:
    """Refuse numbers that nothing can be done with: infinite, not a number, beyond 64 bits."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{source}: {key} is a finite number, got {value}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError(f"{source}: {key} is a whole number of at most 64 bits, got {_shown(value)}")


def _check_free(value: Any, source: str, key: str) -> None:
    """Refuse in values of any type what JSON has no form for."""
    if isinstance(value, dict):
        for name, item in value.items():
            _check_free(item, source, _joined(key, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_free(item, source, f"{key}[{place}]")
    elif value is None or isinstance(value, str | int | float):
        _check_range(value, source, key)
    else:
        raise InputError(f"{source}: {key} is a number, text, true, false or a list of those, got {_shown(value)}")


def parsed(text: str, source: str) -> Any:
    import yaml  # type: ignore[import-untyped]

    class Strict(yaml.SafeLoader):
        """YAML's safe loader, but a key twice, a key that is no word, an alias or an unreadable value is an error.

        Plain words are numbers and switches by :data:`FORMS` alone.
        """

        yaml_implicit_resolvers: typing.ClassVar[dict[str, Any]] = {}

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise InputError(
                    f"{source}: line {self.peek_event().start_mark.line + 1}: aliases (*name) are not taken"
                )
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            if not isinstance(node, yaml.MappingNode):  # !!map before something else
                raise InputError(
                    f"{source}: line {node.start_mark.line + 1}: {_shown(node.value)} is tagged as settings and is none"
                )
            seen = set()
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                if not isinstance(key_node, yaml.ScalarNode):
                    raise InputError(f"{source}: a key is a word, got a list or settings (line {line})")
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    raise InputError(f"{source}: the key {key!r} is there twice (line {line})")
                seen.add(key)
                names[id(value_node)] = _joined(names.get(id(node), ""), key)
            return super().construct_mapping(node, deep)

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except InputError:
                raise
            except (ValueError, KeyError, TypeError) as error:  # 5,000 digits, the 32nd of a month, !!bool maybe
                where = names.get(id(node), f"line {node.start_mark.line + 1}")
                raise InputError(f"{source}: {where}: {_shown(node.value)} can't be read ({error})") from None

    for tag, (form, begins) in FORMS.items():
        Strict.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{form})\\Z"), ["" if c == "\0" else c for c in begins]
        )
    Strict.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))
    names: dict[int, str] = {}
    try:
        return yaml.load(text, Strict)
    except yaml.YAMLError as error:
        raise InputError(f"{source} is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{source} is nested too deeply") from None


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
    if value is None:
        return "nothing"
    try:
        text = repr(value)
    except ValueError:  # Python spells no number of more than 4,300 digits
        text = "a very long one"
    except RecursionError:
        text = "a deeply nested one"
    return f"{text if len(text) <= LONGEST else text[:LONGEST] + '...'} ({type(value).__name__})"
