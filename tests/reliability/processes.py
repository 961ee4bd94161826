"""Processes made by fork, spawn and forkserver, a fork beside threads; a DataLoader's worker killed."""

import hashlib
import multiprocessing
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from tests.reliability import harness
from tests.reliability.harness import Part
from tests.reliability.writers import small_images

ENDS = 30.0
"""Seconds after which a pass whose worker was killed must have ended."""


def some_work(number: int) -> str:
    """A few augmented and corrupted images, as a hash: the same in every process."""
    import ipmix

    images = small_images(6, 32)
    mixing = small_images(3, 36, seed=1)
    first = ipmix.augment(images, ipmix.IPMix(), mixing, seed=0, threads=1 + number % 3)
    second = ipmix.corrupt(images, "contrast", 3, seed=0)
    return hashlib.sha256(first.tobytes() + second.tobytes()).hexdigest()


def processes(count: int, seed: int = 0) -> Part:
    """Work in children of every kind, also forked while threads work."""
    part = Part("processes", "fork, spawn, forkserver, a fork while threads work", seed=seed)
    expected = some_work(0)
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            results = pool.map(some_work, range(2 * min(count, 3)))
        part.tried += 1
        part.check(set(results) == {expected}, f"{method}: other bytes")
    _forks_beside_threads(part, expected, min(count, 5))
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


class Deadly:
    """Images of which one kills the process that reads it, once: the file ``mark`` says that it has been done."""

    def __init__(self, mark: Path) -> None:
        self.images, self.mark = small_images(24, 32), mark

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        if index == 13 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        image: np.ndarray = self.images[index]
        return image


def one_pass(dataset: Any, kind: str, persistent: bool) -> str:
    """All batches of a pass of torch's DataLoader over an AugmentedDataset, with two workers, as a hash."""
    from torch.utils.data import DataLoader

    loader = DataLoader(
        dataset, 4, num_workers=2, persistent_workers=persistent, multiprocessing_context=kind, collate_fn=np.stack
    )
    return hashlib.sha256(b"".join(batch.tobytes() for batch in loader)).hexdigest()


def workers(count: int, seed: int = 0) -> Part:
    """SIGKILL of a worker: the pass ends with an error that says so, and is made again with the same bytes."""
    from ipmix.methods import METHODS
    from ipmix.transforms import AugmentedDataset

    part = Part("workers", "a DataLoader's worker killed, the pass made again", seed=seed)
    cases = [(kind, persistent) for persistent in (False, True) for kind in ("fork", "spawn", "forkserver")]
    for kind, persistent in harness.in_turn(cases, count, seed):
        with harness.scratch() as folder:

            def work(folder: Path = folder, kind: str = kind, persistent: bool = persistent) -> int:
                (folder / "other").touch()  # there nobody is killed
                mixing = small_images(3, 36, seed=1)
                calm, deadly = (
                    AugmentedDataset(Deadly(folder / name), METHODS["ipmix"](), mixing, seed=0)
                    for name in ("other", "mark")
                )
                expected = one_pass(calm, kind, persistent)
                try:
                    one_pass(deadly, kind, persistent)
                except RuntimeError as error:
                    died = (folder / "mark").stat().st_mtime  # not what starting the workers took
                    print(f"{time.time() - died:.1f} s: {error}")  # noqa: T201 (for the check below)
                deadly.set_epoch(0)
                return 0 if one_pass(deadly, kind, persistent) == expected else 3

            ended = harness.run(work, timeout=300)
            what = f"{kind}, {'persistent' if persistent else 'new'} workers"
            part.tried += 1
            said = ended.text.partition(" s: ")
            part.check(ended.code == 0, f"{what}: ended with {ended.code}: {ended.text[-400:]}")
            part.check(
                bool(re.search("DataLoader worker.*(killed by|exited)", said[2])),
                f"{what}: the user is told {ended.text[-300:]!r}",
            )
            part.check(float(said[0].split()[-1] if said[2] else "inf") < ENDS, f"{what}: after {said[0]} s")
            part.notes.append(f"{what}: told after {said[0].strip()} s")
    return part
