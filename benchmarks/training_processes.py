"""One training process against two: groups of processes that are started once and then take turns.

    python -m benchmarks.training --only processes

A turn is a short epoch. The first process of each group asks for its turn and tells how long it took; the others of its
group wait at a barrier, so that whoever is not on turn does nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import IO

import numpy as np
import torch

from benchmarks.turns import before_each_epoch
from ipmix.methods import METHODS
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Loader
from ipmix.training.loop import train

SETTINGS = {
    "1 process, 1 thread": (1, 1),
    "1 process, 2 threads": (1, 2),
    "2 processes, 1 thread each": (2, 1),
}
"""Processes, and threads of each."""

KEY = b"ipmix benchmarks"
PATIENCE = 180.0
"""Seconds that a group may take to start, or for one turn."""


def measured(model: str, rounds: int, steps: int, *, seconds: float, least: int) -> dict[str, list[float]]:
    """Seconds of each counted turn, for each of the settings; the first turn of each warms up.

    After ``seconds`` there are no further rounds, but at least ``least`` of them.
    """
    times: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with tempfile.TemporaryDirectory() as folder, groups(Path(folder), model, rounds + 1, steps) as connections:
        end = time.monotonic() + seconds
        for turn in range(rounds + 1):
            if turn > least and time.monotonic() > end:
                break
            names = list(SETTINGS)
            for name in names if turn % 2 == 0 else reversed(names):
                connections[name].send("go")
                took = received(connections[name], name)
                if turn:
                    times[name].append(took)
    return times


@contextmanager
def groups(folder: Path, model: str, turns: int, steps: int) -> Iterator[dict[str, Connection]]:
    """The groups of processes, each ready for its first turn; ended with the block."""
    running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
    connections: dict[str, Connection] = {}
    try:
        for number, (name, (count, threads)) in enumerate(SETTINGS.items()):
            address = str(folder / f"{number}.socket")
            with Listener(address, "AF_UNIX", authkey=KEY) as listener:
                log: IO[bytes] = (folder / f"{number}.log").open("w+b")
                process = start(count, threads, address, model, turns, steps, log)
                running.append((process, log))
                connections[name] = accepted(listener, process, log)
        yield connections
    finally:
        for connection in connections.values():
            connection.close()
        for process, log in running:
            process.terminate()
            process.wait()
            log.close()


def start(
    count: int, threads: int, address: str, model: str, turns: int, steps: int, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """A group of processes of this program."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    own = ["-m", "benchmarks.training_processes", address, model, str(turns), str(steps)]
    return subprocess.Popen(
        [sys.executable, *torchrun, *own],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        cwd=Path(__file__).parent.parent,
        stdout=log,
        stderr=log,
    )


def accepted(listener: Listener, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> Connection:
    """The group's connection; RuntimeError with what it wrote if it ends or takes too long."""
    listener._listener._socket.settimeout(1.0)  # type: ignore[attr-defined]
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            return listener.accept()
        except TimeoutError:
            continue
    log.seek(0)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read().decode(errors='replace')}")


def received(connection: Connection, name: str) -> float:
    """The seconds of a turn."""
    if not connection.poll(PATIENCE):
        raise RuntimeError(f"{name}: no answer within {PATIENCE:.0f} s")
    seconds: float = connection.recv()
    return seconds


class Turns:
    """One process's part: epochs only when it is their turn."""

    def __init__(self, address: str) -> None:
        self.connection = Client(address, "AF_UNIX", authkey=KEY) if os.environ.get("RANK", "0") == "0" else None
        self._began = 0.0

    def __call__(self, _: Loader, epoch: int) -> None:
        self.end(epoch)
        if self.connection:
            self.connection.recv()
        together()
        self._began = time.perf_counter()

    def end(self, epochs: int) -> None:
        """All processes of the group are through with the epoch."""
        together()
        if self.connection and epochs:
            self.connection.send(time.perf_counter() - self._began)


def together() -> None:
    """Wait for the other processes of the group."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def worker(address: str, model: str, turns: int, steps: int) -> None:
    """One process of a group."""
    from benchmarks.training import random_images

    config = TrainingConfig(model=model, epochs=turns, log_steps=1000)
    mixing = np.random.default_rng(1).integers(0, 256, (500, 36, 36, 3), dtype=np.uint8)
    mine = Turns(address)
    with before_each_epoch(mine):
        dataset = random_images(steps * config.batch_size)
        train(config, dataset, method=METHODS["ipmix"](), mixing=mixing, quiet=True, device="cpu")
    mine.end(turns)


if __name__ == "__main__":
    worker(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
