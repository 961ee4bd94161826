"""Threads of this process that share the work of one call."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from queue import Empty, SimpleQueue

SHARES = 3
"""Ranges for each thread, so that one that is held up does not keep the others waiting for long."""

LEAST = 16
"""Images that are worth a range of their own."""

PIXELS = 2**19
"""Pixels that are worth a range of their own where images are small: 2 ms, of which setting up a range takes 0.1."""


def default_threads() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_ranges(
    work: Callable[[int, int], object], count: int, threads: int, size: int = 1, most: int | None = None
) -> None:
    """Call ``work(begin, end)`` for ranges of 0 .. count, in ``threads`` threads; the first error is raised.

    The calling thread is one of them. ``size`` is how many pixels each of the ``count`` images has; no range has
    more than ``most`` images, so that what the work keeps beside them stays small.
    """
    threads = min(threads, count)
    least = 1 if most is None else -(-count // most)
    if threads <= 1:
        for edges in _edges(count, max(least, 1)):
            work(*edges)
        return
    # As many for each thread: of three ranges, one of two threads would have two.
    ranges = threads * max(
        1, min(SHARES, count // LEAST // threads, count * size // PIXELS // threads), -(-least // threads)
    )
    waiting: SimpleQueue[tuple[int, int]] = SimpleQueue()
    for edges in _edges(count, ranges):
        waiting.put(edges)

    def take() -> None:
        try:
            while True:
                work(*waiting.get_nowait())
        except Empty:
            return
        except BaseException:
            _drop_all(waiting)
            raise

    others = [_pool(os.getpid(), threads - 1).submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        # One that has not begun by now would find nothing left to do, and may be waiting behind another call's work.
        begun = [other for other in others if not other.cancel()]
        errors = [other.exception() for other in begun]
    for error in errors:
        if error is not None:
            raise error


def _edges(count: int, ranges: int) -> Iterator[tuple[int, int]]:
    return pairwise([count * i // ranges for i in range(ranges + 1)])


def _drop_all(waiting: SimpleQueue[tuple[int, int]]) -> None:
    while not waiting.empty():
        try:
            waiting.get_nowait()
        except Empty:
            return


@lru_cache(maxsize=8)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads kept for the next call: starting them takes as long as a few dozen small images.

    A forked child has none of its parent's threads; its own process number finds it a pool of its own.
    """
    return ThreadPoolExecutor(threads, thread_name_prefix="ipmix engine")
