"""Progress of long work: a bar on a terminal, plain lines elsewhere. Always on standard error."""

import html
import importlib
import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from ipmix.core.errors import visible
from ipmix.core.terminal import tell

Item = TypeVar("Item")

PLAIN_SECONDS = 10.0
"""Seconds between two plain lines."""

NOTEBOOK_SECONDS = 0.5
"""Seconds between two states of a notebook's bar."""


class Counter(Protocol):
    """What :func:`counting` gives: call it with the number of items that were just finished."""

    def __call__(self, finished: int = 1) -> None: ...


@contextmanager
def counting(description: str, total: int, *, quiet: bool = False) -> Iterator[Counter]:
    """Show how many of ``total`` items are done, with the rate and the time left.

    On a terminal a bar (where rich is installed), in a notebook one in its output (rich's, where ipywidgets is
    installed), elsewhere a plain line every :data:`PLAIN_SECONDS`; work that ends sooner prints nothing there. Yields a
    function to call after each item.
    """
    description = visible(description)
    if quiet:
        yield lambda finished=1: None
    elif in_notebook() and importlib.util.find_spec("ipywidgets") is None:
        with _notebook_line(description, total) as advance:
            yield advance
    elif (sys.stderr.isatty() or in_notebook()) and (bar := terminal_bar(total)) is not None:
        with bar:
            task = bar.add_task(description, total=total)
            yield lambda finished=1: bar.advance(task, finished)
    else:
        yield _PlainLines(description, total)


def tracked(items: Sequence[Item], description: str, *, quiet: bool = False) -> Iterator[Item]:
    """The items one by one, shown as by :func:`counting`."""
    with counting(description, len(items), quiet=quiet) as advance:
        for item in items:
            yield item
            advance()


def counted(count: int, what: str) -> str:
    """A number of things in words: "1 cell", "2 cells"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A duration in words: ``"42 s"``, ``"3 min 20 s"``, ``"2 h 05 min"``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def in_notebook() -> bool:
    """Whether this runs in a notebook, whose output can show more than lines."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ in ("ZMQInteractiveShell", "Shell")  # Jupyter's, and Colab's


@contextmanager
def _notebook_line(description: str, total: int) -> Iterator[Counter]:
    """A bar in a notebook without widgets: one output that is replaced, and gone when the work is done."""
    display: Any = importlib.import_module("IPython.display")
    handle = display.display(display.HTML(""), display_id=True)
    began, shown, done = time.monotonic(), 0.0, 0

    def advance(finished: int = 1) -> None:
        nonlocal shown, done
        done += finished
        now = time.monotonic()
        if handle is None or now - shown < NOTEBOOK_SECONDS:
            return
        shown = now
        left = f", {duration((now - began) / done * (total - done))} left" if done and total else ""
        bar = f'<progress max="{max(total, done, 1)}" value="{done}"></progress>'
        handle.update(display.HTML(f"{html.escape(description)} {bar} {done} of {total}{left}"))

    try:
        yield advance
    finally:
        if handle is not None:
            handle.update(display.HTML(""))


def terminal_bar(total: int | None) -> Any:
    """A rich progress bar on standard error, or None where rich is not installed."""
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        return None
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=Console() if in_notebook() else Console(stderr=True),
        transient=True,
    )


class _PlainLines:
    """The counter for logs and pipes: one line every few seconds, none for short work."""

    def __init__(self, description: str, total: int) -> None:
        self._description, self._total = description, total
        self._done = 0
        self._began = self._last = time.monotonic()

    def __call__(self, finished: int = 1) -> None:
        self._done += finished
        now = time.monotonic()
        if now - self._last < PLAIN_SECONDS or not self._done:
            return
        self._last = now
        line = f"{self._description}: {self._done} of {self._total}"
        if 100 * self._done >= self._total:  # before that the rate is mostly the start's
            left = (now - self._began) / self._done * (self._total - self._done)
            line += f", {duration(left)} left"
        tell(line + "\n")
        sys.stderr.flush()
