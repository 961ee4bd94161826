"""Kills at random moments, crashes at every event, full disks, folders that are read-only or vanish, two at once."""

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.reliability import harness
from tests.reliability.harness import Ended, Part, contents, differences, leftovers, run
from tests.reliability.tracer import KILLED, Tracer
from tests.reliability.writers import Writer, working

THREADS = (1, 2, 4)


class Bench:
    """A writer with what an undisturbed run of it gives."""

    def __init__(self, writer: Writer, folder: Path) -> None:
        self.writer, self.folder = writer, folder
        self._count = 0
        whole, tracer = folder / "whole" / "out", Tracer(folder / "whole")
        (whole if writer.file else whole.parent).mkdir(parents=True)
        ended = run(working(writer, whole), tracer=tracer, timeout=500)  # kernels may be compiled
        if ended.code:
            raise RuntimeError(f"{writer.name} undisturbed ended with {ended.code}: {ended.text[-2000:]}")
        self.expected, self.events = self.contents(whole), tracer.events
        again = self.fresh()
        ended = run(working(writer, again))
        self.seconds = ended.seconds
        if told := differences(self.contents(again), self.expected):
            raise RuntimeError(f"{writer.name} gives other bytes the second time: {told}")

    def contents(self, out: Path) -> dict[str, str]:
        """What is there, without the clock's figures."""
        return contents(out, self.writer.ignore, self.writer.without)

    def fresh(self) -> Path:
        """A folder's name that nothing has yet; the one before is removed."""
        shutil.rmtree(self.folder / f"out-{self._count}", ignore_errors=True)
        self._count += 1
        out = self.folder / f"out-{self._count}" / "out"
        (out if self.writer.file else out.parent).mkdir(parents=True)
        return out

    def goes_on(self, part: Part, out: Path, what: str, *, threads: int = 0) -> None:
        """The same command after a fault must end well, with the same bytes and nothing left behind."""
        ended = run(working(self.writer, out, second=True, threads=threads))
        if part.check(ended.code == 0, f"{what}: then ended with {ended.code}: {ended.text[-400:]}"):
            told = differences(self.contents(out), self.expected)
            part.check(not told, f"{what}: other bytes: {told}")
            left = leftovers(out)
            part.check(not left, f"{what}: left behind {left}")

    def refused_cleanly(self, part: Part, ended: Ended, what: str) -> None:
        """A fault that the process lives to tell: one line, no traceback, no hang."""
        part.check(ended.is_clean, f"{what}: ended with {ended.code}: {ended.text[-400:]}")
        part.check(ended.code == 0 or ended.text.strip() != "", f"{what}: ended with {ended.code} without a word")


def kills(bench: Bench, count: int, seed: int = 0) -> Part:
    """SIGKILL at a random moment of the whole run."""
    part = Part(f"kill: {bench.writer.name}", "SIGKILL at a random moment, then the same command")
    draws, landed = np.random.default_rng(seed), 0
    for number in range(count):
        if not part.more():
            break
        out, delay = bench.fresh(), float(draws.uniform(0, 1.05 * bench.seconds))
        ended = run(working(bench.writer, out), kill_after=delay)
        landed += ended.code == -signal.SIGKILL
        part.tried += 1
        if ended.code == 0 and bench.writer.again:  # it was quicker: nothing to go on with
            continue
        bench.goes_on(part, out, f"kill {number} after {delay:.3f} s")
    part.notes.append(f"{landed} of {part.tried} before its end")
    return part


def crashes(bench: Bench, most: int | None) -> Part:
    """The end at each opening, write, flush, renaming, removing; writes also torn in the middle.

    Without a limit all of them, and first one of each different event: where the time ends it, those were tried.
    """
    part = Part(f"crash: {bench.writer.name}", "the process ends at an event, then the same command")
    places = [(number, torn) for number, event in enumerate(bench.events, 1)
              for torn in ((False, True) if event.startswith("write ") else (False,))]  # fmt: skip
    chosen = _different_first(bench.events, places) if most is None else [
        places[i] for i in _spread(len(places), most)]  # fmt: skip
    tried: set[tuple[str, bool]] = set()
    for number, torn in chosen:
        if not part.more():
            break
        tried.add((bench.events[number - 1], torn))
        out = bench.fresh()
        ended = run(working(bench.writer, out), tracer=Tracer(out.parent, die_at=number, torn=torn))
        part.tried += 1
        what = f"event {number} ({bench.events[number - 1]}{', torn' * torn})"
        if part.check(ended.code in (KILLED, 0), f"{what}: ended with {ended.code}: {ended.text[-300:]}"):
            bench.goes_on(part, out, what)
    whole = {(bench.events[number - 1], torn) for number, torn in places}
    part.notes.append(f"{len(places)} places, {len(whole)} of them different, {len(tried)} of these tried")
    return part


def steps(bench: Bench, most: int | None) -> Part:
    """The end after each file that was put in its place, then the same command on 1, 2 or 4 threads."""
    part = Part(f"step: {bench.writer.name}", "ended after a finished file, gone on with on 1, 2 or 4 threads")
    done = [number for number, event in enumerate(bench.events, 1) if event.startswith(("replace ", "rename "))]
    places = [(number, THREADS[(place + turn) % 3]) for turn in range(3) for place, number in enumerate(done)]
    if not bench.writer.threads:
        places = [(number, 0) for number in done]
    for number, threads in places if most is None else [places[i] for i in _spread(len(places), most)]:
        if not part.more():
            break
        out = bench.fresh()
        ended = run(working(bench.writer, out), tracer=Tracer(out.parent, die_at=number + 1))
        part.tried += 1
        what = f"after event {number} ({bench.events[number - 1]}), {threads or 'its own'} threads"
        if part.check(ended.code in (KILLED, 0), f"{what}: ended with {ended.code}: {ended.text[-300:]}"):
            bench.goes_on(part, out, what, threads=threads)
    part.notes.append(f"{len(done)} finished files")
    return part


def full_disk(bench: Bench, offsets: int) -> Part:
    """No room after so many bytes (ENOSPC), and files that must not grow larger than so many (EFBIG)."""
    part = Part(f"full disk: {bench.writer.name}", "no room after so many bytes, then the same command with room")
    sizes = _bytes(bench.folder / "whole" / "out"), _largest(bench.folder / "whole" / "out")
    for place in range(offsets):
        if not part.more():
            break
        for kind, size in zip(("disk", "file"), sizes):
            room = size * place // offsets
            out, full = bench.fresh(), None
            if kind == "disk":
                full = Tracer(out.parent, room=room)
                ended = run(working(bench.writer, out), tracer=full)
            else:
                ended = run(_limited(working(bench.writer, out), room))
            part.tried += 1
            what = f"{kind} of {room} bytes"
            bench.refused_cleanly(part, ended, what)
            left = [name for name in leftovers(out.parent) if name.endswith(".part")]
            part.check(not left, f"{what}: left behind {left}")
            bench.goes_on(part, out, what)
    return part


def bad_folders(bench: Bench, places: int) -> Part:
    """From some event on the folder can't be written to (EACCES, EROFS, EIO), or it is gone."""
    part = Part(f"folder: {bench.writer.name}", "a folder that becomes read-only, fails or vanishes in the middle")
    for number in (1 + i for i in _spread(len(bench.events), places)):
        if not part.more():
            break
        for kind in (errno.EACCES, errno.EROFS, errno.EIO, None):
            out = bench.fresh()
            tracer = Tracer(out.parent, vanish_at=number) if kind is None else Tracer(
                out.parent, fail_at=number, error=kind)  # fmt: skip
            ended = run(working(bench.writer, out), tracer=tracer)
            part.tried += 1
            what = f"{'vanished' if kind is None else errno.errorcode[kind]} at event {number}"
            bench.refused_cleanly(part, ended, f"{what} ({bench.events[number - 1]})")
            (out if bench.writer.file else out.parent).mkdir(parents=True, exist_ok=True)
            bench.goes_on(part, out, what)
    return part


def two_at_once(bench: Bench, count: int) -> Part:
    """The same command twice in one folder: one of both may be refused, what is there in the end is whole."""
    part = Part(f"two at once: {bench.writer.name}", "the same command twice at once in one folder")
    for number in range(count):
        if not part.more():
            break
        out = bench.fresh()
        files = [out.parent / f"terminal-{i}" for i in range(2)]
        children = [harness.start(working(bench.writer, out, second=bool(i)), files[i]) for i in range(2)]
        both = [harness.wait(child, file) for child, file in zip(children, files)]
        part.tried += 1
        for ended in both:
            bench.refused_cleanly(part, ended, f"pair {number}")
        part.check(any(ended.code == 0 for ended in both), f"pair {number}: both refused: {both[0].text[-200:]}")
        told = differences(bench.contents(out), bench.expected)
        part.check(not told, f"pair {number}: other bytes: {told}")
        part.check(not leftovers(out), f"pair {number}: left behind {leftovers(out)}")
    return part


def signals(bench: Bench, count: int) -> Part:
    """SIGINT (once and twice), SIGTERM and SIGHUP at random moments."""
    part = Part(f"signal: {bench.writer.name}", "SIGINT, SIGINT twice, SIGTERM or SIGHUP, then the same command")
    draws = np.random.default_rng(1)
    for number in range(count):
        if not part.more():
            break
        sent = ((signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,))[number % 4]
        out = bench.fresh()
        child = harness.start(working(bench.writer, out), out.parent / "terminal")
        time.sleep(float(draws.uniform(0.05, bench.seconds)))
        for each in sent:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, each)
            time.sleep(0.01)
        ended = harness.wait(child, out.parent / "terminal", timeout=30)
        part.tried += 1
        what = f"{'+'.join(each.name for each in sent)} {number}"
        part.check(
            "Traceback" not in ended.text and ended.code != harness.HUNG, f"{what}: {ended.code} {ended.text[-300:]}"
        )
        if ended.code == 0 and bench.writer.again:
            continue
        bench.goes_on(part, out, what)
    return part


def _limited(work: Callable[[], int], size: int) -> Callable[[], int]:
    def limited() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        # The terminal is a file too: with less room, it could not be told what is wrong.
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(size, 1024),) * 2)
        return work()

    return limited


def _different_first(events: list[str], places: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """The places in their order, but first one of each kind (numbers in names aside), then of each different event."""
    kinds: set[tuple[str, bool]] = set()
    names: set[tuple[str, bool]] = set()
    ranks = []
    for number, torn in places:
        name, kind = (events[number - 1], torn), (re.sub(r"[0-9a-f]{8}|\d+", "#", events[number - 1]), torn)
        ranks.append(0 if kind not in kinds else 1 if name not in names else 2)
        kinds.add(kind)
        names.add(name)
    return [place for _, _, place in sorted(zip(ranks, range(len(places)), places))]


def _spread(count: int, most: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
