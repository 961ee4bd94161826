"""Processes made by fork, spawn and forkserver; torchrun with one of its processes killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.reliability import harness
from tests.reliability.harness import Part, contents, differences
from tests.reliability.writers import small_images

ENDS = 30.0
"""Seconds that the others have to end once one of torchrun's processes was killed."""

PROGRAM = """
import os, sys, time
from pathlib import Path
import numpy as np
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.training import loop
from ipmix.training.config import TrainingConfig
from tests.reliability.writers import small_images

out, slow = Path(sys.argv[1]), float(sys.argv[2])
step = loop._Run._step
def slowly(run, *words):
    if slow and run.position.batch == 1 and run.position.epoch == 1:
        rank = os.environ["RANK"]
        (out.parent / f"rank-{rank}").write_text(str(os.getpid()))
        time.sleep(slow if rank == os.environ["VICTIM"] else 0)
    return step(run, *words)
loop._Run._step = slowly
images = small_images(24)
dataset = ArrayDataset(images, np.arange(24) % 2, ("a", "b"), "noise")
config = TrainingConfig(model="wrn-10-1", epochs=2, batch_size=6, log_steps=1)
loop.train(config, dataset, None, out, method=METHODS["augmix"](), resume=True, device="cpu", quiet=True,
           checkpoint_seconds=0.0)
"""


def some_work(number: int) -> str:
    """A few augmented and corrupted images, as a hash: the same in every process."""
    import hashlib

    import ipmix

    images = small_images(6, 32)
    mixing = small_images(3, 36, seed=1)
    first = ipmix.augment(images, ipmix.IPMix(), mixing, seed=0, threads=1 + number % 3)
    second = ipmix.corrupt(images, "contrast", 3, seed=0)
    return hashlib.sha256(first.tobytes() + second.tobytes()).hexdigest()


def processes(count: int) -> Part:
    """Work in children of every kind, also forked while threads work; then torchrun."""
    part = Part("processes", "fork, spawn, forkserver, a fork while threads work; torchrun with one killed")
    expected = some_work(0)
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            results = pool.map(some_work, range(2 * min(count, 3)))
        part.tried += 1
        part.check(set(results) == {expected}, f"{method}: other bytes")
    _forks_beside_threads(part, expected, min(count, 5))
    for world in (1, 2, 3):
        _torchrun(part, world)
    return part


def _forks_beside_threads(part: Part, expected: str, count: int) -> None:
    ending = threading.Event()

    def busy() -> None:
        while not ending.is_set():
            some_work(2)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(count):
            ended = harness.run(lambda: 0 if some_work(1) == expected else 3, timeout=60)
            part.tried += 1
            part.check(ended.code == 0, f"fork {number} while threads work: {ended.code} {ended.text[-300:]}")
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def _torchrun(part: Part, world: int) -> None:
    with harness.scratch() as folder:
        (folder / "program.py").write_text(PROGRAM)

        here = list(filter(None, [os.environ.get("PYTHONPATH")]))

        def start(out: Path, slow: float) -> "subprocess.Popen[str]":
            command = [
                sys.executable, "-W", "ignore", "-m", "torch.distributed.run", f"--nproc-per-node={world}",
                "--master-addr=127.0.0.1", f"--master-port={29500 + os.getpid() % 1000 + world}",
                str(folder / "program.py"), str(out), str(slow),
            ]  # fmt: skip
            environment = {
                **os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "VICTIM": str(world - 1),
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *here]),
            }  # fmt: skip
            return subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            )  # fmt: skip

        def ends(process: "subprocess.Popen[str]", seconds: float) -> tuple[int, str]:
            try:
                _, text = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return harness.HUNG, process.communicate()[1]
            return process.returncode, text

        (folder / "whole").mkdir()
        code, text = ends(start(folder / "whole" / "out", 0.0), 300)
        part.tried += 1
        if not part.check(code == 0, f"torchrun, {world} processes: {code} {text[-400:]}"):
            return
        place = folder / "killed"
        place.mkdir()
        process, victim = start(place / "out", 60.0), place / f"rank-{world - 1}"
        waiting = time.monotonic()
        while not victim.exists() and time.monotonic() - waiting < 200 and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(int(victim.read_text()), signal.SIGKILL)
        began = time.monotonic()
        code, text = ends(process, 60)
        took = time.monotonic() - began
        part.tried += 1
        part.check(
            code not in (0, harness.HUNG) and took <= ENDS, f"{world} processes, one killed: {code}, {took:.0f} s"
        )
        part.notes.append(f"{world} processes: the others ended after {took:.1f} s")
        code, text = ends(start(place / "out", 0.0), 300)
        part.tried += 1
        part.check(code == 0, f"{world} processes, gone on with: {code} {text[-400:]}")
        clock = ("speed.jsonl", "state.pt", "run.lock")
        told = differences(contents(place / "out", clock), contents(folder / "whole" / "out", clock))
        part.check(not told, f"{world} processes, gone on with: {told}")
