"""The fenced code blocks of Markdown pages, and how each is checked.

A block runs unless the comment right above it says otherwise:

    <!-- not run: WHY -->         its syntax is checked (GPU, downloads, hours, placeholders)
    <!-- run by: tests/FILE -->   that test runs it; the file must name the page
    <!-- command: NAME -->        .ci/run runs it
    <!-- file: NAME.py -->        it is written to that file, for the blocks below it
    <!-- output -->               what the Python block before it prints, compared to the letter
    <!-- text -->                 no code: a tree, a table, what a screen shows

The Python blocks of a page run in order and share their names; so do lines of ``ipmix`` in ``bash`` and ``sh`` blocks.
"""

import ast
import contextlib
import io
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FENCE = re.compile(
    r"(?:^ *<!-- (?P<mark>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
MARKS = ("not run", "run by", "command", "file", "output", "text", "the table")
SHELLS, DATA, PLAIN = ("bash", "sh"), ("json", "yaml", "toml"), ("", "text")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page's line, language, text without the indentation, and its mark (kind, words)."""

    line: int
    language: str
    text: str
    mark: str = ""
    words: str = ""


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page's text, in order."""
    found = []
    for match in FENCE.finditer(page):
        mark, _, words = (match["mark"] or "").partition(":")
        text = re.sub(rf"(?m)^{match['indent']}", "", match["text"])
        line = page.count("\n", 0, match.start("language")) + 1
        found.append(Block(line, match["language"], text, mark.strip(), words.strip()))
    return found


def problem(block: Block, root: Path, page: str) -> str:
    """Why a block is neither run nor properly marked; "" if it is. Its syntax is checked too."""
    if block.mark and block.mark not in MARKS:
        return f"the mark {block.mark!r} is none of {', '.join(MARKS)}"
    if block.mark in ("not run", "run by", "file") and not block.words:
        return f"the mark {block.mark!r} says no more"
    if block.mark == "run by" and not (root / block.words).is_file():
        return f"{block.words} is no test"
    if block.mark == "run by" and Path(page).name not in (root / block.words).read_text(encoding="utf-8"):
        return f"{block.words} does not name {page}"
    if block.language in PLAIN:
        return "" if block.mark in ("output", "text", "the table", "run by") or _snippet(block) else "it has no mark"
    if block.language == "python":
        return "" if _snippet(block) else _syntax(lambda: ast.parse(block.text))
    if block.language in SHELLS:
        done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip()
        return "" if block.mark else next((f"{line!r} is no ipmix" for line in lines(block) if line[0] != "ipmix"), "")
    if block.language in DATA:
        return _syntax(lambda: _read(block))
    return f"nothing checks the language {block.language!r}"


def _snippet(block: Block) -> bool:
    """An included file, which its own test runs."""
    return re.fullmatch(r'\s*--8<-- "[^"]+"\s*', block.text) is not None


def _syntax(read: Callable[[], Any]) -> str:
    try:
        read()
    except (SyntaxError, ValueError, yaml.YAMLError) as error:
        return str(error)
    return ""


def _read(block: Block) -> Any:
    return {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}[block.language](block.text)


def lines(block: Block) -> list[list[str]]:
    """The commands of a shell block, split into words, comments left out."""
    whole = block.text.replace("\\\n", " ")
    return [words for line in whole.splitlines() if (words := shlex.split(line, comments=True))]


def run_page(blocks: list[Block], names: dict[str, Any], command: Callable[[list[str]], int]) -> list[str]:
    """Run a page's blocks where the process stands; what went wrong, a line each."""
    wrong, printed = [], ""
    for block in blocks:
        if _snippet(block):
            continue
        if block.mark == "file":
            Path(block.words).write_text(block.text, encoding="utf-8")
        elif block.mark == "output":
            if printed != block.text:
                wrong.append(f"line {block.line}: printed {printed!r}, the page says {block.text!r}")
        elif block.mark:
            continue
        elif block.language == "python":
            out = io.StringIO()
            try:
                with contextlib.redirect_stdout(out):
                    exec(compile(block.text, f"line {block.line}", "exec"), names)
            except Exception as error:
                wrong.append(f"line {block.line}: {type(error).__name__}: {error}")
            printed = out.getvalue()
        elif block.language in SHELLS:
            wrong += [f"line {block.line}: {words} failed" for words in lines(block) if command(words[1:])]
    return wrong
