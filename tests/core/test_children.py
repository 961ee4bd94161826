"""Processes that commands start have no current folder on their path."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from ipmix.core.children import VARIABLE, safe_path


def exit_code() -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=os.getpid)
    process.start()
    process.join()
    return process.exitcode


def test_a_spawned_process_runs_no_file_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    with safe_path():
        assert exit_code() == 0
    assert VARIABLE not in os.environ
    if not sys.flags.safe_path:
        assert exit_code() != 0, "without it, it is run"


def test_what_was_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "yes")
    with safe_path():
        assert os.environ[VARIABLE] == "1"
    assert os.environ[VARIABLE] == "yes"
