"""A function's signature and docstring as a command's arguments and help, with the standard library alone.

=====================================  ==================================================================
parameter                              on the command line
=====================================  ==================================================================
without default, before ``*``          positional; ``list[X]`` or ``tuple[X, ...]`` takes one or more
without default, after ``*``           a required option
with default                           an option, ``patch_sizes`` spelled ``--patch-sizes``
``bool``                               a switch: ``--force``; ``--no-flip`` where the default is True
``Literal["a", "b"]``                  one of the words
``X | None``                           as ``X``; ``None`` is what leaving it out means
``list[X]``, ``tuple[X, ...]``         one word, values separated by commas: ``4,8,16``
``dict[str, X]``                       ``NAME=VALUE``, as often as needed
=====================================  ==================================================================

What an argument means is read from the docstring's ``Args:`` section.
"""

import argparse
import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Union

_SIMPLE: dict[Any, str] = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def parse(program: str, function: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """The keyword arguments for ``function`` that the words spell.

    Raises:
        SystemExit: with code 0 after printing help, or 2 after printing what is wrong with the words.
    """
    parser = build(program, function)
    return vars(parser.parse_args(list(words)))


def build(program: str, function: Callable[..., Any]) -> argparse.ArgumentParser:
    """The argument parser for a function."""
    description, meanings = read_docstring(inspect.getdoc(function) or "")
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    hints = typing.get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__qualname__}: a command can't take *{name}")
        _add(parser, parameter, hints.get(name, str), meanings.get(name, ""))
    return parser


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """A docstring's prose (up to its first section), and what its ``Args:`` section says of each name."""
    prose = re.split(r"^(?:Args|Returns|Raises|Yields|Examples?):\s*$", text, maxsplit=1, flags=re.MULTILINE)[0]
    meanings: dict[str, str] = {}
    section = re.search(r"^Args:\s*\n((?:[ \t]+.*\n?|\s*\n)*)", text, flags=re.MULTILINE)
    name = ""
    for line in (section.group(1) if section else "").splitlines():
        entry = re.match(r"^\s{4}(\w+)(?:\s*\([^)]*\))?:\s*(.*)$", line)
        if entry:
            name = entry.group(1)
            meanings[name] = entry.group(2)
        elif name and line.strip():
            meanings[name] += " " + line.strip()
    return prose.strip().replace("``", ""), {key: value.replace("``", "") for key, value in meanings.items()}


def _add(parser: argparse.ArgumentParser, parameter: inspect.Parameter, hint: Any, meaning: str) -> None:
    name = parameter.name
    hint = _without_none(hint)
    required = parameter.default is parameter.empty
    options: dict[str, Any] = {"help": meaning.replace("%", "%%")}
    if not required:
        options["default"] = parameter.default
        shown = _spell(parameter.default)
        if shown and hint is not bool:
            options["help"] += f" (default: {shown})".replace("%", "%%")
    flag = "--" + name.replace("_", "-")
    if hint is bool:
        on = parameter.default is True
        if on and meaning:
            options["help"] = "Leave this out: " + options["help"]
        options["action"] = "store_false" if on else "store_true"
        parser.add_argument("--no-" + flag[2:] if on else flag, dest=name, **options)
        return
    positional = required and parameter.kind is not parameter.KEYWORD_ONLY
    several = typing.get_origin(hint) in (list, tuple)
    if several and positional:
        element = typing.get_args(hint)[0]
        options |= {"type": _converter(element), "nargs": "+", "metavar": name.removesuffix("s").upper()}
        parser.add_argument(name, **options)
        return
    if typing.get_origin(hint) is Literal:
        options["choices"] = typing.get_args(hint)
        if len(typing.get_args(hint)) > 6:
            options["metavar"] = "NAME"
    elif typing.get_origin(hint) is dict:
        options |= {"action": _Entries, "metavar": "NAME=VALUE"}
        options["type"] = _entry(_converter(typing.get_args(hint)[1]))
    elif several:
        element = typing.get_args(hint)[0]
        options |= {"type": _sequence(_converter(element), typing.get_origin(hint)), "metavar": "A,B,..."}
    else:
        options |= {
            "type": _converter(hint),
            "metavar": name.upper() if positional else _SIMPLE.get(hint, "VALUE"),
        }
    if positional:
        parser.add_argument(name, **options)
    else:
        parser.add_argument(flag, dest=name, required=required, **options)


def _without_none(hint: Any) -> Any:
    """``X | None`` -> X; of other unions the first member that a word can always become."""
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    if len(members) == 1:
        return members[0]
    return str if str in members else members[0]


def _converter(hint: Any) -> Callable[[str], Any]:
    hint = _without_none(hint)
    if hint is Any:
        return _literal
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)

        def choose(word: str) -> str:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(allowed)}")
            return word

        return choose
    if hint is float:
        return _number
    if hint not in _SIMPLE:
        raise TypeError(f"no command-line form for {hint!r}")
    converter: Callable[[str], Any] = hint
    return converter


def _number(word: str) -> float:
    """A number, or a fraction such as 2/255."""
    top, slash, bottom = word.partition("/")
    try:
        return float(top) / float(bottom) if slash else float(word)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number (or a fraction such as 2/255)") from None


def _sequence(convert: Callable[[str], Any], kind: Callable[..., Any]) -> Callable[[str], Any]:
    def split(word: str) -> Any:
        return kind(convert(part.strip()) for part in word.strip("[]()").split(",") if part.strip())

    split.__name__ = f"comma-separated {getattr(convert, '__name__', 'value')}"  # argparse prints it
    return split


def _entry(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def split(word: str) -> tuple[str, Any]:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
        return name, convert(value)

    return split


def _literal(word: str) -> Any:
    """A value whose type the command decides later: a number, true or false, a list of those, or text."""
    if "," in word:
        return tuple(_literal(part.strip()) for part in word.split(",") if part.strip())
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _spell(value: Any) -> str:
    """A default as one would type it; nothing for None, empty and switches."""
    if value is None or value is False or value == () or value == [] or value == {}:
        return ""
    if isinstance(value, float) and 0 < value < 0.1:  # steps of 8-bit pixels are easier to read as such
        levels = 255.0 * value
        if abs(levels - round(levels, 1)) < 1e-9:
            return f"{levels:.3g}/255"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


class _Entries(argparse.Action):
    """Collects NAME=VALUE into a dict."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        entries = dict(getattr(namespace, self.dest) or {})
        name, value = values
        entries[name] = value
        setattr(namespace, self.dest, entries)
