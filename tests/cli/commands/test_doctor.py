import importlib.metadata
import os
import re
import tomllib
from pathlib import Path

import pytest

from ipmix.augmentation import self_check
from ipmix.cli.commands import doctor
from ipmix.cli.main import main


def test_a_sound_installation(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for part in ("python", "numba", "processors", "cache", "all engines agree"):
        assert part in text
    assert "WRONG" not in text


@pytest.mark.parametrize("problem", ["they differ by 7 levels", ValueError("broken")])
def test_what_is_wrong_is_said_and_the_code_is_1(monkeypatch, capsys, problem):
    def check():
        if isinstance(problem, Exception):
            raise problem
        return problem

    monkeypatch.setattr(self_check, "engines_agree", check)
    monkeypatch.setattr(doctor, "_corruptions_run", lambda: "")
    assert main(["doctor"]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_what_is_missing_and_how_to_get_it(monkeypatch, capsys):
    there = {"train": ["torch", "timm"], "onnx": ["onnxruntime"]}
    monkeypatch.setattr(doctor, "_needed_by_extras", lambda: there)
    monkeypatch.setattr(doctor, "_is_installed", lambda name: name not in ("timm", "onnxruntime"))
    assert main(["doctor", "--no-checks"]) == 0
    text = capsys.readouterr().out
    assert 'train lacks timm: pip install "ipmix[train]"' in text
    assert 'onnx lacks onnxruntime: pip install "ipmix[onnx]"' in text
    assert "engines agree" not in text
    monkeypatch.setattr(doctor, "_is_installed", lambda name: True)
    main(["doctor", "--no-checks"])
    assert "onnx is there" in capsys.readouterr().out


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that takes nothing, from root neither")
def test_a_cache_that_takes_no_files_is_wrong(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "_is_installed", lambda name: True)
    monkeypatch.setenv("IPMIX_CACHE_DIR", "/proc/none")
    assert main(["doctor", "--no-checks"]) == 1
    assert "WRONG cache /proc/none: it can't be written to; IPMIX_CACHE_DIR names another" in capsys.readouterr().out
    monkeypatch.setenv("IPMIX_CACHE_DIR", str(tmp_path / "a" / "b"))
    assert main(["doctor", "--no-checks"]) == 0
    assert f"cache {tmp_path / 'a' / 'b'} (not made yet)" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [], "it only looks"


PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_extras_are_read_from_the_package_itself(monkeypatch):
    """As a wheel has them; also those for developers, and an extra that takes in another."""
    lines = [
        *("numpy>=2.0", 'torch>=2.6; extra == "train"', "timm>=1.0 ; extra == 'train'", 'ruff; extra == "dev"'),
        *('ipmix[docs,none]; extra == "dev"', 'mkdocstrings[python]>=0.3; extra == "docs"'),
        "isal>=1.7; platform_machine in 'x86_64'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(doctor, "_source_tree", lambda: None)
    assert doctor._needed_by_extras() == {
        "train": ["torch", "timm"], "dev": ["ruff", "mkdocstrings"], "docs": ["mkdocstrings"],
    }  # fmt: skip


def test_every_extra_of_pyproject_is_told_with_what_is_missing(monkeypatch, capsys):
    """From a source tree and from a wheel's metadata alike."""
    extras = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {extra: [re.match(r"[\w.-]+", line)[0] for line in lines] for extra, lines in extras.items()}
    metadata = [f"{line} ; extra == '{extra}'" for extra, lines in extras.items() for line in lines]
    from_tree = doctor._needed_by_extras()
    monkeypatch.setattr(doctor, "_source_tree", lambda: None)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: metadata)
    assert doctor._needed_by_extras() == from_tree
    assert set(from_tree) == set(names)
    for extra, needed in names.items():
        expected = {name for name in needed if name != "ipmix"} | (set(names["docs"]) if "ipmix" in needed else set())
        assert set(from_tree[extra]) == expected
    monkeypatch.setattr(doctor, "_is_installed", lambda name: False)
    assert main(["doctor", "--no-checks"]) == 0
    text = capsys.readouterr().out
    for extra, needed in from_tree.items():
        assert f'{extra} lacks {", ".join(needed)}: pip install "ipmix[{extra}]"' in text


def test_another_projects_pyproject_is_not_taken_for_ours(monkeypatch, tmp_path):
    import ipmix

    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'theirs'\n[project.optional-dependencies]\nx = ['y']\n")
    monkeypatch.setattr(ipmix, "__file__", str(tmp_path / "lib" / "ipmix" / "__init__.py"))
    assert doctor._source_tree() is None
    (tmp_path / "pyproject.toml").write_text("no toml")
    assert doctor._source_tree() is None
