"""Counts what a process does to the files below a folder, and at one of these moments dies, fails or takes the folder.

Python's own file objects are replaced by ones that count: opening to write, each write to the system, truncating,
flushing to disk, renaming, removing, making folders. What goes past Python (memory maps, a library's own files) is
not seen; kills at random moments reach that.
"""

import builtins
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KILLED = 137
"""The exit code of a process that SIGKILL ended, as shells tell it."""


@dataclass
class Tracer:
    """What to do at which event below ``watch``.

    Attributes:
        watch: the folder.
        die_at: end the process at this event (from 1), without a word and before it happens.
        torn: where that event is a write, write its first half before.
        room: how many bytes may be written before the disk is full (ENOSPC); None for no end.
        fail_at: from this event on, whatever would change something fails with ``error``.
        error: the number of that error.
        vanish_at: at this event, remove the folder.
        events: what has happened.
    """

    watch: Path
    die_at: int | None = None
    torn: bool = False
    room: int | None = None
    fail_at: int | None = None
    error: int = 0
    vanish_at: int | None = None
    events: list[str] = field(default_factory=list)

    def happens(self, kind: str, name: Any, data: Any = None, write: Callable[[Any], Any] | None = None) -> None:
        path = self._path(name)
        if path is None:
            return
        self.events.append(f"{kind} {path.name}")
        number = len(self.events)
        if number == self.die_at:
            if self.torn and write is not None and len(data) > 1:
                write(memoryview(data).cast("B")[: len(data) // 2])
            os._exit(KILLED)
        if number == self.vanish_at:
            shutil.rmtree(self.watch, ignore_errors=True)
        if self.fail_at is not None and number >= self.fail_at and kind not in ("unlink", "rmdir"):
            raise OSError(self.error, os.strerror(self.error), str(path))
        if data is not None and self.room is not None:
            self.room -= len(memoryview(data).cast("B"))
            if self.room < 0:
                import errno

                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _path(self, name: Any) -> Path | None:
        if isinstance(name, int):
            try:
                name = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                return None
        try:
            path = Path(os.path.abspath(os.fsdecode(name)))
        except TypeError:
            return None
        return path if path == self.watch or self.watch in path.parents else None

    def install(self) -> None:
        """For the rest of this process."""
        real_open = io.open
        tracer = self

        class Counting(io.FileIO):
            def write(self, data: Any) -> int:
                tracer.happens("write", self.fileno(), data, super().write)
                return super().write(data)

            def truncate(self, size: int | None = None) -> int:
                tracer.happens("truncate", self.fileno())
                return super().truncate(size)

        def opened(
            file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
            newline: Any = None, closefd: bool = True, opener: Any = None,
        ) -> Any:  # fmt: skip
            if not set(mode) & set("wax+") or tracer._path(file) is None:
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            if not isinstance(file, int):
                tracer.happens("open", file)
            raw = Counting(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if buffering == 0:
                return raw
            binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return binary
            return io.TextIOWrapper(binary, encoding or "utf-8", errors, newline)

        io.open = builtins.open = opened  # type: ignore[assignment]
        for name in ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fsync", "posix_fallocate", "symlink"):
            if hasattr(os, name):
                setattr(os, name, self._counted(name, getattr(os, name)))
        system_open = os.open

        def low_open(path: Any, flags: int, *more: Any, **options: Any) -> int:
            if flags & (os.O_CREAT | os.O_TRUNC):
                tracer.happens("open", path)
            return system_open(path, flags, *more, **options)

        os.open = low_open

    def _counted(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            place = arguments[1] if kind in ("replace", "rename") else arguments[0]
            if not os.path.isabs(os.fsdecode(place) if not isinstance(place, int) else "/") and "dir_fd" in options:
                place = Path(os.readlink(f"/proc/self/fd/{options['dir_fd']}")) / os.fsdecode(place)
            self.happens(kind, place)
            return function(*arguments, **options)

        return counted
