"""SIGTERM, SIGHUP (the terminal is gone) and Ctrl-C during training: finish the step, save, then stop."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ipmix.core.terminal import tell

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Whether a signal has come. A second one stops the process at once."""

    def __init__(self, resumable: bool) -> None:
        self._resumable = resumable
        self._signal: int | None = None
        self._before: dict[int, object] = {}

    @property
    def asked(self) -> bool:
        """A signal asks for the end."""
        return self._signal is not None

    def obey(self, wished: bool, folder: Path | None) -> None:
        """Leave if this or another process was asked to; the state is saved."""
        if not wished:
            return
        if folder is not None and self._resumable:
            with suppress(OSError):  # the terminal may be what has ended
                tell(f"stopped; the state is saved in {folder}: the same command with --resume goes on\n")
                sys.stderr.flush()
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + (self._signal or signal.SIGTERM))

    def _note(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}


@contextmanager
def interruption(*, resumable: bool = True) -> Iterator[Interruption]:
    """Take the signals over for a while (outside the main thread Python can't: nothing changes).

    ``resumable``: whether the words at the end may name --resume. A SIGHUP that is ignored (nohup) stays so.
    """
    state = Interruption(resumable)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue
            state._before[number] = signal.signal(number, state._note)
    try:
        yield state
    finally:
        state._restore()
