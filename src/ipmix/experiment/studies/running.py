"""Many cells: those that are missing, some at a time, each in a process of one thread; interrupted, all can go on.

Two one-thread processes side by side do 1.6 times the work of one process with two threads, and a single thread's
sums do not depend on how many processors there are.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from ipmix.core.children import PYTHON
from ipmix.core.errors import visible
from ipmix.core.files import LOCK, FileLock
from ipmix.core.progress import counted, duration
from ipmix.core.terminal import tell
from ipmix.experiment.studies.results import Job

ONE_THREAD = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
"""What tells libraries how many threads to start; one that the user has set stays."""

STOPPING_SECONDS = 60.0
"""How long cells may take to save their state after Ctrl-C."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or the system, ended the work; everything can go on later."""


@dataclass
class Running:
    """A cell at work in another process."""

    job: Job
    process: "subprocess.Popen[bytes]"
    log: Path
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Ended:
    """How a cell ended: without a reason, well."""

    job: Job
    seconds: float
    reason: str | None = None


def run_jobs(
    todo: Sequence[Job],
    out: Path,
    words: Sequence[str],
    *,
    jobs: int,
    threads: int = 1,
    quiet: bool = False,
) -> list[Ended]:
    """Carry out jobs in processes; how those ended that did not end well.

    Args:
        todo: the jobs, in order.
        out: the folder of results.
        words: further words for ``ipmix reproduce run`` in each process: data, device and the like.
        jobs: how many at a time.
        threads: of each process.
        quiet: show no progress.

    Raises:
        Stopped: by Ctrl-C or SIGTERM, after all processes have saved their state and ended.
    """
    waiting = list(todo)
    running: list[Running] = []
    failed: list[Ended] = []
    display = _Display(len(todo), quiet)
    try:
        with _terminating(), display:
            while waiting or running:
                while waiting and len(running) < jobs:
                    job = waiting.pop(0)
                    if _is_held(job.work(out)):
                        display.done()
                        display.line(f"{job.name}: another process is at it; left to that one")
                        continue
                    running.append(_started(job, out, words, threads))
                    display.line(f"{job.name}: begun")
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    ended = _ended(one)
                    display.done()
                    if ended.reason is not None and _is_held(ended.job.work(out)):
                        display.line(f"{ended.job.name}: another process is at it; left to that one")
                        continue
                    display.line(_told(ended))
                    if ended.reason is not None:
                        failed.append(ended)
                display.show([(one.job, stage(one.job, out), time.monotonic() - one.began) for one in running])
                time.sleep(0.2)
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):
            _stop(running, quiet)
        for one in running:  # a second Ctrl-C, or a process that does not end
            one.process.kill()
            one.process.wait()
        raise Stopped from None
    except BaseException:
        _stop(running, True)
        raise
    return failed


def stage(job: Job, out: Path) -> str:
    """How far a cell is that is at work or was interrupted; "" if it has not been begun."""
    run = job.work(out) / "run"
    epochs = job.experiment.training.epochs
    done = 0
    with suppress(OSError):
        done = (run / "metrics.jsonl").read_bytes().count(b'"train_error"')
    if done >= epochs:
        passes = [name for name in job.passes if (job.work(out) / f"measured-{name}").exists()]
        return f"measuring {passes[-1]}" if passes else "measuring"
    if (run / "metrics.jsonl").exists():
        return f"epoch {done + 1} of {epochs}"
    return "starting" if job.work(out).exists() else ""


def is_at_work(job: Job, out: Path) -> bool:
    """Whether a process is at this cell now."""
    return _is_held(job.work(out))


def _started(job: Job, out: Path, words: Sequence[str], threads: int) -> Running:
    log = job.log(out)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *PYTHON, "-m", "ipmix", "reproduce", "run", job.source, "--scale", job.scale, "--cells", job.cell,
        "--seeds", str(job.seed), "--out", str(out), "--here", *words,
    ]  # fmt: skip
    settings = {name: str(threads) for name in ONE_THREAD if name not in os.environ}
    with log.open("ab") as file:
        # A group of its own: Ctrl-C reaches this process alone, which then lets each cell save its state.
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    return Running(job, process, log)


def _ended(one: Running) -> Ended:
    seconds = time.monotonic() - one.began
    if one.process.returncode == 0:
        one.log.unlink(missing_ok=True)
        return Ended(one.job, seconds)
    lines: list[str] = []
    with suppress(OSError):
        lines = [line for line in one.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    last = lines[-1].removeprefix("ipmix: ") if lines else "it said nothing (out of memory?)"
    return Ended(one.job, seconds, f"{last} (exit code {one.process.returncode}; {one.log})")


def _told(ended: Ended) -> str:
    if ended.reason is None:
        return f"{ended.job.name}: done in {duration(ended.seconds)}"
    return f"{ended.job.name}: FAILED after {duration(ended.seconds)}: {ended.reason}"


def _stop(running: Sequence[Running], quiet: bool) -> None:
    """Let every process save its state and end."""
    if running and not quiet:
        tell("\nstopping: each cell saves its state; the same command goes on\n", lines=True)
        sys.stderr.flush()
    for one in running:
        with suppress(OSError):
            one.process.terminate()
    ending = time.monotonic() + STOPPING_SECONDS
    for one in running:
        try:
            one.process.wait(max(0.1, ending - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()


def _is_held(folder: Path) -> bool:
    """Whether another process holds a folder by :func:`ipmix.core.files.alone`."""
    if not (folder / LOCK).exists():
        return False
    try:
        FileLock(folder / LOCK, wait=False).release()
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM (a cluster's end of time) and SIGHUP (the terminal is gone) are as Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {}
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if number is None or signal.getsignal(number) == signal.SIG_IGN:  # nohup: it is to go on
            continue
        with suppress(ValueError):  # not the main thread
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Display:
    """On a terminal a bar and the cells at work; elsewhere a line when a cell begins and ends."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._total, self._quiet, self._done = total, quiet, 0
        self._live: Any = None
        self._began = time.monotonic()

    def __enter__(self) -> "_Display":
        if not self._quiet and sys.stderr.isatty():
            with suppress(ImportError):
                from rich.console import Console
                from rich.live import Live

                self._live = Live(console=Console(stderr=True), refresh_per_second=2, transient=True)
                self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def line(self, text: str) -> None:
        if self._quiet:
            return
        text = visible(f"[{self._done}/{self._total}] {text}")
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            tell(text + "\n")
            sys.stderr.flush()

    def done(self) -> None:
        self._done += 1

    def show(self, rows: Sequence[tuple[Job, str, float]]) -> None:
        if self._live is None:
            return
        from rich.text import Text

        lines = [f"{self._done} of {counted(self._total, 'cell')}, {duration(time.monotonic() - self._began)}"]
        lines += [f"  {job.name}: {what or 'starting'}, {duration(seconds)}" for job, what, seconds in rows]
        self._live.update(Text("\n".join(lines)))
