"""Commands in processes of their own: forked from one that has everything loaded, so that a start costs nothing."""

import contextlib
import ctypes
import gc
import hashlib
import json
import math
import multiprocessing
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tests.reliability.tracer import Tracer

Try = TypeVar("Try")

_ends = math.inf
"""When the part that runs has had its time; see :func:`allow`."""

HUNG = 124
"""The exit code of a run that did not end in time."""

TIME_UP = "ended when its time was up"

LEFTOVERS = (".part", ".lock", ".unfinished-")


@dataclass
class Ended:
    """How a run ended: its code (negative for a signal), all it wrote to the terminal, its seconds."""

    code: int
    text: str
    seconds: float

    @property
    def is_clean(self) -> bool:
        """No traceback, no crash, no hang; a refusal or a full disk is told in one line."""
        return self.code in (0, 1, 2, 130) and "Traceback" not in self.text


@dataclass
class Part:
    """What was tried and what went wrong, for the record.

    Attributes:
        name: of the part.
        what: what one try is, in a few words.
        tried: how often.
        faults: what went wrong, each in a line.
        notes: what is to be said besides.
        counts: figures besides that add up, "before its end" -> 190.
        seed: where its tries begin: other tries than those of another seed.
        order: places in a fixed order of which some are tried: {"of": how many, "different": how many of them, from
            the first on, "tried": [[first, end], ...]}; empty where tries are drawn.
    """

    name: str
    what: str
    tried: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    seed: int = 0
    order: dict[str, Any] = field(default_factory=dict)

    def more(self) -> bool:
        """Whether there is time for another try; where there is none, a note says that the part was cut short."""
        if time.monotonic() < _ends:
            return True
        if TIME_UP not in self.notes:
            self.notes.append(TIME_UP)
        return False

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def check(self, good: bool, fault: str) -> bool:
        if not good:
            self.faults.append(" ".join(fault.split())[:600])
            sys.stderr.write(f"FAULT {self.name}: {self.faults[-1]}\n")
        return good


def allow(minutes: float | None) -> None:
    """From now on, this long for a part, whatever the number of its tries; None for as long as it takes."""
    global _ends
    _ends = math.inf if minutes is None else time.monotonic() + 60.0 * minutes


def minutes_left() -> float | None:
    """What is left of the time of the part that runs; None for as long as it takes."""
    return None if _ends == math.inf else max(0.0, _ends - time.monotonic()) / 60.0


def in_turn(cases: Sequence[Try], count: int, seed: int) -> list[Try]:
    """At most ``count`` of the cases, each once, from number ``seed`` on; after the last comes the first."""
    return [cases[(seed + i) % len(cases)] for i in range(min(count, len(cases)))]


def load_everything() -> None:
    """Import what commands import, before forking: a child then starts in milliseconds."""
    import importlib

    import torch

    torch.set_num_threads(1)
    for name in (
        "ipmix", "ipmix.augmentation.batches", "ipmix.cli.main", "ipmix.cli.words", "ipmix.experiment.run",
        "ipmix.experiment.config_file", "ipmix.evaluation.evaluating", "ipmix.evaluation.evidence",
        "ipmix.corruptions.test_sets.writing", "ipmix.corruptions.test_sets.beginning", "ipmix.mixing_set.making",
        "ipmix.report.exports", "ipmix.training.loop", "ipmix.models.loading", "ipmix.cli.sheet",
        "ipmix.experiment.studies.carrying_out", "ipmix.experiment.studies.running",
        "accelerate.tracking", "accelerate.state", "safetensors.torch", "yaml", "jinja2", "torchvision",
    ):  # fmt: skip
        importlib.import_module(name)
    for name in ("augment", "corrupt", "evaluate", "experiment", "mixing_set", "report", "reproduce", "score", "train"):
        importlib.import_module(f"ipmix.cli.commands.{name}")


def warm(work: Callable[[], int | None]) -> None:
    """Do ``work`` in this process, its words thrown away: what it loads is then there in each process forked later.

    Compiled kernels above all, which a command spends more time loading than working with.
    """
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        code = work()
    if code:
        raise RuntimeError(f"what was to be warmed up ended with {code}")
    gc.collect()
    gc.freeze()  # the search for garbage would copy every page to each child


def carry_out(part: Part, tries: Sequence[Try], one: Callable[[Part, Try, int], None], *, jobs: int = 1) -> Part:
    """``one(part, try, job)`` for each of the tries, in their order, while there is time.

    With several jobs in as many processes, each of which takes the next that nobody has taken; what they found is put
    together. A job that dies is a fault.
    """
    if jobs == 1 or len(tries) < 2:
        for each in tries:
            if not part.more():
                break
            one(part, each, 0)
        return part
    taken = multiprocessing.get_context("fork").Value("q", 0)

    def work(job: int, found: Path) -> int:
        own = Part(part.name, part.what)
        while own.more():
            with taken.get_lock():
                number = taken.value
                taken.value += 1
            if number >= len(tries):
                break
            one(own, tries[number], job)
        found.write_text(json.dumps(vars(own)))
        return 0

    with scratch() as folder:
        files = [folder / str(job) for job in range(jobs)]
        children = [start(partial(work, job, file), Path(f"{file}-told")) for job, file in enumerate(files)]
        for child, file in zip(children, files):
            ended = wait(child, Path(f"{file}-told"), timeout=None)
            if not part.check(ended.code == 0 and file.exists(), f"a job ended with {ended.code}: {ended.text[-400:]}"):
                continue
            own = Part(**json.loads(file.read_text()))
            part.tried += own.tried
            for fault in own.faults:
                part.check(False, fault)
            part.notes += [note for note in own.notes if note not in part.notes]
            for what, number in own.counts.items():
                part.count(what, number)
    return part


def start(work: Callable[[], int | None], output: Path, *, tracer: Tracer | None = None) -> int:
    """Fork a process that does ``work`` with its terminal in a file; gives its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (until the process ends)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        _end_with_parent()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if tracer is not None:
            tracer.install()
        code = work() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        if tracer is not None:
            Path(f"{output}.events").write_bytes("\n".join(tracer.events).encode(errors="backslashreplace"))
        os._exit(code & 0xFF)
    return 0


def wait(child: int, output: Path, *, timeout: float | None = 120.0) -> Ended:
    """Until the process has ended, or hung for so long that it is ended; None waits for ever."""
    began, hung = time.monotonic(), False
    with _handle(child) as handle:
        if not select.select([handle], [], [], timeout)[0]:
            os.kill(child, signal.SIGKILL)
            hung = True
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    return Ended(HUNG if hung else code, text, time.monotonic() - began)


@contextlib.contextmanager
def _handle(child: int) -> Iterator[int]:
    handle = os.pidfd_open(child)
    try:
        yield handle
    finally:
        os.close(handle)


def _end_with_parent() -> None:
    """SIGKILL for this process when the one that forked it ends: a part that is stopped leaves nothing running."""
    parent_death_signal = 1
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


def run(
    work: Callable[[], int | None],
    *,
    tracer: Tracer | None = None,
    kill_after: float | None = None,
    timeout: float = 120.0,
) -> Ended:
    """Do ``work`` in a forked process; ``kill_after``: SIGKILL it after so many seconds, unless it has ended."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        output = Path(file.name)
    try:
        child = start(work, output, tracer=tracer)
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        ended = wait(child, output, timeout=timeout)
        events = Path(f"{output}.events")
        if tracer is not None and events.exists():
            tracer.events = events.read_text().splitlines()
            events.unlink()
        return ended
    finally:
        output.unlink(missing_ok=True)


def command(*words: object) -> Callable[[], int]:
    """``ipmix WORDS``."""

    def work() -> int:
        from ipmix.cli.main import main

        return main([str(word) for word in words])

    return work


def contents(folder: Path, ignore: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file below a folder with a hash of its bytes; empty folders too. JSON without those keys."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name in ignore:
            continue
        if path.is_dir():
            if not any(path.iterdir()):
                found[name] = "an empty folder"
        else:
            content = path.read_bytes()
            if without and path.suffix == ".json":
                content = json.dumps(_less(json.loads(content), without)).encode()
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _less(value: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _less(one, keys) for key, one in value.items() if key not in keys}
    return [_less(one, keys) for one in value] if isinstance(value, list) else value


def leftovers(folder: Path) -> list[str]:
    """What only writing needs and nobody should find afterwards."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if any(word in path.name for word in LEFTOVERS) and path.name != "run.lock"
    ]


def differences(found: dict[str, str], expected: dict[str, str]) -> str:
    """Where two contents differ, in words; empty if they don't."""
    missing = sorted(expected.keys() - found.keys())
    more = sorted(found.keys() - expected.keys())
    other = sorted(name for name in found.keys() & expected.keys() if found[name] != expected[name])
    told = [
        f"{word} {', '.join(names[:4])}"
        for word, names in (("missing", missing), ("more", more), ("other", other))
        if names
    ]
    return "; ".join(told)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the time being."""
    with tempfile.TemporaryDirectory(prefix="reliability-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
