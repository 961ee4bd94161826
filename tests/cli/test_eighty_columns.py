"""On a terminal of 80 columns nothing is broken within a word."""

import contextlib
import io
import re

import pytest

from ipmix.cli.commands import mixing_set
from ipmix.cli.main import available, main

COMMANDS = [
    *([name] for name in available() if name != "mixing-set"),
    *(["mixing-set", name] for name in mixing_set.COMMANDS),
]  # fmt: skip


def help_of(words, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*words, "--help"]) == 0
    return out.getvalue()


def words_of(text):
    return set(re.sub("[│╭╮╰╯─|+]|-{3,}", " ", text).split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_breaks_no_word(words, monkeypatch):
    narrow = help_of(words, 80, monkeypatch)
    assert max(map(len, narrow.splitlines())) <= 80
    assert words_of(narrow) - words_of(help_of(words, 300, monkeypatch)) == set()


@pytest.mark.parametrize("words", [[], ["mixing-set"]])
def test_the_lists_of_commands_fit(words, monkeypatch):
    assert max(map(len, help_of(words, 80, monkeypatch).splitlines())) <= 80


def test_switches_say_what_they_do(monkeypatch):
    for words in COMMANDS:
        text = help_of(words, 200, monkeypatch)
        assert "Leave this out" not in text
