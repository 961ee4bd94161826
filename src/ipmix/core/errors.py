"""The one exception for bad input: what was expected, what was received, what to do."""

import re
import unicodedata
from collections.abc import Mapping

_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the order of what follows: with them a name can show as another."""


_MARKS = frozenset("\u061c\u200e\u200f")
"""Marks of direction, which names in Arabic and Hebrew may well hold: shown where text is shown, but not refused."""


class InputError(ValueError):
    """A file, key or value that the caller gave can't be used.

    The message names it, says what was expected and what was received, and what to do. The command line
    prints the message without a traceback and exits with code 2.
    """


def plain(text: object, *, most: int = 300) -> str:
    """Text of others (a library's message, a name in a file) as it may stand in a message: one line, no controls.

    A terminal's escape codes are left out, all white space becomes one blank, other control characters and those
    that turn the order of writing are shown as ``\\x07``, and what is longer than ``most`` characters is cut.
    """
    line = " ".join(_ESCAPES.sub("", str(text)).split())
    line = visible(line)
    return line if len(line) <= most else line[: most - 4] + " ..."


def plain_lines(text: str) -> str:
    """Several lines, each as it may be shown on a terminal: what :func:`plain` escapes is escaped, nothing is cut."""
    return "\n".join(map(visible, text.split("\n")))


def visible(text: str) -> str:
    """The text with what controls how it is shown, line breaks too, as escapes; nothing is cut."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    shown = hidden(character) or character in _MARKS
    return character.encode("unicode_escape").decode() if shown else character


def hidden(character: str) -> bool:
    """Whether a character controls how text is shown instead of being shown."""
    return character in _BIDI or unicodedata.category(character) in ("Cc", "Zl", "Zp")


def first_line(error: BaseException) -> str:
    """What an exception says first, made :func:`plain`; its type if it says nothing."""
    lines = [line for line in map(plain, str(error).splitlines()) if line]
    return lines[0] if lines else type(error).__name__


def refuse_idle(given: Mapping[str, bool], because: str) -> None:
    """Raise :class:`InputError` for the first option that was given and can't do anything here.

    Args:
        given: option -> whether it was given.
        because: why they can't, as in "there is no attack".
    """
    for option, there in given.items():
        if there:
            raise InputError(f"{option} does nothing here: {because}; leave it out")
