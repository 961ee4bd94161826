from pathlib import Path
from typing import Any, Literal

import pytest

from ipmix.cli import signature


def command(
    images: list[Path],
    *,
    needed: str,
    data: str = "digits",
    patch_sizes: tuple[int, ...] | None = None,
    share: float = 0.5,
    force: bool = False,
    flip: bool = True,
    centre: Literal["clean", "noisy"] = "clean",
    option: dict[str, Any] = {},  # noqa: B006
    seed: int | None = None,
) -> None:
    """Do something to images, 100% safely.

    More about it.

    Args:
        images: image files.
        patch_sizes: sides of
            the patches.
        share (float): between 0 and 100%.

    Raises:
        ValueError: never.
    """


def parse(*words):
    return signature.parse("ipmix command", command, words)


def test_defaults_and_positionals():
    values = parse("a.png", "b.png", "--needed", "x")
    assert values == {
        "images": [Path("a.png"), Path("b.png")],
        "needed": "x",
        "data": "digits",
        "patch_sizes": None,
        "share": 0.5,
        "force": False,
        "flip": True,
        "centre": "clean",
        "option": {},
        "seed": None,
    }


def test_every_kind_of_option():
    words = "a --needed x --patch-sizes 4,8 --share 0.25 --force --no-flip --centre noisy --seed 3"
    values = parse(*words.split(), "--option", "k=4", "--option", "sizes=4,8", "--option", "flat=true")
    assert values["patch_sizes"] == (4, 8)
    assert values["option"] == {"k": 4, "sizes": (4, 8), "flat": True}
    assert (values["share"], values["force"], values["flip"]) == (0.25, True, False)
    assert (values["centre"], values["seed"]) == ("noisy", 3)
    assert parse("a", "--needed", "x")["option"] == {}  # no state is kept between calls


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--needed x", "IMAGE"),
        ("a", "--needed"),
        ("a --needed x --seed three", "invalid int value: 'three'"),
        ("a --needed x --centre middle", "invalid choice: 'middle'"),
        ("a --needed x --patch-sizes 4,x", "comma-separated int"),
        ("a --needed x --option k", "'k' is not NAME=VALUE"),
        ("a --needed x --unknown", "unrecognized arguments: --unknown"),
        ("a --needed x --forc", "unrecognized arguments: --forc"),
    ],
)
def test_wrong_words_exit_with_2_and_say_why(words, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(*words.split())
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_help_is_the_docstring(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "Do something to images, 100% safely. More about it.",
        "image files.",
        "sides of the patches.",
        "between 0 and 100%. (default: 0.5)",
        "--no-flip",
    ):
        assert part in text
    assert "ValueError" not in text


def test_what_has_no_form_is_a_programming_error():
    def strange(value: complex = 0j) -> None:
        """Strange."""

    def variadic(*values: int) -> None:
        """Variadic."""

    for function in (strange, variadic):
        with pytest.raises(TypeError):
            signature.build("ipmix", function)


def test_fractions_are_numbers(capsys):
    assert parse("a", "--needed", "x", "--share", "2/255")["share"] == 2 / 255
    for word in ("1/0", "two", "1/2/3"):
        with pytest.raises(SystemExit):
            parse("a", "--needed", "x", "--share", word)
    assert "such as 2/255" in capsys.readouterr().err
    assert signature._spell(2 / 255) == "2/255"
    assert signature._spell(0.5 / 255) == "0.5/255"
    assert signature._spell(0.05) == "0.05"
