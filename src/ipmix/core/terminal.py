"""Text on a terminal: broken at words, where the terminal would break it anywhere."""

import shutil
import textwrap
from typing import TextIO

LEAST = 40
"""Columns; a narrower terminal is written to as if it had these."""


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
