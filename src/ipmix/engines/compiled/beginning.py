"""A program's first images while the kernel is being compiled: in NumPy, the same bytes.

A thread compiles; the images meanwhile, up to :data:`MOST` pixels in all (fewer of PRIME's), go through
``numpy_engine.py``. Whatever comes after them waits for the thread, as everything had to before: it is then quicker to
wait. Nothing of this happens where the machine code lies on disk, as it does from the second process on.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ipmix.core.compiling import ASIDE
from ipmix.core.kernel_cache import lies_on_disk
from ipmix.engines.compiled.kernel import apply_range
from ipmix.engines.compiled.rare import Part
from ipmix.engines.numpy_engine import cost
from ipmix.recipe.table import RecipeTable

MOST = 2**20
"""Pixels in all that are worth not waiting for: about a second of 32x32 images, a fifth of one of 224x224."""

Parts = tuple[Part, Part, Part]
"""The last three arguments of ``apply_range``: each set of them is a form of the kernel, compiled by itself."""


class _Beginning:
    """What has been compiled, what is being compiled, and how much has gone the other way."""

    def __init__(self) -> None:
        self.ready: set[Parts] = set()
        self.threads: dict[Parts, threading.Thread] = {}
        self.spent = 0
        self.lock = threading.Lock()


_now = _Beginning()


def goes_in_numpy(table: RecipeTable, arguments: Callable[[], tuple[Any, ...]], parts: Parts) -> bool:
    """Whether these recipes should not wait for the kernel; if so, it is being compiled from now on.

    arguments: gives what ``apply_range`` takes before ``parts``, with an empty range.
    """
    if parts in _now.ready:
        return False
    with _now.lock:
        thread = _now.threads.get(parts)
        if thread is None:
            signature = (*arguments(), *parts)
            if not hasattr(apply_range, "overloads") or _is_loaded(signature) or lies_on_disk(apply_range, signature):
                _now.ready.add(parts)
                return False
        elif not thread.is_alive():  # done; should it have failed, the next call says why
            _now.ready.add(parts)
            return False
        pixels = cost(table)
        if _now.spent + pixels > MOST:
            return False
        if thread is None:
            thread = _start(signature)
            if thread is None:
                return False
            _now.threads[parts] = thread
        _now.spent += pixels
        return True


def _is_loaded(signature: tuple[Any, ...]) -> bool:
    return tuple(apply_range.typeof_pyval(argument) for argument in signature) in apply_range.overloads


def _start(signature: tuple[Any, ...]) -> threading.Thread | None:
    """A thread that compiles the kernel; None where there can't be one."""
    if _is_ending():  # no more threads are waited for
        return None

    def compile_kernel() -> None:
        try:
            apply_range(*signature)
        except Exception:  # the foreground meets it again, where it can be told to somebody
            return

    # No daemon: the interpreter must not end while LLVM is at work.
    thread = threading.Thread(target=compile_kernel, name=ASIDE, daemon=False)
    try:
        thread.start()
        threading.Thread(target=_say_at_the_end, args=(thread,), name="ipmix telling", daemon=True).start()
    except RuntimeError:  # the machine has no more threads to give, or the program is at its end
        return thread if thread.is_alive() else None
    return thread


def _say_at_the_end(thread: threading.Thread) -> None:
    """When the program is done, or has been stopped, and its end takes long: say why it doesn't come back."""
    threading.main_thread().join()
    thread.join(1.0)
    if thread.is_alive():
        # Not by sys.stderr: its lock must not be held by a thread that the interpreter's end cuts off.
        os.write(
            2, b"ipmix: the program is done, and its end waits for the kernel (seconds; the next start finds it)\n"
        )


def _is_ending() -> bool:
    """Whether the program itself is done, and this is called by what Python calls at its end (``atexit``).

    Python says so nowhere. While the main thread runs a program, the outermost of its calls is a module's.
    """
    if not threading.main_thread().is_alive():
        return True
    if threading.current_thread() is not threading.main_thread():
        return False
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_name != "<module>"


def wait_from_now_on() -> None:
    """Let every image of this process wait for the kernel: for who measures it, or compares it with others."""
    with _now.lock:
        _now.spent = MOST


def wait() -> None:
    """Return when nothing is being compiled here any more."""
    for thread in list(_now.threads.values()):
        if thread is not threading.current_thread():
            thread.join()


def _renew_lock() -> None:
    _now.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads, but would have the locks that they hold: Numba's own, and this one.
    os.register_at_fork(before=wait, after_in_child=_renew_lock)
