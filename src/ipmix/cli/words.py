"""A command's function as arguments and help, by tyro: signatures, config dataclasses and their docs.

=====================================  ==================================================================
parameter or field                     on the command line
=====================================  ==================================================================
before ``/``                           positional; ``list[X]`` takes several words
without default                        a required option
with default                           an option, ``patch_sizes`` spelled ``--patch-sizes``
``bool``                               a pair of switches: ``--flip, --no-flip``
``Literal["a", "b"]``                  one of the words
``X | None``                           as ``X``; ``None`` is what leaving it out means
``float``                              a number, or a fraction such as ``2/255``
``list[X]``, ``tuple[X, ...]``         one word, values separated by commas: ``4,8,16``
``tuple[Assignment, ...]``             ``NAME=VALUE``, as often as needed
``tuple[Repeated, ...]``               any text, as often as needed
a dataclass                            its fields, without its name before them
=====================================  ==================================================================

What one means is read from the docstring's ``Args:`` section, and of a field from the text below it.
"""

import difflib
import inspect
import io
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union

import tyro
from tyro.conf import (
    OmitArgPrefixes,
    OmitSubcommandPrefixes,
    Positional,
    PositionalMetavarFromFieldName,
    UseAppendAction,
)
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from ipmix.core.errors import InputError


class Assignment(NamedTuple):
    """One ``NAME=VALUE`` of the command line."""

    name: str
    value: str


def once(words: Iterable[Assignment], option: str) -> dict[str, str]:
    """The values by their names; :class:`InputError` if one is given twice, as only the last would count."""
    found: dict[str, str] = {}
    for name, value in words:
        if name in found:
            raise InputError(
                f"{option} {name} is given twice, {_short(found[name])} and {_short(value)}: leave one out"
            )
        found[name] = value
    return found


class Repeated(str):
    """A text that may be given several times, one an option."""


class Call(NamedTuple):
    """What the words make of a command: its function's arguments."""

    positional: tuple[Any, ...]
    named: dict[str, Any]


def with_defaults(function: Callable[..., Any], **defaults: Any) -> Callable[..., Any]:
    """The function with other defaults of these parameters, in its signature too: so help and words see them."""

    @wraps(function)
    def changed(*positional: Any, **named: Any) -> Any:
        return function(*positional, **{**defaults, **named})

    signature = inspect.signature(function)
    parameters = [
        parameter.replace(default=defaults[name]) if name in defaults else parameter
        for name, parameter in signature.parameters.items()
    ]
    changed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return changed


def parse(program: str, function: Callable[..., Any], words: Sequence[str]) -> Call:
    """The arguments for ``function`` that the words spell.

    Raises:
        InputError: the words don't fit; one line that names the option.
        SystemExit: with code 0, after printing help.
    """
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            call, unknown = _read(program, function, words)
    except SystemExit as stop:
        if not stop.code:
            raise
        known = _options(program, function)
        unknown = [
            word for word in words if word.startswith("--") and word.partition("=")[0].replace("_", "-") not in known
        ]
        if not unknown:
            raise InputError(_one_line(program, complaint.getvalue(), _cause(stop))) from None
    if unknown:
        raise InputError(_unexpected(program, unknown[0], _options(program, function)))
    if [] in call.positional:
        raise InputError(
            f"{program.removeprefix('ipmix ')} needs at least one of what it works on; see {program} --help"
        )
    return call


def print_completion(shell: str, commands: Mapping[str, Any]) -> None:
    """Print a script that completes the commands' options in bash, zsh or fish."""
    with suppress(SystemExit):
        tyro.cli(
            _choice(commands), prog="ipmix", args=["--tyro-write-completion", shell, "-"], registry=_rules(),
            config=CONFIG,
        )  # fmt: skip


def _choice(commands: Mapping[str, Any]) -> Any:
    """The commands, and groups of them, as one type: what tyro takes for a choice of subcommands."""
    kinds = [
        Annotated[
            _choice(command) if isinstance(command, Mapping) else _collecting(command),
            tyro.conf.subcommand(name, prefix_name=False),
        ]
        for name, command in commands.items()
    ]
    return Union[tuple(kinds)]  # noqa: UP007


CONFIG = (OmitArgPrefixes, OmitSubcommandPrefixes, PositionalMetavarFromFieldName, UseAppendAction)


def _read(program: str, function: Callable[..., Any], words: Sequence[str]) -> tuple[Call, list[str]]:
    return tyro.cli(
        _collecting(function), prog=program, description=_prose(function), args=list(words), registry=_rules(),
        config=CONFIG, return_unknown_args=True,
    )  # fmt: skip


def _collecting(function: Callable[..., Any]) -> Callable[..., Call]:
    """A function with the same signature and docstring that only keeps what it is given."""

    @wraps(function)
    def collect(*positional: Any, **named: Any) -> Call:
        return Call(positional, named)

    return collect


def _prose(function: Callable[..., Any]) -> str:
    """What the docstring says before its first section, in lines of the help's width."""
    text = re.split(r"(?m)^(?:Args|Returns|Raises):", inspect.getdoc(function) or "")[0].replace("``", "")
    # tyro joins lines that begin with a letter and wraps none: those that begin with a space stay as they are.
    return "\n".join(
        textwrap.fill(" ".join(paragraph.split()), 80, initial_indent=" ", subsequent_indent=" ")
        for paragraph in text.strip().split("\n\n")
    )


def _options(program: str, function: Callable[..., Any]) -> set[str]:
    """Every option that the help lists."""
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        _read(program, function, ["--help"])
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text.getvalue()))


def _unexpected(program: str, word: str, known: set[str]) -> str:
    if not word.startswith("-"):
        return f"{word!r} is one word too many; see {program} --help"
    name = word.partition("=")[0]
    close = difflib.get_close_matches(name[2:], sorted(option[2:] for option in known), 1)
    hint = f"did you mean --{close[0]}?" if close else f"see {program} --help"
    return f"there is no option {name}; {hint}"


def _one_line(program: str, box: str, cause: InputError | None) -> str:
    """tyro's complaint, a box of several paragraphs, as one line: the first paragraph, or what caused it."""
    rows = [line[1:-1] for line in box.splitlines()[1:]]
    rule = re.compile(r" ?[─-]{3}").match
    first = list(itertools.takewhile(lambda row: not rule(row), itertools.dropwhile(rule, rows)))
    needed = [row.strip() for row in first if re.match(r" {5}\S", row)]
    if needed:
        return f"{program.removeprefix('ipmix ')} needs {' and '.join(needed)}"
    text = " ".join(" ".join(first).split())
    if choice := re.fullmatch(r"invalid choice (.+) for argument '(\S+)'\. Expected one of \((.+)\)\.?", text):
        known = ", ".join(re.findall(r"'([^']*)'", choice[3]))
        return f"{choice[2]} is one of {known}, got {choice[1]}"
    if unread := re.fullmatch(r"Error parsing (.+?):? Could not find valid parse for arguments: \[(.*)\]", text):
        return f"{unread[1]}: {unread[2]} can't be read"
    option = re.match(r"Error parsing (--[\w-]+|[A-Z][A-Z-]*)", text)
    if cause is not None:
        return f"{option.group(1)}: {cause}" if option else str(cause)
    return text


def _cause(error: BaseException | None) -> InputError | None:
    while error is not None and not isinstance(error, InputError):
        error = error.__context__
    return error


# --- how words become values ------------------------------------------------------------------------------


def _rules() -> ConstructorRegistry:
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def plain(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if info.type not in _PLAIN:
            return None
        metavar, convert = _PLAIN[info.type]
        return _one_word(metavar, convert, info.type, _spell)

    @registry.primitive_rule
    def optional(info: PrimitiveTypeInfo) -> Any:
        members = [member for member in typing.get_args(info.type) if member is not type(None)]
        if info.type_origin not in (Union, types.UnionType) or len(members) != 1:
            return None
        found = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(members[0], info.markers))
        if not isinstance(found, PrimitiveConstructorSpec):
            return found
        spelled = found.str_from_instance
        return replace(found, str_from_instance=lambda value: ["none"] if value is None else spelled(value))

    @registry.primitive_rule
    def comma_list(info: PrimitiveTypeInfo) -> Any:
        if info.type_origin not in (list, tuple) or Positional in info.markers:
            return None
        element, kind = typing.get_args(info.type)[0], info.type_origin
        if element in (Assignment, Repeated):
            return None  # tyro's own rule: one word, as often as needed
        _, convert = _PLAIN[element]

        def split(word: str) -> Any:
            values = [convert(part.strip()) for part in word.strip("[]()").split(",") if part.strip()]
            if not values:
                raise InputError(f"{_short(word)} is empty: give at least one, or leave the option out")
            return kind(values)

        return _one_word("A,B,...", split, kind, lambda values: ",".join(map(_spell, values)))

    return registry


def _one_word(
    metavar: str, convert: Callable[[str], Any], kind: type, spell: Callable[[Any], str]
) -> PrimitiveConstructorSpec[Any]:
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: convert(words[0]),
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [("none" if value is None else spell(value)) or "none"],
    )


def _whole(word: str) -> int:
    if not re.fullmatch("[+-]?[0-9]{1,4000}", word.strip()):  # int() also takes 1_000 and other scripts' digits
        raise InputError(f"{_short(word)} is not a whole number")
    return int(word)


def _number(word: str) -> float:
    """A number, or a fraction such as 2/255."""
    top, slash, bottom = word.partition("/")
    try:
        if not word.isascii() or "_" in word:
            raise ValueError
        return float(top) / float(bottom) if slash else float(word)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{_short(word)} is not a number (or a fraction such as 2/255)") from None


def _assignment(word: str) -> Assignment:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise InputError(f"{_short(word)} is not NAME=VALUE")
    return Assignment(name, value)


def _text(word: str) -> str:
    if not word:  # an empty name of a folder would mean the one that one works in
        raise InputError("it is empty; expected a text")
    if "\0" in word:
        raise InputError(f"{_short(word)} holds a zero byte, which no name has")
    return word


def _path(word: str) -> Path:
    if not word or "\0" in word:  # an empty one would mean the folder one works in
        raise InputError(f"{_short(word)} is no path" if word else "it is empty; expected a path")
    return Path(word)


def _short(word: str) -> str:
    return repr(word) if len(word) <= 60 else f"{word[:50]!r}... ({len(word)} characters)"


def _spell(value: Any) -> str:
    """A default as one would type it."""
    if isinstance(value, float) and 0 < value < 0.1:  # steps of 8-bit pixels are easier to read as such
        levels = 255.0 * value
        if abs(levels - round(levels, 1)) < 1e-9:
            return f"{levels:.3g}/255"
    return str(value)


_PLAIN: dict[Any, tuple[str, Callable[[str], Any]]] = {
    int: ("N", _whole),
    float: ("X", _number),
    str: ("TEXT", _text),
    Path: ("PATH", _path),
    Assignment: ("NAME=VALUE", _assignment),
    Repeated: ("TEXT", Repeated),
}
