"""Writing that never costs data: a reader sees the old file or the whole new one, nothing between."""

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ipmix.core.errors import InputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; when the block ends well, flush it to disk and put it in place.

    If the block raises, ``path`` is untouched and the temporary file is removed. The folder must exist.

    >>> with replacing("figures.json") as file:
    ...     file.write(b"{}")
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"can't write {target}: the folder {target.parent} does not exist; create it first")
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Replace ``path`` by ``content`` (UTF-8) in one step.

    What isn't text in it, from a file's name that is not UTF-8, is written as an escape (``\\udce9``).
    """
    write_bytes(path, content.encode(errors="backslashreplace"))


def refuse_existing(path: str | os.PathLike[str], *, force: bool) -> None:
    """Raise :class:`InputError` if ``path`` exists and ``force`` is not set."""
    if not force and os.path.lexists(path):
        raise InputError(f"{path} exists already; choose another name, or pass --force to replace it")


class FileLock:
    """A file that one process at a time holds; the system lets go of it when the process ends, however that is.

    Attributes:
        path: the file. It is made where there is none, and stays.

    Raises:
        BlockingIOError: somebody else holds it, and ``wait`` is not set.

    >>> with FileLock("folder/.lock"):  # doctest: +SKIP
    ...     ...  # nobody else is here
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: bool = True) -> None:
        self.path = Path(path)
        self._file = self.path.open("a+b")
        try:
            while not _try_lock(self._file, wait):
                if not wait:
                    raise BlockingIOError(errno.EAGAIN, "another process holds the lock", str(self.path))
                time.sleep(0.05)
        except BaseException:
            self._file.close()
            raise

    def release(self) -> None:
        """Let go of it; more than once does no harm."""
        self._file.close()

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _try_lock(file: BinaryIO, wait: bool) -> bool:
    """Lock an open file until it is closed; False if somebody else has it (with ``wait``, only on Windows)."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _umask() -> int:
    # The mask can only be read by setting it; mkstemp's own 0600 would hide results from a group.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
