"""Commands that torchrun starts as several processes, of which one is killed: the others end soon, and all go on."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import harness
from tests.reliability.harness import Part, contents, differences, leftovers
from tests.reliability.writers import Writer, prepare

ENDS = 30.0
"""Seconds that the others have to end once one of the processes was killed."""

LINE = "another process of this run has ended"
"""What the others say, unless torchrun ended them first."""

PROGRAM = """
import os, sys, time
from pathlib import Path
from ipmix.evaluation import plan, predicting
from ipmix.training import loop

plan.CHUNK = predicting.CHUNK = 1
place, slow, rank = Path(sys.argv[1]), float(sys.argv[2]), os.environ["RANK"]
step, chunk, chunks = loop._Run._step, predicting._chunk, 0

def waits():
    if slow:
        (place / f"rank-{rank}").write_text(str(os.getpid()))
        time.sleep(slow if rank == os.environ["VICTIM"] else 0)

def slow_step(run, *words):
    if os.environ["STAGE"] == "training" and (run.position.epoch, run.position.batch) == (1, 1):
        waits()
    return step(run, *words)

def slow_chunk(*words):
    global chunks
    chunks += 1
    if os.environ["STAGE"] == "measuring" and chunks == 2:
        waits()
    return chunk(*words)

loop._Run._step, predicting._chunk = slow_step, slow_chunk
from ipmix.cli.main import main
sys.exit(main(sys.argv[3:]))
"""


@dataclass(frozen=True)
class Case:
    """A command in so many processes, of which one is killed in a stage of the work."""

    writer: str
    processes: int
    victim: int
    stage: str


CASES = (
    Case("train", 2, 1, "training"),
    Case("evaluate", 3, 0, "measuring"),
    Case("experiment", 2, 1, "measuring"),
    Case("train", 3, 0, "training"),
    Case("evaluate", 2, 1, "measuring"),
    Case("train", 1, 0, "training"),
    Case("experiment", 3, 2, "training"),
    Case("evaluate", 1, 0, "measuring"),
    Case("experiment", 1, 0, "training"),
    Case("experiment", 2, 0, "training"),
)


def torchrun(count: int, seed: int = 0) -> Part:
    """So many of the cases, from number ``seed`` on, round and round: whole, killed, gone on with."""
    part = Part("torchrun", "a command in 1 to 3 processes, one of them killed, gone on with", seed=seed)
    with harness.scratch() as folder:
        (folder / "in").mkdir()
        (folder / "program.py").write_text(PROGRAM)
        writers = {writer.name: writer for writer in prepare(folder / "in")}
        for number, case in enumerate(harness.in_turn(CASES, count, seed)):
            if not part.more():
                break
            place = folder / str(number)
            place.mkdir()
            _killed(part, case, writers[case.writer], place)
    return part


def _killed(part: Part, case: Case, writer: Writer, place: Path) -> None:
    what = f"{case.writer}, {case.processes} processes, {case.victim} killed while {case.stage}"
    whole, out = place / "whole" / "run", place / "out" / "run"  # a run's name is its folder's
    for each in (whole, out):
        each.parent.mkdir(parents=True, exist_ok=True)
    part.tried += 1
    code, text = _end(_start(case, writer.first(whole), place, "whole"), 400)
    if not part.check(code == 0, f"{what}: undisturbed {code} {list(_said(place / 'log-whole').values())}"):
        return
    process, mark = _start(case, writer.first(out), place, "killed", slow=90.0), place / f"rank-{case.victim}"
    waiting = time.monotonic()
    while not (mark.exists() and mark.read_text()) and time.monotonic() - waiting < 300 and process.poll() is None:
        time.sleep(0.05)
    if not part.check(mark.exists(), f"{what}: never came so far"):
        _end(process, 0)
        return
    time.sleep(0.5)
    os.kill(int(mark.read_text()), signal.SIGKILL)
    began = time.monotonic()
    code, text = _end(process, 60)
    took = time.monotonic() - began
    part.check(code not in (0, harness.HUNG) and took <= ENDS, f"{what}: {code} after {took:.0f} s")
    part.check("SIGKILL" in text, f"{what}: torchrun does not say what was killed: {text[-300:]}")
    said = _said(place / "log-killed")
    for rank, words in said.items():
        part.check("Traceback" not in words, f"{what}: process {rank} said {words[-400:]}")
    others = [words for rank, words in said.items() if rank != case.victim]
    told = sum(LINE in words or "stopped; the state is saved" in words for words in others)
    part.notes.append(f"{what}: ended after {took:.1f} s, {told} of {len(others)} others said why")
    code, text = _end(_start(case, writer.second(out), place, "again"), 400)
    if part.check(code == 0, f"{what}, gone on with: {code} {text[-400:]} {list(_said(place / 'log-again').values())}"):
        if case.processes > 2 and not writer.name.startswith("evaluate"):
            return  # three gradients are added in another order in the first step after a start: equal to rounding
        told_differences = differences(contents(out, writer.ignore), contents(whole, writer.ignore))
        part.check(not told_differences, f"{what}, gone on with: other bytes: {told_differences}")
        part.check(not leftovers(out), f"{what}, gone on with: left behind {leftovers(out)}")


def _start(
    case: Case, words: list[object], place: Path, log: str, *, slow: float = 0.0
) -> "subprocess.Popen[str]":  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-W", "ignore", "-m", "torch.distributed.run", f"--nproc-per-node={case.processes}",
        "--master-addr=127.0.0.1", f"--master-port={port}", "--redirects=3", f"--log-dir={place / f'log-{log}'}",
        str(place.parent / "program.py"), str(place), str(slow), *map(str, words),
    ]  # fmt: skip
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "VICTIM": str(case.victim),
        "STAGE": case.stage, "PYTHONPATH": os.pathsep.join(paths),
    }  # fmt: skip
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _end(process: "subprocess.Popen[str]", seconds: float) -> tuple[int, str]:
    try:
        _, text = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return harness.HUNG, process.communicate()[1]
    return process.returncode, text


def _said(log: Path) -> dict[int, str]:
    """What each process wrote to its stderr."""
    return {int(path.parent.name): path.read_text(errors="replace") for path in log.rglob("stderr.log")}
