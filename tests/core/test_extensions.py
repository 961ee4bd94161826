"""Things of one's own by ``module:Name``, and by the entry points of installed packages."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ipmix.core import extensions
from ipmix.core.errors import InputError


@pytest.mark.parametrize("name", ["a:b", "a.b:C", "a_1.b:c.d"])
def test_spelled_as_one_of_ones_own(name: str) -> None:
    assert extensions.is_own(name)
    assert extensions.full_name(name, "method") == name


@pytest.mark.parametrize("name", ["ipmix", "a:", ":b", "a/b:c", "../a:b", "a:b/c", "a b:c", "1a:b", "a:b:c", ""])
def test_spelled_otherwise(name: str) -> None:
    assert not extensions.is_own(name)
    assert extensions.full_name(name, "method") is None


def test_a_module_of_the_folder_one_works_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_thing_1.py").write_text("class A:\n    b = 7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert extensions.own("own_thing_1:A.b", "method") == 7
    with pytest.raises(InputError, match=r"own_thing_1 has no A\.c, for the method 'own_thing_1:A\.c'"):
        extensions.own("own_thing_1:A.c", "method")
    (tmp_path / "own_thing_2.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(InputError, match=r"own_thing_2 can't be imported \(ModuleNotFoundError: No module named"):
        extensions.own("own_thing_2:A", "corruption")
    (tmp_path / "own_thing_3.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(InputError, match=r"own_thing_3 can't be imported \(SystemExit"):
        extensions.own("own_thing_3:A", "measure")


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(InputError, match="there is no Python module 'not_here_at_all' here or among the installed"):
        extensions.own("not_here_at_all:A", "method")


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def points(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("rain", "weather:rain", group), EntryPoint("hail", "weather:hail", group)]

    monkeypatch.setattr(extensions, "entry_points", points)
    extensions.installed.cache_clear()
    try:
        assert extensions.installed("corruption") == {"hail": "weather:hail", "rain": "weather:rain"}
        assert extensions.full_name("rain", "corruption") == "weather:rain"
        assert extensions.full_name("snow", "corruption") is None
        assert asked == ["ipmix.corruptions"]
    finally:
        extensions.installed.cache_clear()
