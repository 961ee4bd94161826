import io

import pytest

from ipmix.core.terminal import wrapped


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
