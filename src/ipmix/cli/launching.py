"""Several processes on this machine for one command (``--processes``): torchrun's launcher, one line where it fails.

torchrun itself prints what every process says, and a page of its own traceback where one of them refuses its input.
"""

import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipmix.core.children import PYTHON
from ipmix.core.errors import InputError
from ipmix.core.ranges import Range, check_range
from ipmix.core.terminal import tell
from ipmix.core.threads import default_threads
from ipmix.core.torchrun import process_count

PROCESSES_MOST = 512

STARTER = "IPMIX_STARTED_BY"
"""The environment's name for the process that waits for this one."""

LAST_LINES = 20

_started = False
"""Whether :func:`in_processes` started this process."""

ENDED = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""Exit codes of a process that was told to end."""


def in_processes(count: int, words: Sequence[str]) -> int:
    """Run ``ipmix WORDS`` in ``count`` processes that work together, the exit code of the one that decided the end.

    The cores are shared out evenly (``OMP_NUM_THREADS``, unless it is set). Only the first process is heard, or the one
    that fails first. Signals are passed on; processes whose starter is gone end as on SIGTERM.
    """
    check_range("--processes", count, Range(1, PROCESSES_MOST))
    if (others := process_count()) > 1:
        raise InputError(
            f"--processes {count} within torchrun: this is one of {others} processes already; leave --processes out"
        )
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in [*logging.root.manager.loggerDict]:  # each of them has a level of its own
        if name.startswith("torch.distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, default_threads() // count)))
    os.environ[STARTER] = str(os.getpid())
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="ipmix-processes-") as logs:
        heard = {rank: Std.NONE if rank == 0 else Std.ALL for rank in range(count)}
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=count, max_restarts=0, run_id="ipmix", rdzv_backend="c10d",
            rdzv_endpoint="localhost:0", logs_specs=DefaultLogsSpecs(log_dir=logs, redirects=heard),
        )  # fmt: skip
        try:
            elastic_launch(config, PYTHON[0])(*PYTHON[1:], "-m", "ipmix", *without_processes(words))
        except ChildFailedError as error:
            return _told(error.failures, Path(logs))
        except SignalException as error:
            tell(f"ipmix: stopped by {signal.Signals(error.sigval).name}\n")
            return 128 + int(error.sigval)
        finally:
            del os.environ[STARTER]
    return 0


def without_processes(words: Sequence[str]) -> list[str]:
    """The words but for ``--processes N`` or ``--processes=N``."""
    kept = []
    rest = iter(words)
    for word in rest:
        if word == "--processes":
            next(rest, None)
        elif not word.startswith("--processes="):
            kept.append(word)
    return kept


def _told(failures: dict[int, Any], logs: Path) -> int:
    """Say what the process that failed first said, if it was not the one that is heard; the exit code."""
    # Times are whole seconds, and the launcher ends those that are left by SIGTERM: they are never the cause.
    rank, failure = min(failures.items(), key=lambda item: (item[1].exitcode in ENDED, item[1].timestamp, item[0]))
    code = int(failure.exitcode)
    if rank != 0:
        said = "".join(path.read_text(errors="replace") for path in sorted(logs.glob(f"*/*/{rank}/stderr.log")))
        heard = failures.get(0)
        if heard is None or heard.exitcode != code:  # the same refusal has been told once
            lines = said.splitlines()[-LAST_LINES:]
            ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            tell("\n".join([f"ipmix: process {rank} {ended}", *lines]) + "\n", lines=True)
    return code if code >= 0 else 128 - code


def end_with_starter() -> None:
    """In a process that :func:`in_processes` started: SIGTERM to itself once its starter is gone."""
    global _started
    starter = os.environ.pop(STARTER, "")
    if starter != str(os.getppid()):
        return
    _started = True

    def watch() -> None:
        while os.getppid() == int(starter):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="ends with its starter").start()


def say_last() -> None:
    """Before a last line: in a process that :func:`in_processes` started, SIGTERM no longer changes its exit code.

    The launcher sends SIGTERM to all as soon as one has ended. A process that has told why it ends would otherwise look
    as if it had been ended from outside, and the starter would tell the same once more.
    """
    if _started and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
