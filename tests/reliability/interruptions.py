"""Kills at random moments, crashes at every event, full disks, folders that are read-only or vanish, two at once."""

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from tests.reliability import harness
from tests.reliability.harness import Ended, Part, contents, differences, leftovers, run
from tests.reliability.tracer import KILLED, Tracer
from tests.reliability.writers import Writer, working

Place = TypeVar("Place")

THREADS = (1, 2, 4)


class Bench:
    """A writer with what an undisturbed run of it gives.

    The first run is forked from a process that has compiled nothing; then the writer runs once here, so that what is
    forked later finds its kernels loaded. Both give the same bytes.
    """

    def __init__(self, writer: Writer, folder: Path) -> None:
        self.writer, self.folder = writer, folder
        self._counts: dict[int, int] = {}
        whole, tracer = folder / "whole" / "out", Tracer(folder / "whole")
        (whole if writer.file else whole.parent).mkdir(parents=True)
        ended = run(working(writer, whole), tracer=tracer, timeout=500)  # kernels may be compiled
        if ended.code:
            raise RuntimeError(f"{writer.name} undisturbed ended with {ended.code}: {ended.text[-2000:]}")
        self.expected, self.events = self.contents(whole), tracer.events
        harness.warm(working(writer, self.fresh()))
        seconds = []
        for _ in range(3):
            again = self.fresh()
            seconds.append(run(working(writer, again)).seconds)
            if told := differences(self.contents(again), self.expected):
                raise RuntimeError(f"{writer.name} gives other bytes the second time: {told}")
        self.seconds = sorted(seconds)[1]

    def contents(self, out: Path) -> dict[str, str]:
        """What is there, without the clock's figures."""
        return contents(out, self.writer.ignore, self.writer.without)

    def fresh(self, job: int = 0) -> Path:
        """A folder's name that nothing has yet; the one that this job had before is removed."""
        count = self._counts.get(job, 0)
        shutil.rmtree(self.folder / f"out-{job}-{count}", ignore_errors=True)
        self._counts[job] = count + 1
        out = self.folder / f"out-{job}-{count + 1}" / "out"
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


def kills(bench: Bench, count: int, seed: int = 0, jobs: int = 1) -> Part:
    """SIGKILL at a random moment of the whole run; each number of a try has its own moment, from ``seed`` on."""
    part = Part(f"kill: {bench.writer.name}", "SIGKILL at a random moment, then the same command", seed=seed)

    def one(part: Part, number: int, job: int) -> None:
        out, delay = bench.fresh(job), float(np.random.default_rng((5, number)).uniform(0, 1.05 * bench.seconds))
        ended = run(working(bench.writer, out), kill_after=delay)
        part.count("before its end", ended.code == -signal.SIGKILL)
        part.tried += 1
        if ended.code == 0 and bench.writer.again:  # it was quicker: nothing to go on with
            return
        bench.goes_on(part, out, f"kill {number} after {delay:.3f} s")

    return harness.carry_out(part, range(seed, seed + count), one, jobs=jobs)


def crashes(bench: Bench, most: int | None, seed: int = 0, jobs: int = 1) -> Part:
    """The end at each opening, write, flush, renaming, removing; writes also torn in the middle.

    Without a limit all of them from ``seed`` on, and first one of each different event: where the time ends it, those
    were tried.
    """
    part = Part(f"crash: {bench.writer.name}", "the process ends at an event, then the same command", seed=seed)
    events = bench.events
    places = [(number, torn) for number, event in enumerate(events, 1)
              for torn in ((False, True) if event.startswith("write ") else (False,))]  # fmt: skip
    order = _different_first(events, places)

    def one(part: Part, place: tuple[int, bool], job: int) -> None:
        number, torn = place
        out = bench.fresh(job)
        ended = run(working(bench.writer, out), tracer=Tracer(out.parent, die_at=number, torn=torn))
        part.tried += 1
        what = f"event {number} ({events[number - 1]}{', torn' * torn})"
        if part.check(ended.code in (KILLED, 0), f"{what}: ended with {ended.code}: {ended.text[-300:]}"):
            bench.goes_on(part, out, what)

    different = len({(events[number - 1], torn) for number, torn in places})
    return _in_order(part, order, one, most, jobs, different=different, spread=places)


def steps(bench: Bench, most: int | None, seed: int = 0, jobs: int = 1) -> Part:
    """The end after each file that was put in its place, then the same command on 1, 2 or 4 threads."""
    part = Part(
        f"step: {bench.writer.name}", "ended after a finished file, gone on with on 1, 2 or 4 threads", seed=seed
    )
    done = [number for number, event in enumerate(bench.events, 1) if event.startswith(("replace ", "rename "))]
    places = [(number, THREADS[(place + turn) % 3]) for turn in range(3) for place, number in enumerate(done)]
    if not bench.writer.threads:
        places = [(number, 0) for number in done]

    def one(part: Part, place: tuple[int, int], job: int) -> None:
        number, threads = place
        out = bench.fresh(job)
        ended = run(working(bench.writer, out), tracer=Tracer(out.parent, die_at=number + 1))
        part.tried += 1
        what = f"after event {number} ({bench.events[number - 1]}), {threads or 'its own'} threads"
        if part.check(ended.code in (KILLED, 0), f"{what}: ended with {ended.code}: {ended.text[-300:]}"):
            bench.goes_on(part, out, what, threads=threads)

    part.notes.append(f"{len(done)} finished files")
    return _in_order(part, places, one, most, jobs, different=len(done), spread=places)


def full_disk(bench: Bench, offsets: int, seed: int = 0, jobs: int = 1) -> Part:
    """No room after so many bytes (ENOSPC), and files that must not grow larger than so many (EFBIG)."""
    part = Part(
        f"full disk: {bench.writer.name}", "no room after so many bytes, then the same command with room", seed=seed
    )
    sizes = {"disk": _bytes(bench.folder / "whole" / "out"), "file": _largest(bench.folder / "whole" / "out")}
    beside = seed * 0.6180339887 % 1.0  # between the offsets of another seed; 0 for 0

    def one(part: Part, place: tuple[str, int], job: int) -> None:
        kind, number = place
        room = int(sizes[kind] * (number + beside) / offsets)
        out = bench.fresh(job)
        if kind == "disk":
            ended = run(working(bench.writer, out), tracer=Tracer(out.parent, room=room))
        else:
            ended = run(_limited(working(bench.writer, out), room))
        part.tried += 1
        what = f"{kind} of {room} bytes"
        bench.refused_cleanly(part, ended, what)
        left = [name for name in leftovers(out.parent) if name.endswith(".part")]
        part.check(not left, f"{what}: left behind {left}")
        bench.goes_on(part, out, what)

    tries = [(kind, number) for number in range(offsets) for kind in sizes]
    return harness.carry_out(part, tries, one, jobs=jobs)


def bad_folders(bench: Bench, places: int, seed: int = 0, jobs: int = 1) -> Part:
    """From some event on the folder can't be written to (EACCES, EROFS, EIO), or it is gone."""
    part = Part(
        f"folder: {bench.writer.name}", "a folder that becomes read-only, fails or vanishes in the middle", seed=seed
    )
    count = len(bench.events)

    def one(part: Part, place: tuple[int, int | None], job: int) -> None:
        number, kind = place
        out = bench.fresh(job)
        tracer = Tracer(out.parent, vanish_at=number) if kind is None else Tracer(
            out.parent, fail_at=number, error=kind)  # fmt: skip
        ended = run(working(bench.writer, out), tracer=tracer)
        part.tried += 1
        what = f"{'vanished' if kind is None else errno.errorcode[kind]} at event {number}"
        bench.refused_cleanly(part, ended, f"{what} ({bench.events[number - 1]})")
        (out if bench.writer.file else out.parent).mkdir(parents=True, exist_ok=True)
        bench.goes_on(part, out, what)

    tries = [(1 + (i + seed) % count, kind) for i in _spread(count, places)
             for kind in (errno.EACCES, errno.EROFS, errno.EIO, None)]  # fmt: skip
    return harness.carry_out(part, tries, one, jobs=jobs)


def two_at_once(bench: Bench, count: int, seed: int = 0, jobs: int = 1) -> Part:
    """The same command twice in one folder: one of both may be refused, what is there in the end is whole."""
    part = Part(f"two at once: {bench.writer.name}", "the same command twice at once in one folder", seed=seed)

    def one(part: Part, number: int, job: int) -> None:
        out = bench.fresh(job)
        files = [out.parent / f"terminal-{i}" for i in range(2)]
        children = []
        for i in range(2):  # the second somewhat later, from both at once to one when the other is nearly done
            time.sleep(i * bench.seconds * (number % 10) / 10)
            children.append(harness.start(working(bench.writer, out, second=bool(i)), files[i]))
        both = [harness.wait(child, file) for child, file in zip(children, files)]
        part.tried += 1
        for ended in both:
            bench.refused_cleanly(part, ended, f"pair {number}")
        part.check(any(ended.code == 0 for ended in both), f"pair {number}: both refused: {both[0].text[-200:]}")
        told = differences(bench.contents(out), bench.expected)
        part.check(not told, f"pair {number}: other bytes: {told}")
        part.check(not leftovers(out), f"pair {number}: left behind {leftovers(out)}")

    return harness.carry_out(part, range(seed, seed + count), one, jobs=jobs)


def signals(bench: Bench, count: int, seed: int = 0, jobs: int = 1) -> Part:
    """SIGINT (once and twice), SIGTERM and SIGHUP at random moments."""
    part = Part(
        f"signal: {bench.writer.name}", "SIGINT, SIGINT twice, SIGTERM or SIGHUP, then the same command", seed=seed
    )

    def one(part: Part, number: int, job: int) -> None:
        sent = ((signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,))[number % 4]
        out = bench.fresh(job)
        child = harness.start(working(bench.writer, out), out.parent / "terminal")
        time.sleep(float(np.random.default_rng((6, number)).uniform(0.05, bench.seconds + 0.05)))
        for each in sent:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, each)
            time.sleep(0.01)
        ended = harness.wait(child, out.parent / "terminal", timeout=30)
        part.tried += 1
        part.count("before its end", ended.code != 0)
        what = f"{'+'.join(each.name for each in sent)} {number}"
        part.check(
            "Traceback" not in ended.text and ended.code != harness.HUNG, f"{what}: {ended.code} {ended.text[-300:]}"
        )
        if ended.code == 0 and bench.writer.again:
            return
        bench.goes_on(part, out, what)

    return harness.carry_out(part, range(seed, seed + count), one, jobs=jobs)


def _in_order(
    part: Part,
    order: Sequence[Place],
    one: Callable[[Part, Place, int], None],
    most: int | None,
    jobs: int,
    *,
    different: int,
    spread: Sequence[Place],
) -> Part:
    """The rest of ``order`` from the part's seed on, or ``most`` of ``spread``, evenly; the part says which."""
    begin = part.seed % max(1, len(order))
    chosen = order[begin:] if most is None else [spread[i] for i in _spread(len(spread), most)]
    harness.carry_out(part, chosen, one, jobs=jobs)
    tried = sorted(order.index(place) for place in chosen[: part.tried])
    ranges: list[list[int]] = []
    for i in tried:
        if ranges and ranges[-1][1] == i:
            ranges[-1][1] = i + 1
        else:
            ranges.append([i, i + 1])
    part.order = {"of": len(order), "different": different, "tried": ranges}
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
