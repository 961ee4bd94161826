import os

import pytest

from ipmix.cli.commands import doctor
from ipmix.cli.main import main


def test_a_sound_installation(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for part in ("python", "numba", "processors", "cache", "both engines agree"):
        assert part in text
    assert "WRONG" not in text


@pytest.mark.parametrize("problem", ["they differ by 7 levels", ValueError("broken")])
def test_what_is_wrong_is_said_and_the_code_is_1(monkeypatch, capsys, problem):
    def check():
        if isinstance(problem, Exception):
            raise problem
        return problem

    monkeypatch.setattr(doctor, "_engines_agree", check)
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


def test_the_extras_are_read_from_the_package_itself(monkeypatch):
    import importlib.metadata

    lines = ["numpy>=2.0", 'torch>=2.6; extra == "train"', "timm>=1.0 ; extra == 'train'", 'ruff; extra == "dev"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    assert doctor._needed_by_extras() == {"train": ["torch", "timm"]}
