"""Threads of this process that share the work of one call."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

SHARES = 4
"""Parts for each thread, so that one that is held up does not keep the others waiting for long."""

LEAST = 16
"""Pictures that are worth a part of their own."""


def in_parts(work: Callable[[int, int], object], count: int, threads: int) -> None:
    """Call ``work(begin, end)`` for parts of 0 .. count, in ``threads`` threads; the first error is raised."""
    if min(threads, count) <= 1:
        work(0, count)
        return
    parts = max(min(threads, count), min(threads * SHARES, count // LEAST))
    for done in [_pool(os.getpid(), threads).submit(work, *part) for part in _edges(count, parts)]:
        done.result()


def _edges(count: int, parts: int) -> Iterator[tuple[int, int]]:
    return pairwise([count * i // parts for i in range(parts + 1)])


@lru_cache(maxsize=8)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads kept for the next call: starting them takes as long as a few dozen small pictures.

    A forked child has none of its parent's threads; its own process number finds it a pool of its own.
    """
    return ThreadPoolExecutor(threads, thread_name_prefix="ipmix engine")
