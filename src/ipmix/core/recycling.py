"""Arrays whose memory is used again once nobody holds them: a fresh large one costs a page fault every few kilobytes.

An array from :func:`recycled_array` is an ordinary one. Its memory belongs to a lease that every view of it, slice,
memoryview or tensor keeps alive; it comes back when the last of them is gone, and not before. (NumPy lets a view hold
the array that owns the memory instead of the one it was made from, but only where both are arrays: the lease is none.)
"""

import math
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

LEAST_BYTES = 2**20
"""Smaller arrays are made anew: the system's allocator keeps such memory itself."""

MOST_BYTES = 2**29
"""What is kept waiting at most, all together."""

MOST_BLOCKS = 8
"""How many blocks are kept waiting at most; the one that has waited longest gives way."""

LINE = 64
"""Arrays begin at a multiple of this many bytes."""

_waiting: deque[np.ndarray] = deque(maxlen=MOST_BLOCKS)
"""Blocks nobody uses, the latest at the end. No lock: its single operations can't be torn apart, a lease may end at
any moment, in any thread, and a fork must find nothing locked."""


def recycled_array(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """A new array, C-contiguous and not initialised, in memory that may have been another's."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LEAST_BYTES or kind.hasobject:
        return np.empty(shape, kind)
    return np.asarray(_Lease(_take(size), tuple(shape), kind))


class _Lease:
    """Memory in use: NumPy makes an array of it, which holds it."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, block: np.ndarray, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
        self._block = block
        address = -(-block.ctypes.data // LINE) * LINE
        self.__array_interface__ = {"shape": shape, "typestr": kind.str, "data": (address, False), "version": 3}

    def __del__(self, stopping: Callable[[], bool] = sys.is_finalizing) -> None:
        # At the interpreter's end nobody takes it again, and what this module knew by name may be gone already.
        if not stopping() and _give_back is not None:
            _give_back(self._block)


def _take(size: int) -> np.ndarray:
    """A block for this many bytes: one that waits and is of that size, or a new one.

    Where none is, the one that has waited longest is let go: blocks of sizes no longer asked for don't stay.
    """
    others: list[np.ndarray] = []
    found = None
    while found is None:
        try:
            block = _waiting.pop()
        except IndexError:
            break
        if block.size == size + LINE:
            found = block
        else:
            others.append(block)
    if found is None:
        del others[-1:]
        found = np.empty(size + LINE, np.uint8)
    _waiting.extend(reversed(others))
    return found


def _give_back(block: np.ndarray) -> None:
    if block.size > MOST_BYTES:
        return
    _waiting.append(block)
    while sum(other.size for other in _waiting.copy()) > MOST_BYTES:
        try:
            _waiting.popleft()
        except IndexError:
            return
