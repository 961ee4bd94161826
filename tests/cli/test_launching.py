"""``--processes``: one command in several processes, told like one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.launching import in_processes, without_processes
from ipmix.core.errors import InputError


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draws = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("images")
    for split, count in (("train", 12), ("test", 6)):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(
                    folder / split / name / f"{i}.png"
                )
    return folder


def command(images: Path, out: Path, *more: str) -> list[str]:
    """A network without BatchNorm: its figures don't depend on how many processes there are, but for rounding."""
    words = f"train {images} --size 8 --model vit-small-cifar --batch-size 8 --dropout 0 --method none --out {out}"
    return [sys.executable, "-m", "ipmix", *words.split(), "--device", "cpu", *more]


def run(words: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, cwd=folder)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def children(process: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 200
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_option_is_not_passed_on() -> None:
    assert without_processes(["train", "x", "--processes", "2", "--out", "y"]) == ["train", "x", "--out", "y"]
    assert without_processes(["train", "x", "--processes=2", "--quiet"]) == ["train", "x", "--quiet"]


@pytest.mark.parametrize("count", [0, -1, 10**6])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=r"--processes is at (least 1|most 512), got"):
        in_processes(count, ["train"])


def test_processes_within_torchrun_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(InputError, match="one of 4 processes already; leave --processes out"):
        in_processes(2, ["train"])


@pytest.mark.slow
def test_two_processes_train_as_one_does(images: Path, tmp_path: Path) -> None:
    (tmp_path / "re.py").write_text("raise SystemExit('a file of the folder one works in was run')")
    python, *words = command(images, tmp_path / "two", "--epochs", "2", "--processes", "2")
    done = run([python, "-P", *words], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("last: epoch 2") == 1  # one process is heard
    assert not [line for line in done.stderr.splitlines() if "Warning" in line or "torch" in line]
    speeds = [json.loads(line) for line in (tmp_path / "two" / "speed.jsonl").read_text().splitlines()]
    assert [row["processes"] for row in speeds] == [2, 2]
    assert run(command(images, tmp_path / "one", "--epochs", "2")).returncode == 0
    for one, two in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert one == pytest.approx(two, rel=1e-4)
    assert rows(tmp_path / "one")[0] != pytest.approx(rows(tmp_path / "one")[1], rel=1e-4)  # it could fail


@pytest.mark.slow
def test_a_refusal_is_told_once(tmp_path: Path) -> None:
    done = run(command(tmp_path / "nosuch", tmp_path / "out", "--processes", "2"))
    assert done.returncode == 2
    assert done.stderr.count("is not a folder") == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


SAYS_AND_IS_ENDED = """
import os, signal, sys
from ipmix.cli import launching, main

os.environ[launching.STARTER] = sys.argv[1] or str(os.getppid())
launching.end_with_starter()
code = main.main(["nosuch"])
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(code)
"""


@pytest.mark.parametrize(("starter", "code"), [("", 2), ("1", -signal.SIGTERM)])
def test_a_process_that_has_told_why_ends_with_its_own_code(starter: str, code: int) -> None:
    """The launcher ends all others as soon as one has ended, also those that are just telling the same refusal."""
    done = run([sys.executable, "-c", SAYS_AND_IS_ENDED, starter])
    assert done.returncode == code
    assert done.stderr.count("there is no command 'nosuch'") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux shows them")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_their_starter(images: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    words = command(images, out, "--epochs", "1000", "--processes", "2")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(out / "metrics.jsonl", process)
        started = children(process.pid)
        assert len(started) == 2
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=60)
        if number == signal.SIGTERM:
            assert said.splitlines()[-1] == "ipmix: stopped by SIGTERM"
            assert "death signal" not in said
        end = time.monotonic() + 30
        while any(map(alive, started)) and time.monotonic() < end:
            time.sleep(0.1)
        assert not any(map(alive, started))
    assert process.returncode == (128 + number if number == signal.SIGTERM else -number)
    if number == signal.SIGTERM:  # saved, and the same words go on
        before = len(rows(out))
        with subprocess.Popen([*words, "--resume"]) as process:
            end = time.monotonic() + 100
            while len(rows(out)) <= before and time.monotonic() < end:
                time.sleep(0.1)
            process.terminate()
        assert len(rows(out)) > before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux shows them")
def test_a_process_that_dies_ends_the_others_with_a_word(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = command(images, out, "--epochs", "1000", "--processes", "2")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(out / "metrics.jsonl", process)
        os.kill(max(children(process.pid)), signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert "was ended by SIGKILL" in said
    assert "Traceback" not in said
