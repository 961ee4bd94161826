"""What worker processes keep in memory: the default mixing set once for all of them, however they were started."""

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipmix

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="/proc says it on Linux only")

WORKERS = 8
AT_MOST = 1.1
"""Times what the set takes in one process."""


def kib(lines: list[str], what: str) -> int:
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def shares() -> dict[str, int]:
    """This process's share (PSS) of the memory that it uses, in KiB: of all of it, and of the mixing set's planes."""
    blocks: list[list[str]] = []
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if not line.split()[0].endswith(":"):
            blocks.append([])
        blocks[-1].append(line)
    of_set = [line for block in blocks if "planes" in block[0] or "sample-" in block[0] for line in block]
    whole = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return {"whole": kib(whole, "Pss"), "set": kib(of_set, "Pss"), "resident set": kib(of_set, "Rss")}


def augmenting(augmenter: Any, image: np.ndarray, barrier: Any, found: Any) -> None:
    """Work on many images, so that every mixing image is met, and measure while all others are there, too."""
    for index in range(3000):
        augmenter(image, index=index, epoch=0)
    barrier.wait(120)
    found.put(shares())
    barrier.wait(120)


def measured(start: str, workers: int) -> dict[str, int]:
    """Sums over the workers."""
    context = multiprocessing.get_context(start)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    augmenter = ipmix.Augmenter(ipmix.IPMix(), ipmix.MixingSet.sample(), seed=0)
    augmenter(image, index=0, epoch=0)
    barrier, found = context.Barrier(workers), context.Queue()
    processes = [context.Process(target=augmenting, args=(augmenter, image, barrier, found)) for _ in range(workers)]
    for process in processes:
        process.start()
    each = [found.get(timeout=150) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return {name: sum(one[name] for one in each) for name in each[0]}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_the_default_mixing_set_lies_in_memory_once(start: str) -> None:
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {start} here")
    one, all_of_them = measured(start, 1), measured(start, WORKERS)
    assert one["resident set"] > 4000, "a worker has met the set's images, which take 5.6 MiB"
    assert all_of_them["resident set"] > 0.9 * WORKERS * one["resident set"], "all have"
    # This test's own process may have its share of the pages.
    assert all_of_them["set"] <= AT_MOST * one["resident set"], (one, all_of_them)
    if start == "fork":  # beside the set, what a worker has for itself is a few MiB of 90 or more
        assert all_of_them["whole"] <= 4 * one["whole"], (one, all_of_them)
