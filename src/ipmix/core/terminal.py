"""Text for a terminal: what is said goes through here, so that no name in it can steer the terminal.

A file may be called anything, also what clears the screen or turns the order of writing (``\\x1b[2J``): such characters
are shown as escapes, in a pipe as well, which may end on a terminal. Broken at words, where that is asked for.
"""

import shutil
import sys
import textwrap
from typing import TextIO

from ipmix.core.errors import plain_lines, visible

LEAST = 40
"""Columns; a narrower terminal is written to as if it had these."""


def say(text: str, *, lines: bool = False, fold: bool = False, out: TextIO | None = None) -> None:
    """Write a line to standard output, as :func:`ipmix.core.errors.plain_lines` has it.

    Args:
        text: the line with its break; breaks before that one come of a name and are escaped too.
        lines: it is several lines, put together without names that may hold breaks.
        fold: break lines at words where the terminal is narrower.
        out: another stream.
    """
    stream, end = sys.stdout if out is None else out, "\n" if text.endswith("\n") else ""
    shown = plain_lines(text) if lines else visible(text.removesuffix("\n")) + end
    shown = shown.encode(errors="backslashreplace").decode()  # names that are not UTF-8
    try:
        stream.write(wrapped(shown, stream) if fold else shown)
    except OSError as error:  # such as of a full disk that it is sent to
        error.filename = error.filename or ("standard output" if out is None else "standard error")
        raise


def tell(text: str, *, lines: bool = False, fold: bool = False) -> None:
    """Write a line to standard error, as :func:`say`."""
    say(text, lines=lines, fold=fold, out=sys.stderr)


def wrapped(text: str, stream: TextIO) -> str:
    """``text`` with lines no longer than the terminal that ``stream`` is; as it is where that is none.

    Lines that go on keep the indentation of their beginning. Words longer than a line (paths, addresses) stay whole.
    """
    if not stream.isatty():
        return text
    width = max(LEAST, shutil.get_terminal_size().columns)
    return "".join(_folded(line, width) for line in text.splitlines(keepends=True))


def _folded(line: str, width: int) -> str:
    bare = line.rstrip("\n")
    if len(bare) <= width:
        return line
    indent = " " * (len(bare) - len(bare.lstrip()))
    folded = textwrap.fill(
        bare, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return folded + line[len(bare) :]
