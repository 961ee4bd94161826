"""A program's first images, while the kernel is being compiled: soon, and the same bytes as behind it."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipmix import PRIME, IPMix
from ipmix.augmentation.batches import apply, draw
from ipmix.augmentation.single import Augmenter
from ipmix.engines import compiled, numpy_engine
from ipmix.engines.compiled import beginning

PROGRAM = """
import hashlib, os, sys, threading
import numpy as np
import ipmix
from ipmix.engines.compiled import beginning, kernel

images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
mixing = images[::-1].copy()
table = ipmix.draw(ipmix.IPMix(), images.shape, len(mixing), seed=0)

def results():
    found = [ipmix.apply(table, images, mixing, output=output) for output in ("uint8", "float32")]
    one = ipmix.Augmenter(ipmix.IPMix(), mixing, seed=0)
    found += [one(images[i], index=i, epoch=0) for i in range(len(images))]
    return hashlib.blake2b(b"".join(array.tobytes() for array in found)).hexdigest()

first = results()
forms = len(kernel.apply_range.overloads)
threads = [thread.name for thread in threading.enumerate() if thread.name == "ipmix compiling"]
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        os._exit(0 if results() == first and len(kernel.apply_range.overloads) else 1)
    print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
beginning.wait()
print("before", forms, len(threads), "after", len(kernel.apply_range.overloads), results() == first)
print(first)
print("ready for compiling" if "numba.np.arraymath" in sys.modules else "not made ready")
"""


def run(cache: Path) -> tuple[list[str], str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.splitlines(), done.stderr


def test_the_first_images_come_before_the_kernel_and_are_the_same(tmp_path: Path) -> None:
    said, told = run(tmp_path)
    child = ["child 0"] if hasattr(os, "fork") else []
    assert said[: len(child)] == child
    assert said[len(child)] == "before 0 1 after 1 True"
    kept = "once; kept on disk; the first images don't wait for it, the program's end does"
    assert f"ipmix: compiling the engine for this processor ({kept})\n" in told
    again, told = run(tmp_path)
    assert told == ""
    assert again[len(child)] == "before 1 0 after 1 True"
    assert again[-2] == said[-2]
    assert again[-1] == "not made ready"  # for which every process would need a third of a second more


START = beginning._start


AT_EXIT = """
import atexit
import numpy as np
import ipmix
images = np.zeros((2, 16, 16, 3), np.uint8)
atexit.register(lambda: print(ipmix.augment(images, ipmix.AugMix(), seed=0).shape, flush=True))
"""


def test_a_program_that_begins_at_its_end_waits_for_the_kernel(tmp_path: Path) -> None:
    """No thread that is started then would be waited for, and the interpreter would go while LLVM is at work."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", AT_EXIT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    assert done.stdout == "(2, 16, 16, 3)\n"
    assert "compiling the engine for this processor (once; kept on disk)\n" in done.stderr


DONE = """
import sys, threading, time
from ipmix.engines.compiled import beginning
thread = threading.Thread(target=time.sleep, args=(float(sys.argv[1]),))
thread.start()
threading.Thread(target=beginning._say_at_the_end, args=(thread,), daemon=True).start()
"""


@pytest.mark.parametrize(("seconds", "said"), [("3", True), ("0.1", False)])
def test_a_program_that_is_done_says_what_it_waits_for(seconds: str, said: bool) -> None:
    done = subprocess.run([sys.executable, "-c", DONE, seconds], capture_output=True, text=True, check=True, timeout=60)
    assert ("the program is done, and its end waits for the kernel" in done.stderr) == said


class Still:
    """In place of a thread that compiles: one that has not come to an end."""

    def is_alive(self) -> bool:
        return True


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if nothing were compiled, and nothing came to an end."""
    now = beginning._Beginning()
    monkeypatch.setattr(beginning, "_now", now)
    monkeypatch.setattr(beginning, "_is_loaded", lambda signature: False)
    monkeypatch.setattr(beginning, "lies_on_disk", lambda function, arguments: False)
    monkeypatch.setattr(beginning, "_start", lambda signature: Still())
    return now


@pytest.fixture
def in_numpy(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of the engine in NumPy had."""
    calls: list[int] = []
    real = numpy_engine.apply
    monkeypatch.setattr(numpy_engine, "apply", lambda table, *rest: (calls.append(len(table)), real(table, *rest))[1])
    return calls


def test_so_many_pixels_and_no_more_go_another_way(
    compiling: Any, in_numpy: list[int], images: np.ndarray, mixing_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = draw(IPMix(), images.shape, len(mixing_images), seed=0)
    monkeypatch.setattr(beginning, "MOST", 2 * images[..., 0].size + 5)
    results = [apply(table, images, mixing_images) for _ in range(4)]
    assert in_numpy == [12, 12]
    assert all(np.array_equal(result, results[0]) for result in results)
    assert len(compiling.threads) == 1


def test_fewer_of_primes_images_go_another_way(
    compiling: Any, in_numpy: list[int], images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "MOST", 12 * images[..., 0].size)
    apply(draw(PRIME(), images.shape, seed=0), images)
    assert in_numpy == []
    apply(draw(PRIME(), images[:3].shape, seed=0), images[:3])
    assert in_numpy == [3]


def test_what_is_told_to_wait_waits(
    compiling: Any, in_numpy: list[int], images: np.ndarray, mixing_images: Any
) -> None:
    beginning.wait_from_now_on()
    apply(draw(IPMix(), images.shape, len(mixing_images), seed=0), images, mixing_images)
    assert in_numpy == []


@pytest.mark.parametrize(("output", "layout"), [("uint8", "nhwc"), ("float32", "nchw"), ("uint8", "nchw")])
def test_single_images_of_every_form(
    output: str, layout: str, compiling: Any, in_numpy: list[int], images: np.ndarray, mixing_images: np.ndarray
) -> None:
    augmenter = Augmenter(IPMix(), mixing_images, seed=0, output=output, layout=layout)
    meanwhile = [augmenter(images[i], index=i, epoch=0) for i in range(12)]
    assert in_numpy == [1] * 12
    rgbx = []
    if (output, layout) == ("uint8", "nhwc"):
        for i in range(12):
            source = np.dstack([images[i], np.full((32, 32), 9, np.uint8)]).ravel()
            target = np.zeros_like(source)
            augmenter.augment_rgbx(source, target, (32, 32), index=i, epoch=0)
            rgbx.append(target.reshape(32, 32, 4))
        assert in_numpy == [1] * 24
    beginning.wait_from_now_on()
    for i in range(12):
        expected = augmenter(images[i], index=i, epoch=0)
        assert np.array_equal(meanwhile[i], expected)
        if rgbx:
            assert np.array_equal(rgbx[i][..., :3], expected)
            assert (rgbx[i][..., 3] == 255).all()
    assert len(in_numpy) in (12, 24)


def test_a_kernel_that_fails_to_compile_fails_where_it_is_called(
    compiling: Any, images: np.ndarray, mixing_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: Any) -> None:
        raise MemoryError("no room for machine code")

    fails.overloads = {}  # type: ignore[attr-defined]
    monkeypatch.setattr(beginning, "_start", START)
    monkeypatch.setattr(beginning, "apply_range", fails)
    monkeypatch.setattr(compiled, "apply_range", fails)
    table = draw(IPMix(), images.shape, len(mixing_images), seed=0)
    apply(table, images, mixing_images)
    beginning.wait()
    with pytest.raises(MemoryError, match="no room"):
        apply(table, images, mixing_images)


def test_many_threads_start_one(
    compiling: Any, images: np.ndarray, mixing_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = draw(IPMix(), images.shape, len(mixing_images), seed=0)
    expected = apply(table, images, mixing_images, engine="numpy")
    started: list[int] = []
    monkeypatch.setattr(beginning, "_start", lambda signature: (started.append(1), Still())[1])
    wrong: list[int] = []

    def call() -> None:
        if not np.array_equal(apply(table, images, mixing_images), expected):
            wrong.append(1)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (started, wrong) == ([1], [])


def test_where_no_thread_can_be_started_images_wait(
    compiling: Any, in_numpy: list[int], images: np.ndarray, mixing_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(beginning, "_start", START)
    monkeypatch.setattr(threading.Thread, "start", refuses)
    apply(draw(IPMix(), images.shape, len(mixing_images), seed=0), images, mixing_images)
    assert in_numpy == []
    assert compiling.threads == {}
