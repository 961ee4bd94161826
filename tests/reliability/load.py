"""Long loads: memory at the end within 2 % of that after the first minute, as many threads and handles as then."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tests.reliability.harness import Part
from tests.reliability.writers import small_images

FIRST = 60.0
"""Seconds until memory is looked at for the first time, or a fifth of the work where that is sooner."""

ALLOWED = 0.02


def state() -> tuple[float, int, int]:
    """Resident MiB, threads and open files of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, threading.active_count(), len(os.listdir("/proc/self/fd"))


def watched(part: Part, work: Iterator[int], count: int, *, warm: int = 0) -> Part:
    """Go through ``work``, which gives how many items it has done each time, until ``count`` are done.

    The minute begins after ``warm`` items, when each kind of item has been made once: compiling takes memory.
    """
    began, first, most = time.monotonic(), None, (0, 0)
    for done in work:
        part.tried += done
        if part.tried <= warm:
            began = time.monotonic()
        now = state()
        if first is None:  # threads that come and go with a pass are counted at their most
            most = max(most[0], now[1]), max(most[1], now[2])
        if first is None and part.tried > warm and (time.monotonic() - began > FIRST or part.tried >= count / 5):
            first = now
        if part.tried >= count or not part.more():
            break
    last = state()
    seconds = time.monotonic() - began
    if first is None:
        part.notes.append("too short to compare memory")
        return part
    grown = last[0] / first[0] - 1.0
    part.check(grown <= ALLOWED, f"memory grew from {first[0]:.1f} to {last[0]:.1f} MiB ({100 * grown:.1f} %)")
    part.check(last[1] <= most[0] and last[2] <= most[1], f"threads and files were {most} and are {last[1:]}")
    part.notes.append(f"{first[0]:.1f} MiB, at the end {last[0]:.1f} ({100 * grown:+.2f} %)")
    part.notes.append(f"{part.tried / seconds:,.0f} a second")
    return part


def loader(count: int, seed: int = 0) -> Part:
    """Images through the training loader with 8 threads."""
    from ipmix.data.datasets import ArrayDataset
    from ipmix.methods import METHODS
    from ipmix.training.loader import Loader

    images = small_images(2048, 32)
    dataset = ArrayDataset(images, np.arange(2048) % 10, tuple("abcdefghij"), "noise")
    batches = Loader(
        dataset, batch_size=128, seed=seed, method=METHODS["ipmix"](), mixing=small_images(50, 36, seed=1), threads=8
    )

    def work() -> Iterator[int]:
        epoch = 0
        while True:
            for batch in batches.epoch(epoch):
                yield len(batch)
            epoch += 1

    return watched(Part("load: loader", "an image through the loader, 8 threads", seed=seed), work(), count, warm=2048)


def augmenter(count: int, seed: int = 0) -> Part:
    """Single images through one Augmenter that 8 threads share, of different shapes."""
    import ipmix

    one = ipmix.Augmenter(ipmix.IPMix(), ipmix.MixingSet.array(small_images(50, 36, seed=1)), seed=seed)
    images = [small_images(1, 32, seed=i)[0][: 32 - i % 3] for i in range(8)]

    def some(start: int) -> int:
        for index in range(start, start + 250):
            one(images[index % 8], index=index, epoch=index // 50_000)
        return 250

    def work() -> Iterator[int]:
        start = 0
        with ThreadPoolExecutor(8) as pool:
            while True:
                yield sum(pool.map(some, range(start, start + 2000, 250)))
                start += 2000

    return watched(
        Part("load: Augmenter", "an image through one Augmenter, 8 threads", seed=seed), work(), count, warm=2000
    )


def corruptions(count: int, seed: int = 0) -> Part:
    """Each corruption at each severity in turn, two threads."""
    import ipmix
    from ipmix.corruptions import CORRUPTIONS

    images = small_images(100, 32)
    pairs = [(name, severity) for severity in range(1, 6) for name in CORRUPTIONS]

    def work() -> Iterator[int]:
        number = 0
        while True:
            name, severity = pairs[number % len(pairs)]
            ipmix.corrupt(images, name, severity, seed=seed + number, threads=2)
            number += 1
            yield len(images)

    return watched(Part("load: corruptions", "a corrupted image", seed=seed), work(), count, warm=100 * len(pairs))
