import pytest

from ipmix.core.errors import first_line, hidden, plain, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is, with é and 日本", "as it is, with é and 日本"),
        ("two\nlines\tand  blanks ", "two lines and blanks"),
        ("\x1b[1mbold\x1b[0m \x1b[31;1mred\x9b0m", "bold red"),
        ("\x1b]0;a title\x07text \x1b]8;;http://x\x1b\\link", "text link"),
        ("bell \x07 and \x00 zero", "bell \\x07 and \\x00 zero"),
        ("turned \u202egnp.exe", "turned \\u202egnp.exe"),
        ("next\u2028line\x85end", "next line end"),
        ("x" * 400, "x" * 296 + " ..."),
    ],
)
def test_foreign_text_becomes_one_line_without_controls(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_the_first_line_of_an_error() -> None:
    assert first_line(ValueError("\n\n \x1b[31mone\x1b[0m\ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"


def test_a_name_that_shows_as_it_is() -> None:
    assert visible("r\u202ex\nb\x1b[2J") == r"r\u202ex\nb\x1b[2J"
    assert not any(map(hidden, visible("".join(map(chr, range(0x3000))))))
    assert visible("two  blanks, é, \u05d0") == "two  blanks, é, \u05d0"
