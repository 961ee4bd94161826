import ast
import io
from pathlib import Path

import pytest

import ipmix
from ipmix.core.terminal import say, tell, wrapped


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def eighty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_long_lines_are_broken_at_words():
    text = "  " + "word " * 40 + "\nshort\n"
    lines = wrapped(text, Terminal()).splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert lines[1].startswith("  word"), "what goes on keeps its indentation"
    assert lines[-1] == "short"


def test_a_pipe_gets_the_text_as_it_is():
    text = "word " * 40 + "\n"
    assert wrapped(text, io.StringIO()) == text


def test_words_longer_than_a_line_stay_whole():
    path = "/a-path/" * 20
    assert f"{path}:" in wrapped(f"wrote {path}: 3 images\n", Terminal()).splitlines()


@pytest.mark.parametrize("function", [say, tell])
def test_what_steers_a_terminal_is_said_as_an_escape(function, capsys):
    function("wrote a\x1b[2J\u202e\nb\n")
    function("one\ntwo\x9b\n", lines=True)
    function("Größe, caf\udce9 and 日本", fold=True)
    told = capsys.readouterr()
    said = "wrote a\\x1b[2J\\u202e\\nb\none\ntwo\\x9b\nGröße, caf\\udce9 and 日本"
    assert (told.out, told.err) == ((said, "") if function is say else ("", said))


def test_nothing_else_writes_to_the_terminal():
    """Names are shown as escapes in one place; a command that writes past it shows them raw."""
    allowed = {"core/terminal.py", "core/compiling.py", "explore/serving.py"}  # these two say only their own words
    found = []
    root = Path(ipmix.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in ("print", "sys.stdout.write", "sys.stderr.write"):
                found.append((path.relative_to(root).as_posix(), node.lineno))
    assert [place for place in found if place[0] not in allowed] == []
    assert {name for name, _ in found} <= allowed
