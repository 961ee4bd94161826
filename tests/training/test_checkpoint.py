import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ipmix.core.errors import InputError
from ipmix.training.checkpoint import RunFolder, read_state, refuse_taken

RECORD = {"training": {"seed": 0}, "data": {"crc32": "00"}}


# Small enough that torch uses one thread: a forked child has no others.
def state(step: int) -> dict[str, Any]:
    return {"step": step, "weights": torch.full((20_000,), float(step))}


def test_a_state_comes_back_with_its_log_lines(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", RECORD) as folder:
        assert folder.state is None
        folder.log("metrics.jsonl", {"step": 1})
        folder.save_state(state(1))
        folder.log("metrics.jsonl", {"step": 2})  # after the state: a step that will be repeated
    with RunFolder(tmp_path / "run", RECORD, resume=True) as folder:
        assert folder.state is not None
        assert torch.equal(folder.state["weights"], state(1)["weights"])
        assert folder.rows("metrics.jsonl") == [{"step": 1}]
        folder.log("metrics.jsonl", {"step": 2})
        assert folder.rows("metrics.jsonl") == [{"step": 1}, {"step": 2}]


def test_a_half_written_line_is_cut(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RECORD) as folder:
        folder.log("metrics.jsonl", {"step": 1})
        folder.save_state(state(1))
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 2, "los')
    with RunFolder(tmp_path, RECORD, resume=True) as folder:
        assert folder.rows("metrics.jsonl") == [{"step": 1}]


def test_a_shortened_log_is_noticed(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RECORD) as folder:
        folder.log("metrics.jsonl", {"step": 1})
        folder.save_state(state(1))
    (tmp_path / "metrics.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match=r"metrics\.jsonl is shorter"):
        RunFolder(tmp_path, RECORD, resume=True)
    assert (tmp_path / "state.pt").exists()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(InputError, match=r"--resume .* or --force"):
        RunFolder(tmp_path, RECORD)
    with pytest.raises(InputError, match=r"other things \(thesis\.txt\)"):
        RunFolder(tmp_path, RECORD, resume=True)
    with RunFolder(tmp_path, RECORD, force=True) as folder:
        folder.save_state(state(0))
    assert (tmp_path / "thesis.txt").read_text() == "important"
    with pytest.raises(InputError, match="is a file"):
        refuse_taken(tmp_path / "thesis.txt")
    refuse_taken(tmp_path / "new")


def test_force_forgets_the_run_that_was_there(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RECORD) as folder:
        folder.log("metrics.jsonl", {"step": 1})
        folder.save_state(state(1))
    with RunFolder(tmp_path, RECORD, force=True) as folder:
        assert folder.state is None
        assert folder.rows("metrics.jsonl") == []
    assert not (tmp_path / "state.pt").exists()


def test_resuming_where_nothing_is_begins_anew(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", RECORD, resume=True) as folder:
        assert folder.state is None
    with RunFolder(tmp_path / "run", RECORD, resume=True) as folder:  # stopped before the first state
        assert folder.state is None


def test_another_experiment_is_refused_with_the_difference(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RECORD) as folder:
        folder.save_state(state(3))
    other = {"training": {"seed": 1}, "data": {"crc32": "00"}}
    with pytest.raises(InputError, match=r"another experiment.*\n  training\.seed: 0 -> 1\n"):
        RunFolder(tmp_path, other, resume=True)
    assert read_state(tmp_path / "state.pt")["step"] == 3


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RECORD):
        for options in ({"resume": True}, {"force": True}):
            with pytest.raises(InputError, match="another process is training"):
                RunFolder(tmp_path, RECORD, **options)
    RunFolder(tmp_path, RECORD, force=True).close()


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RECORD) as folder:
        folder.save_state(state(1))
    path = tmp_path / "state.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"state\.pt can't be read"):
        RunFolder(tmp_path, RECORD, resume=True)
    torch.save({"format": 99}, path)
    with pytest.raises(InputError, match="format 99, expected 2"):
        read_state(path)
    with pytest.raises(InputError, match="no saved run"):
        read_state(tmp_path / "none.pt")


def test_a_full_disk_keeps_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder(tmp_path, RECORD) as folder:
        folder.save_state(state(1))

        def full(content: object, file: Any) -> None:
            file.write(b"some of it")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left"):
            folder.save_state(state(2))
    assert read_state(tmp_path / "state.pt")["step"] == 1
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_killed_while_saving_the_newest_whole_state_loads(tmp_path: Path) -> None:
    """200 processes are killed at random moments of writing; what is found always loads and never goes back."""
    draws = np.random.default_rng(0)
    reached = 0
    for _ in range(200):
        listening, telling = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _save_for_ever(tmp_path, telling)
            finally:
                os._exit(1)
        # It tells before each save: after n words, n - 1 saves are done, and it is in the middle of one.
        words = int(draws.integers(1, 4))
        for _ in range(words):
            assert os.read(listening, 1) == b"."
        time.sleep(draws.uniform(0.0, 0.003))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        os.close(listening)
        os.close(telling)
        surely = reached + words - 1
        found = read_state(tmp_path / "state.pt") if (tmp_path / "state.pt").exists() else state(0)
        assert found["step"] >= surely
        assert torch.equal(found["weights"], state(found["step"])["weights"])
        reached = found["step"]
    with RunFolder(tmp_path, RECORD, resume=True) as folder:
        assert folder.rows("metrics.jsonl") == [{"step": i + 1} for i in range(reached)]
        assert not list(tmp_path.glob(".*.part"))


def _save_for_ever(path: Path, telling: int) -> None:
    with RunFolder(path, RECORD, resume=True) as folder:
        step = folder.state["step"] if folder.state else 0
        while True:
            step += 1
            folder.log("metrics.jsonl", {"step": step})
            os.write(telling, b".")
            folder.save_state(state(step))


def test_a_plain_write_would_have_been_caught(tmp_path: Path) -> None:
    """The check above can fail: a state written in place and cut anywhere does not load."""
    torch.save({"format": 2, **state(1)}, tmp_path / "state.pt")
    whole = (tmp_path / "state.pt").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "state.pt").write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_state(tmp_path / "state.pt")
