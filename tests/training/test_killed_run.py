"""Whole runs in processes of their own, killed by the system without a word, and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ipmix.training.checkpoint import read_state

SCRIPT = """
import sys
from pathlib import Path

import numpy as np

from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.training.config import TrainingConfig
from ipmix.training.loop import train

draws = np.random.default_rng(0)
labels = np.arange(800, dtype=np.int64) % 3
images = draws.integers(0, 256, (800, 16, 16, 3), dtype=np.uint8)
dataset = ArrayDataset(images, labels, ("a", "b", "c"), "noise")
test = ArrayDataset(images[:50], labels[:50], dataset.classes, "noise")
mixing = draws.integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)
config = TrainingConfig(model="wrn-10-1", epochs=2, batch_size=8, jsd=True, log_steps=5, ema_decay=0.9, seed=2)
train(config, dataset, test, Path(sys.argv[1]), method=METHODS["ipmix"](), mixing=mixing, resume=True,
      threads=int(sys.argv[2]), checkpoint_seconds=float(sys.argv[3]), device="cpu", quiet=True)
"""


def start(script: Path, out: Path, threads: int, seconds: float) -> subprocess.Popen[bytes]:
    """The run, begun; the same number of compute threads everywhere, since more add in another order."""
    command = [sys.executable, str(script), str(out), str(threads), str(seconds)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # The undisturbed run goes on beside the killed one: both start slowly.
    whole = start(script, tmp_path / "whole", 1, 1e9)
    draws = np.random.default_rng(7)
    kills = 0
    for threads in (2, 3):
        process = start(script, tmp_path / "killed", threads, 0.05)
        # Once this process has saved a state: at a random moment, whatever is being done or written then.
        before = stamp(tmp_path / "killed")
        while stamp(tmp_path / "killed") == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(draws.uniform(0.0, 0.15))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    process = start(script, tmp_path / "killed", 1, 0.05)
    assert process.wait(120) == 0
    assert whole.wait(120) == 0
    assert kills == 2
    for file in ("metrics.jsonl", "last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "killed" / file).read_bytes(), file
    states = [read_state(tmp_path / name / "state.pt") for name in ("whole", "killed")]
    for state in states:
        del state["log_lengths"]["speed.jsonl"]
    assert_same(*states)
    rows = [json.loads(text) for text in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "recent_loss" in row] == list(range(5, 201, 5))
    assert [row["epoch"] for row in rows if "loss" in row] == [1, 2]


def stamp(out: Path) -> int:
    """When the run's state was last saved."""
    state = out / "state.pt"
    return state.stat().st_mtime_ns if state.exists() else 0


def assert_same(first: object, second: object) -> None:
    """To the last bit, tensors too."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)  # type: ignore[arg-type]
    elif isinstance(first, dict):
        assert list(first) == list(second)  # type: ignore[call-overload]
        for key in first:
            assert_same(first[key], second[key])  # type: ignore[index]
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)  # type: ignore[arg-type]
        for a, b in zip(first, second, strict=True):  # type: ignore[call-overload]
            assert_same(a, b)
    else:
        assert first == second
