"""Surroundings that nobody planned for: no home, no cache, no terminal, few handles, a clock that goes back."""

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.reliability import harness
from tests.reliability.harness import Ended, Part, command, run
from tests.reliability.writers import Writer, prepare, small_chunks, small_images, working


def surroundings(count: int, seed: int = 0) -> Part:
    """Each of the cases below, at most ``count``, from number ``seed`` on, round and round."""
    part = Part("surroundings", "a command or a call in a place that is not as usual", seed=seed)
    cases = harness.in_turn(CASES, count, seed)
    with harness.scratch() as folder:
        (folder / "in").mkdir()
        writers = {writer.name: writer for writer in prepare(folder / "in")}
        for number, case in enumerate(cases):
            place = folder / str(number)
            place.mkdir()
            if told := case(writers, place):
                part.check(False, f"{case.__doc__}: {told}")
            part.tried += 1
    part.notes.append("; ".join(str(case.__doc__).rstrip(".") for case in cases))
    return part


Case = Callable[[dict[str, Writer], Path], str]


def told(ended: Ended, *codes: int) -> str:
    """What is wrong with how a run ended; empty if nothing is."""
    good = ended.code in (codes or (0,)) and "Traceback" not in ended.text
    return "" if good else f"ended with {ended.code}: {ended.text[-400:]}"


def without_home(writers: dict[str, Writer], place: Path) -> str:
    """HOME unset, the user's cache not to be written to."""

    def work() -> int:
        os.environ.pop("HOME", None)
        os.environ["XDG_CACHE_HOME"] = "/proc/none"
        import ipmix

        small_chunks()
        mixing = ipmix.MixingSet.generate(count=3, size=16, seed=0, mix={"ifs": 1})
        assert len(mixing) == 3
        return working(writers["evaluate"], place / "out")()

    return told(run(work, timeout=300))


def cache_is_a_file(writers: dict[str, Writer], place: Path) -> str:
    """A named cache folder that is a file."""
    (place / "file").touch()

    def work() -> int:
        os.environ["IPMIX_CACHE_DIR"] = str(place / "file")
        from ipmix.cli.main import main

        return main([*map(str, writers["train"].words), "--method", "ipmix", "--out", str(place / "out")])

    ended = run(work, timeout=300)
    return told(ended, 1, 2) or ("" if "file" in ended.text else f"names no file: {ended.text[-300:]}")


def closed_stdout(writers: dict[str, Writer], place: Path) -> str:
    """Nobody reads what is printed; results are still written."""

    def work() -> int:
        receiver, sender = os.pipe()
        os.close(receiver)
        os.dup2(sender, 1)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (until the process ends)
        try:
            return working(writers["score"], place / "out")()
        finally:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115

    ended = run(work)
    return told(ended, 0) or ("" if (place / "out" / "report.html").exists() else "no report was written")


def no_streams(writers: dict[str, Writer], place: Path) -> str:
    """Neither stdout nor stderr nor stdin."""

    def work() -> int:
        for number in range(3):
            os.close(number)
        sys.stdin = sys.stdout = sys.stderr = None  # type: ignore[assignment]  # as Python finds them closed
        return working(writers["corrupt arrays"], place / "out")()

    run(work)
    return "" if (place / "out" / "contrast.npy").exists() else "nothing was written"


def lang_c(writers: dict[str, Writer], place: Path) -> str:
    """LANG=C and names that ASCII has not."""
    strange = place / "größe-日本"
    strange.mkdir()
    np.save(strange / "images.npy", small_images(3))
    np.save(strange / "labels.npy", np.zeros(3, np.int64))

    def work() -> int:
        os.environ.update(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
        sys.stdout = open(1, "w", encoding="ascii", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="ascii", closefd=False)  # noqa: SIM115
        code = command("corrupt", strange / "images.npy", strange / "out", "--names", "contrast")()
        return code or command("corrupt", strange / "no\u202e.npy", strange / "other")() - 2

    ended = run(work)
    return told(ended) or ("" if "\\u202e" in ended.text else f"names no file: {ended.text[-200:]}")


def few_handles(writers: dict[str, Writer], place: Path) -> str:
    """64 file handles."""

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        for name in ("corrupt folders", "mixing-set png", "train", "evaluate"):
            if code := working(writers[name], place / name)():
                return code
        return 0

    return told(run(work, timeout=300))


def clock_set_back(writers: dict[str, Writer], place: Path) -> str:
    """The clock is a year back, then jumps back and forth."""

    def work() -> int:
        real, calls = time.time, 0

        def wrong() -> float:
            nonlocal calls
            calls += 1
            return real() - (365 * 86400 if calls % 2 else -86400)

        time.time = wrong
        for name in ("train", "evaluate"):
            if code := working(writers[name], place / name)():
                return code
        return working(writers["evaluate"], place / "evaluate", second=True)()

    return told(run(work, timeout=300))


def file_changed_while_read(writers: dict[str, Writer], place: Path) -> str:
    """An image is cut short, grown, replaced by another kind and removed while it is read."""
    from PIL import Image

    from ipmix.core.errors import InputError
    from ipmix.data.decoding import decode

    path = place / "a.png"
    Image.fromarray(small_images(1, 64)[0]).save(path)
    whole, ending = path.read_bytes(), threading.Event()

    def change() -> None:
        draws = np.random.default_rng(0)
        while not ending.is_set():
            kind = draws.integers(4)
            content = (whole, whole[: draws.integers(len(whole))], whole + b"more", b"GIF89a")[kind]
            with open(path, "wb") as file:
                file.write(content)
            if draws.random() < 0.1:
                path.unlink(missing_ok=True)
            time.sleep(0.0005)
        path.write_bytes(whole)

    changing = threading.Thread(target=change)
    changing.start()
    problem, good, refused, began = "", 0, 0, time.monotonic()
    try:
        while min(good, refused) < 50 and time.monotonic() - began < 60:
            try:
                good += decode(path).shape == (64, 64, 3)
            except InputError:
                refused += 1
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    finally:
        ending.set()
        changing.join()
    return problem or ("" if good and refused else f"{good} times read, {refused} times refused")


def thread_raises(writers: dict[str, Writer], place: Path) -> str:
    """A thread of the loader raises: the error arrives, all threads end."""
    from ipmix.data.datasets import ArrayDataset
    from ipmix.methods import METHODS
    from ipmix.training.loader import Loader

    dataset = ArrayDataset(small_images(40), np.zeros(40, np.int64), ("a", "b"), "noise")
    loader = Loader(dataset, batch_size=4, seed=0, method=METHODS["augmix"](), threads=4)
    real, count, before = loader._batch, 0, threading.active_count()

    def failing(*words: Any) -> Any:
        nonlocal count
        count += 1
        if count == 5:
            raise ArithmeticError("in a thread")
        return real(*words)

    loader._batch = failing  # type: ignore[method-assign]
    got = 0
    try:
        for _ in loader.epoch(0):
            got += 1
    except ArithmeticError:
        return "" if got == 4 and threading.active_count() == before else f"{got} batches, threads are left"
    return "the error was lost"


def sent_away(writers: dict[str, Writer], place: Path) -> str:
    """SIGINT twice within a training that takes long to save."""
    import signal

    child = harness.start(working(writers["train"], place / "out"), place / "terminal")
    time.sleep(1.0)
    for _ in range(2):
        if os.waitpid(child, os.WNOHANG)[0]:
            return ""
        os.kill(child, signal.SIGINT)
    ended = harness.wait(child, place / "terminal", timeout=60)
    if ended.code not in (0, 130, -signal.SIGINT):
        return told(ended, 0)
    return told(run(working(writers["train"], place / "out", second=True), timeout=200))


CASES: list[Case] = [
    closed_stdout, no_streams, lang_c, file_changed_while_read, thread_raises, few_handles, without_home,
    cache_is_a_file, clock_set_back, sent_away,
]  # fmt: skip
