from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from ipmix.core.errors import InputError
from ipmix.experiment.config_file import read


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    steps: int = 3
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps is at least 1, got {self.steps}")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = Inner()
    names: tuple[str, ...] = ()
    limit: int | None = None
    active: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def settings(tmp_path: Path, text: str, changes: dict[str, str] | None = None) -> Outer:
    (tmp_path / "a.yaml").write_text(text)
    return read(Outer, tmp_path / "a.yaml", changes)


def test_a_file_becomes_dataclasses(tmp_path: Path) -> None:
    text = "name: x\ninner: {rate: 1, kind: b}\nnames: [p, q]\nlimit: null\nactive: true\noptions: {k: [1, 2]}\n"
    assert settings(tmp_path, text) == Outer("x", Inner(1.0, 3, "b"), ("p", "q"), None, True, {"k": [1, 2]})


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "0.0001", "'0.0001'"])
def test_numbers_as_people_write_them(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, f"name: x\ninner: {{rate: {text}}}").inner.rate == 0.0001


def test_values_can_be_replaced_by_their_key(tmp_path: Path) -> None:
    changed = settings(tmp_path, "name: x", {"inner.rate": "2", "names": "[p]", "limit": "4"})
    assert changed == Outer("x", Inner(rate=2.0), ("p",), 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nnmae: y", r"a\.yaml: unknown key 'nmae'; did you mean 'name'\?"),
        ("name: x\ninner: {speed: 1}", r"a\.yaml: unknown key 'inner\.speed'; known are rate, steps, kind"),
        ("name: x\nname: y", r"the key 'name' is there twice \(line 2\)"),
        ("name: x\ninner: {rate: 1, rate: 2}", "'rate' is there twice"),
        ("inner: {}", "the key 'name' is missing"),
        ("name: 3", r"name is text, got 3 \(int\)"),
        ("name: x\ninner: {steps: 1.5}", r"inner\.steps is a whole number, got 1\.5"),
        ("name: x\ninner: {steps: true}", r"inner\.steps is a whole number, got True"),
        ("name: x\ninner: {rate: fast}", r"inner\.rate is a number, got 'fast'"),
        ("name: x\ninner: {kind: c}", r"inner\.kind is one of a, b, got 'c'"),
        ("name: x\ninner: {steps: 0}", r"a\.yaml: inner: steps is at least 1, got 0"),
        ("name: x\ninner: 4", r"inner should hold settings"),
        ("name: x\nnames: p", "names is a list"),
        ("name: x\nactive: 'yes'", "active is true or false"),
        ("name: x\noptions: [1]", "options should hold settings"),
        ("name: [", "is not YAML"),
        ("", "should hold settings"),
        ("name: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(tmp_path, text)


def test_missing_files_and_changes_below_values(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none\.yaml; expected a settings file"):
        read(Outer, tmp_path / "none.yaml")
    with pytest.raises(InputError, match="no settings below name"):
        settings(tmp_path, "name: x", {"name.first": "1"})
    with pytest.raises(InputError, match=r"unknown key 'inner\.q'"):
        settings(tmp_path, "name: x", {"inner.q": "1"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ninner: {rate: .nan}", r"a\.yaml: inner\.rate is a finite number, got nan"),
        ("name: x\ninner: {rate: -.inf}", r"a\.yaml: inner\.rate is a finite number, got -inf"),
        ("name: x\ninner: {rate: 1e400}", r"a\.yaml: inner\.rate is a finite number, got inf"),
        (f"name: x\ninner: {{rate: 1{'0' * 400}}}", r"a\.yaml: inner\.rate is a finite number, got inf"),
        ("name: x\ninner: {rate: nan}", r"a\.yaml: inner\.rate is a finite number, got nan"),
        (f"name: x\nlimit: {'9' * 5000}", r"a\.yaml: limit: '9{59}\.\.\. \(str\) can't be read"),
        (
            f"name: x\nlimit: 0x{'f' * 5000}",
            r"a\.yaml: limit is a whole number, got '0xf+\.\.\. \(str\)",
        ),
        ("name: x\nlimit: 1:30", r"a\.yaml: limit is a whole number, got '1:30' \(str\)"),
        ("name: x\nlimit: 1_000", r"a\.yaml: limit is a whole number, got '1_000' \(str\)"),
        ("name: x\nlimit: 1e12", r"a\.yaml: limit is a whole number, got 1000000000000\.0 \(float\)"),
        ("name: x\nactive: yes", r"a\.yaml: active is true or false, got 'yes' \(str\)"),
        ("name: x\n<<: {active: true}", r"a\.yaml: unknown key '<<'"),
        ("name: x\nlimit: 9223372036854775808", r"a\.yaml: limit is a whole number of at most 64 bits"),
        ("name: x\noptions: {k: [1, {j: .inf}]}", r"a\.yaml: options\.k\[1\]\.j is a finite number, got inf"),
        ("name: x\noptions: {k: !!timestamp 2026-01-02}", r"options\.k is a number, text, .*got datetime\.date"),
        ("name: x\noptions: {k: !!timestamp 2026-02-31}", r"a\.yaml: options\.k: '2026-02-31' \(str\) can't be read"),
        (f"name: x\noptions: {{k: {'9' * 5000}}}", r"a\.yaml: options\.k: '9+\.\.\. \(str\) can't be read"),
        ("name: x\n? [a]\n: 1", r"a\.yaml: a key is a word, got a list or settings \(line 2\)"),
        ("name: x\n? {a: 1}\n: 1", r"a\.yaml: a key is a word"),
        ("name: x\noptions: " + "[" * 3000 + "]" * 3000, r"a\.yaml is nested too deeply"),
        ("name: x\noptions: " + "{a: " * 3000 + "1" + "}" * 3000, r"a\.yaml is nested too deeply"),
        ("name: &n x\nnames: [*n]", r"a\.yaml: line 2: aliases"),
        ("name: x\noptions: &o {k: *o}", r"a\.yaml: line 2: aliases"),
        ("name: x\nnames: " + "y" * 500, r"names is a list, got 'y{59}\.\.\. \(str\)"),
        ("name: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_what_no_setting_can_be_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        settings(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: x\n".encode("utf-16"), r"a\.yaml is not text in UTF-8: byte 0 is 0x(ff|fe)"),
        ("name: Käse\n".encode("latin-1"), r"a\.yaml is not text in UTF-8: byte 7 is 0xe4"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", r"a\.yaml is not text in UTF-8: byte 0 is 0x89"),
        (b"name: \x00\x01", r"a\.yaml is not YAML"),
        (b"", r"a\.yaml should hold settings \(key: value\), got nothing"),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(Outer, tmp_path / "a.yaml")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("value", [".nan", "1e400", "9" * 5000, "[" * 3000, "2026-02-31"])
def test_replaced_values_are_checked_like_those_of_the_file(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=r"inner\.rate") as caught:
        settings(tmp_path, "name: x", {"inner.rate": value})
    assert len(str(caught.value).splitlines()) == 1


@dataclass(frozen=True)
class Holder:
    inner: "WithPresets"


@dataclass(frozen=True)
class WithPresets:
    rate: float = 0.5
    steps: int = 3

    @classmethod
    def preset(cls, name: str) -> "WithPresets":
        if name != "quick":
            raise InputError(f"there is no preset {name!r}")
        return cls(rate=2.0, steps=1)


def test_a_preset_begins_and_the_files_own_settings_replace_it(tmp_path: Path) -> None:
    def chosen(text: str, changes: dict[str, str] | None = None) -> WithPresets:
        (tmp_path / "a.yaml").write_text(text)
        return read(Holder, tmp_path / "a.yaml", changes).inner

    assert chosen("inner: {preset: quick}") == WithPresets(2.0, 1)
    assert chosen("inner: {steps: 7, preset: quick}") == WithPresets(2.0, 7)
    assert chosen("inner: {steps: 7}", {"inner.preset": "quick"}) == WithPresets(2.0, 7)
    assert chosen("inner: {steps: 7}") == WithPresets(0.5, 7)
    for text, message in (
        ("inner: {preset: slow}", r"a\.yaml: inner\.preset: there is no preset 'slow'"),
        ("inner: {preset: 3}", r"a\.yaml: inner\.preset is text, got 3 \(int\)"),
        ("inner: {preset: quick, speed: 1}", r"unknown key 'inner\.speed'"),
    ):
        with pytest.raises(InputError, match=message):
            chosen(text)
    with pytest.raises(InputError, match="unknown key 'preset'"):
        settings(tmp_path, "name: x\npreset: quick")


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "1:30", "2026-01-02", "0x10"])
def test_plain_words_are_text(tmp_path: Path, word: str) -> None:
    assert settings(tmp_path, f"name: {word}").name == word


def test_plain_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    found = settings(tmp_path, "name: x\nlimit: 010\ninner: {rate: 1e-4}")
    assert (found.limit, found.inner.rate) == (10, 1e-4)
