import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from tyro.conf import Positional, arg

from ipmix.cli import words
from ipmix.cli.words import Assignment
from ipmix.core.errors import InputError


@dataclass(frozen=True)
class RateConfig:
    """How fast.

    More about it.
    """

    share: float = 0.5
    """Between 0 and 100%."""

    flip: bool = True
    """Mirror images at random."""

    epsilon: float = 2 / 255
    """How far, in units of the pixel range."""

    def __post_init__(self) -> None:
        if self.share > 1:
            raise InputError(f"share is at most 1, got {self.share} {'x' * 90}")


@dataclass(frozen=True)
class NamedConfig(RateConfig):
    """How fast, by other names."""

    share: Annotated[float, arg(name="portion")]
    epsilon: Annotated[float, arg(name="reach")]


def command(
    images: list[Path],
    /,
    *,
    needed: str,
    data: str = "digits",
    patch_sizes: tuple[int, ...] | None = None,
    force: bool = False,
    centre: Literal["clean", "noisy"] = "clean",
    option: tuple[Assignment, ...] = (),
    seed: int | None = None,
    rate: RateConfig = RateConfig(),
) -> None:
    """Do something to images, 100% safely, in a sentence that is longer than the eighty columns of a terminal.

    More about it.

    Args:
        images: Image files.
        needed: What is needed.
        data: Where from.
        patch_sizes: Sides of
            the patches.
        force: Replace what is there.
        centre: Around what.
        option: A setting.
        seed: Of everything.

    Raises:
        ValueError: never.
    """
    raise AssertionError("parsing does not call the command")


def parse(*given: str) -> dict[str, object]:
    call = words.parse("ipmix command", command, given)
    return {"images": call.positional[0], **call.named}


def test_defaults_and_positionals() -> None:
    assert parse("a.png", "b.png", "--needed", "x") == {
        "images": [Path("a.png"), Path("b.png")],
        "needed": "x",
        "data": "digits",
        "patch_sizes": None,
        "force": False,
        "centre": "clean",
        "option": (),
        "seed": None,
        "rate": RateConfig(),
    }


def test_every_kind_of_option() -> None:
    line = "a --needed x --patch-sizes 4,8 --share 0.25 --force --no-flip --centre noisy --seed -3"
    values = parse(*line.split(), "--option", "k=4", "--option", "sizes=[4, 8]", "--option=a=b=c")
    assert values["patch_sizes"] == (4, 8)
    assert values["option"] == (("k", "4"), ("sizes", "[4, 8]"), ("a", "b=c"))
    assert (values["force"], values["centre"], values["seed"]) == (True, "noisy", -3)
    assert values["rate"] == RateConfig(share=0.25, flip=False)
    assert parse("a", "--needed", "x")["option"] == ()  # no state is kept between calls


def test_fractions_are_numbers() -> None:
    assert parse("a", "--needed", "x", "--epsilon", "8/255")["rate"] == RateConfig(epsilon=8 / 255)
    assert words._spell(2 / 255) == "2/255"
    assert words._spell(0.5 / 255) == "0.5/255"
    assert words._spell(0.05) == "0.05"


def test_fields_can_have_other_names() -> None:
    @dataclass(frozen=True)
    class PlacedConfig:
        source: Annotated[Positional[str], arg(metavar="DATA")]
        """Where from."""

    def other(place: PlacedConfig, *, rate: NamedConfig = NamedConfig()) -> None:
        """Do."""

    call = words.parse("ipmix other", other, ["here", "--portion", "1/4"])
    assert call.named == {"place": PlacedConfig("here"), "rate": NamedConfig(share=0.25)}
    with pytest.raises(InputError, match=r"no option --share; see ipmix other --help"):
        words.parse("ipmix other", other, ["here", "--share", "1/4"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--needed x", "^command needs at least one of what it works on"),
        ("a", "^command needs --needed TEXT"),
        ("a --needed", "--needed"),
        ("a --needed x --seed three", "--seed: 'three' is not a whole number"),
        ("a --needed x --seed " + "9" * 5000, r"--seed: '9{50}'\.\.\. \(5000 characters\) is not a whole number"),
        ("a --needed x --share two", "--share: 'two' is not a number \\(or a fraction such as 2/255\\)"),
        ("a --needed x --share 1/0", "--share: '1/0' is not a number"),
        ("a --needed x --share 1/2/3", "--share: '1/2/3' is not a number"),
        ("a --needed x --share 2", "share is at most 1, got 2.0 x{90}$"),
        ("a --needed x --centre middle", "--centre is one of clean, noisy, got 'middle'"),
        ("a --needed x --patch-sizes 4,x", "--patch-sizes: 'x' is not a whole number"),
        ("a --needed x --option k", "--option: 'k' is not NAME=VALUE"),
        ("a --needed x --forc", "there is no option --forc; did you mean --force\\?"),
        ("a --needed x --sead=3", "there is no option --sead; did you mean --seed\\?"),
        ("a --neded x", "there is no option --neded; did you mean --needed\\?"),
        ("a --needed x --qqqq", "there is no option --qqqq; see ipmix command --help"),
        ("a --needed x -q", "there is no option -q; see ipmix command --help"),
        ("a --patch_sizes 4 --needed", "--needed"),
        ("a --needed x --no-flop", "there is no option --no-flop; did you mean --no-flip\\?"),
    ],
)
def test_wrong_words_are_one_line_that_names_the_option(line: str, message: str, capsys) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message) as caught:
        parse(*line.split())
    assert len(str(caught.value).splitlines()) == 1
    assert not set("│─╭╰") & set(str(caught.value))
    assert capsys.readouterr() == ("", "")


def test_help_is_the_docstring_and_the_fields_texts(capsys) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    assert not stop.value.code
    lines = capsys.readouterr().out.splitlines()
    text = " ".join(" ".join(line.strip("│| ") for line in lines).split())
    for part in (
        "Do something to images, 100% safely, in a sentence that is longer than the eighty columns of a terminal. More",
        "Image files.",
        "Sides of the patches.",
        "Between 0 and 100%. (default: 0.5)",
        "--flip, --no-flip Mirror images at random. (default: True)",
        "in units of the pixel range. (default: 2/255)",
        "--option NAME=VALUE A setting.",
        "--patch-sizes A,B,... Sides",
    ):
        assert part in text, part
    assert "ValueError" not in text


@pytest.mark.parametrize("name", ["train", "augment", "evaluate", "corrupt", "mixing-set make"])
def test_help_fits_eighty_columns_breaks_no_word_and_has_no_colour_codes(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ipmix", *name.split(), "--help"],
        capture_output=True, text=True, check=True, encoding="utf-8",
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color"},
    )  # fmt: skip
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Leave this out" not in done.stdout
    wide = subprocess.run(
        [sys.executable, "-m", "ipmix", *name.split(), "--help"],
        capture_output=True, text=True, check=True, encoding="utf-8",
        env={**os.environ, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    narrow_words, wide_words = (
        {word for line in text.stdout.splitlines() for word in line.replace(",", ", ").strip("│ ").split()}
        for text in (done, wide)
    )
    assert {word for word in narrow_words ^ wide_words if word.strip("─╭╮╰╯")} == set(), "a word is broken"


def test_what_has_no_form_is_a_programming_error() -> None:
    def strange(*, value: complex) -> None:
        """Strange."""

    assert words.parse("ipmix", strange, ["--value", "1j"]).named == {"value": 1j}  # tyro knows more than ours

    def stranger(*, value: object) -> None:
        """Stranger."""

    with pytest.raises(InputError):
        words.parse("ipmix", stranger, ["--value", "1"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_its_options(shell: str, capsys) -> None:  # type: ignore[no-untyped-def]
    words.print_completion(shell, {"one": command, "group": {"two": command, "three": command}})
    script = capsys.readouterr().out
    for word in ("one", "group", "two", "three", "patch-sizes", "no-flip"):
        assert word in script
