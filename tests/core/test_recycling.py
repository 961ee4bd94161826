"""Memory that is used again: never while anything looks at it, and not without bounds."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ipmix.core import recycling
from ipmix.core.recycling import LEAST_BYTES, LINE, MOST_BLOCKS, recycled_array

SHAPE = (4, LEAST_BYTES)


@pytest.fixture(autouse=True)
def nothing_waiting() -> Iterator[None]:
    recycling._waiting.clear()
    yield
    recycling._waiting.clear()


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    first = recycled_array(SHAPE, np.uint8)
    where = address(first)
    assert where % LINE == 0
    assert first.flags.c_contiguous
    assert first.flags.writeable
    assert first.shape == SHAPE
    del first
    again = recycled_array((LEAST_BYTES,), np.float32)  # as many bytes
    assert address(again) == where
    assert again.dtype == np.float32


def tensor_of(array: np.ndarray) -> Any:
    return pytest.importorskip("torch", reason="the extra 'train' brings it").from_numpy(array)


HOLDERS: dict[str, Callable[[np.ndarray], Any]] = {
    "the array": lambda a: a,
    "a slice": lambda a: a[1:2],
    "a slice of a slice": lambda a: a[1:][:1][0],
    "a view of another type": lambda a: a.view(np.uint32),
    "a transposed view of a slice": lambda a: a[::2].T,
    "one row, reshaped": lambda a: a[2].reshape(-1, 2),
    "an array made of it": lambda a: np.asarray(a[:3]),
    "a flat iterator": lambda a: a.flat,
    "a memoryview": lambda a: memoryview(a)[1:],
    "an array of a memoryview": lambda a: np.frombuffer(memoryview(a[1]), np.uint8),
    "a tensor": tensor_of,
    "a slice of a tensor": lambda a: tensor_of(a)[1:, 5:],
    "a tensor's array": lambda a: tensor_of(a[1:]).numpy(),
    "from DLPack": lambda a: np.from_dlpack(a),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_nothing_that_is_held_changes(kind: str) -> None:
    array = recycled_array(SHAPE, np.uint8)
    array[...] = 7
    where, held = address(array), HOLDERS[kind](array)
    del array
    gc.collect()
    others = [recycled_array(SHAPE, np.uint8) for _ in range(3)]
    for other in others:
        assert address(other) != where
        other[...] = 255
    assert (np.asarray(held).view(np.uint8) == 7).all()
    del held
    gc.collect()
    assert address(recycled_array(SHAPE, np.uint8)) == where  # so the check can fail: now it is free


def test_arrays_of_many_threads_are_apart() -> None:
    failures = []

    def work(number: int) -> None:
        for turn in range(30):
            arrays = [recycled_array((LEAST_BYTES + number % 2,), np.uint8) for _ in range(3)]
            for k, array in enumerate(arrays):
                array[:: LEAST_BYTES // 64] = number * 3 + k
            kept = arrays[turn % 3][10:]
            failures.extend(
                (number, k) for k, array in enumerate(arrays) if (array[:: LEAST_BYTES // 64] != number * 3 + k).any()
            )
            del arrays, kept

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(recycling._waiting) <= MOST_BLOCKS


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = [recycled_array(SHAPE, np.uint8) for _ in range(2 * MOST_BLOCKS)]
    del arrays
    assert len(recycling._waiting) == MOST_BLOCKS
    monkeypatch.setattr(recycling, "MOST_BYTES", 3 * (4 * LEAST_BYTES + LINE))
    arrays = [recycled_array(SHAPE, np.uint8) for _ in range(MOST_BLOCKS)]
    del arrays
    assert len(recycling._waiting) == 3
    monkeypatch.setattr(recycling, "MOST_BYTES", LEAST_BYTES)
    recycling._waiting.clear()
    recycled_array(SHAPE, np.uint8)
    assert not recycling._waiting  # larger than all that may wait


def test_sizes_no_longer_asked_for_do_not_stay() -> None:
    arrays = [recycled_array((LEAST_BYTES + k,), np.uint8) for k in range(4)]
    del arrays
    for _ in range(6):
        recycled_array(SHAPE, np.uint8)
        held = [recycled_array(SHAPE, np.uint8) for _ in range(2)]
        del held
    sizes = {block.size for block in recycling._waiting}
    assert 4 * LEAST_BYTES + LINE in sizes
    assert len(sizes) < 4


def test_small_arrays_are_numpys_own() -> None:
    small = recycled_array((3, 5), np.float32)
    assert small.base is None
    assert small.shape == (3, 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on() -> None:
    array = recycled_array(SHAPE, np.uint8)
    array[...] = 1
    child = os.fork()
    if child == 0:
        del array
        again = recycled_array(SHAPE, np.uint8)
        again[...] = 9
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (array == 1).all()


def test_an_array_that_outlives_the_module_goes_in_silence() -> None:
    """At the interpreter's end a module's names are None before all that it made is gone."""
    program = (
        "from ipmix.core import recycling\n"
        "array = recycling.recycled_array((recycling.LEAST_BYTES,), 'u1')\n"
        "for name in list(vars(recycling)):\n"
        "    vars(recycling)[name] = None\n"
        "del array\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stderr == ""
