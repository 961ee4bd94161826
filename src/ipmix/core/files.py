"""Writing that never costs data: a reader sees the old file or the whole new one, nothing between."""

import errno
import glob
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ipmix.core.errors import InputError, plain

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
"""Of errors that say that a file finds no room."""

LOCK = ".lock"
"""The file of :func:`alone`."""


@contextmanager
def replacing(path: str | os.PathLike[str], *, scratch: str | os.PathLike[str] | None = None) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; when the block ends well, flush it to disk and put it in place.

    If the block raises, ``path`` is untouched and the temporary file is removed; one that a killed process left behind
    is removed by :func:`sweep`. The folder must exist. The file has the permissions of any new file.

    Args:
        path: the file.
        scratch: the folder for the temporary file, on the same disk; by default the file's own.

    Raises:
        InputError: the folder does not exist.
        OSError: as writing raises it; where the disk is full, it names ``path``.

    >>> with replacing("figures.json") as file:
    ...     file.write(b"{}")
    """
    target = Path(path)
    refuse_no_folder(target)
    # A name of its own among others it keeps, so that it is swept with its file; that may be as long as names can be.
    beside = (target.parent, target.name) if scratch is None else (Path(scratch), "new")
    try:
        file, temporary = _temporary(*beside)
    except OSError as error:
        error.filename = str(target)  # nobody knows of the other
        raise
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "posix":  # as long as the file is open, nobody sweeps it away
                os.replace(temporary, target)
        if os.name != "posix":  # Windows moves no open file
            os.replace(temporary, target)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            error.filename = str(target)
        raise


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files of :func:`replacing` in a folder whose writers have died; nothing below it."""
    _sweep(Path(folder), ".*.part")


def _sweep(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        with suppress(OSError):  # somebody's who lives, or not ours to remove
            _remove_if_dead(path)


def reserve(file: BinaryIO, size: int) -> None:
    """Make an open file ``size`` bytes long, with all its space taken where the system can do that.

    A disk too small for it shows here, as an error, and not hours later.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except AttributeError:  # Windows, macOS
        file.truncate(size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # a file system that can't
            raise
        file.truncate(size)


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
    """Raise :class:`InputError` if ``path`` exists and ``force`` is not set, or is no file that could be replaced.

    What a killed process left half written of that file is removed.
    """
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; expected the name of a file to write")
    if not force and os.path.lexists(path):
        raise InputError(f"{path} exists already; choose another name, or pass --force to replace it")
    if os.path.islink(path):  # the link itself would be replaced, and what it leads to stay as it was
        raise InputError(f"{path} is a link to {os.readlink(path)}; name that file, or remove the link")
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path} is a pipe or a device; expected the name of a file to write")
    _sweep(Path(path).parent, f".{glob.escape(Path(path).name)}.*.part")


def refuse_no_folder(path: str | os.PathLike[str]) -> None:
    """Raise :class:`InputError` if the folder in which ``path`` is to be written does not exist."""
    refuse_zero_byte(path)
    folder = Path(path).parent
    if not folder.is_dir():
        raise InputError(f"can't write {path}: the folder {folder} does not exist; create it first")


def refuse_zero_byte(path: str | os.PathLike[str]) -> None:
    """Raise :class:`InputError` if a path can't be one: the system's names end at a zero byte."""
    if "\0" in os.fspath(path):
        raise InputError(f"{plain(repr(os.fspath(path)), most=80)} holds a zero byte, which no name has")


def real(path: str | os.PathLike[str]) -> Path:
    """The path without links, absolute; of one that leads round in a circle as far as it goes (no error)."""
    refuse_zero_byte(path)
    return Path(os.path.realpath(path))


def leads_nowhere(path: str | os.PathLike[str]) -> str:
    """The link in a path that leads to nothing or back to itself, as the middle of a message; empty if there is none.

    The system says "File exists" or "Too many levels of symbolic links" of one.
    """
    for place in (Path(path), *Path(path).parents):
        with suppress(OSError, ValueError):
            if place.is_symlink() and not os.path.exists(place):
                return f"{place} is a link that leads {'to itself' if _is_loop(place) else 'nowhere'}"
    return ""


def _is_loop(link: Path) -> bool:
    try:
        os.stat(link)
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def no_file(path: str | os.PathLike[str]) -> str:
    """Why there is no ordinary file of this name, as the beginning of a message."""
    if os.path.isdir(path):
        return f"{path} is a folder"
    if os.path.exists(path):
        return f"{path} is no ordinary file but a device or a pipe"
    return f"there is no file {path}"


class FileLock:
    """A file that one process at a time holds; the system lets go of it when the process ends, however that is.

    Attributes:
        path: the file. It is made where there is none, and stays.

    Raises:
        BlockingIOError: somebody else holds it, and ``wait`` is not set.
        InputError: it is a link: locking it would make or touch a file elsewhere.

    >>> with FileLock("folder/.lock"):  # doctest: +SKIP
    ...     ...  # nobody else is here
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: bool = True) -> None:
        self.path = Path(path)
        while True:
            self._file = _opened_here(self.path)
            try:
                while not _try_lock(self._file, wait):
                    if not wait:
                        raise BlockingIOError(errno.EAGAIN, "another process holds the lock", str(self.path))
                    time.sleep(0.05)
            except BaseException:
                self._file.close()
                raise
            if _is_at(self._file.fileno(), self.path):
                return
            self._file.close()  # the holder before removed it, and with it what was waited for

    def release(self, *, remove: bool = False) -> None:
        """Let go of it, and with ``remove`` leave no file behind; more than once does no harm."""
        if remove and not self._file.closed:
            with suppress(OSError):  # Windows removes no open file: there it stays
                self.path.unlink()
        self._file.close()

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def make_within(root: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Make a folder somewhere in ``root``, and those in between.

    Raises:
        FileNotFoundError: ``root`` is gone. Made anew, it would hold the rest of a set without its beginning.
    """
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        if folder.parent == Path(root):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root)) from None
        make_within(root, folder.parent)
        folder.mkdir(exist_ok=True)


@contextmanager
def alone(folder: str | os.PathLike[str], *, within: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Be the only process that works in a folder; what killed ones left half written there is removed first.

    The folder is made where there is none; if nothing has been written to it in the end, it is removed again. Whoever
    holds it has a file ``.lock`` in it. One ``within`` another folder is only made where that is there.

    Raises:
        InputError: another process holds it, or it is no folder; or what the block did failed since it was removed.
    """
    refuse_zero_byte(folder)
    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        if within is None:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            make_within(within, folder)
        lock = FileLock(folder / LOCK, wait=False)
    except (FileExistsError, NotADirectoryError):
        there = leads_nowhere(folder)
        reason = there or f"{folder} can't be a folder, for there is a file"
        raise InputError(f"{reason}; {'remove it, or ' if there else ''}choose another name") from None
    except BlockingIOError:
        raise InputError(
            f"another process is writing to {folder}; wait until it has ended, or choose another folder"
        ) from None
    except OSError as error:
        reason = leads_nowhere(folder) or str(error.strerror)
        raise InputError(f"can't write to the folder {folder} ({reason}); choose another") from None
    try:
        sweep(folder)
        yield
    except (InputError, OSError):
        # Whatever was missed first: this is why, and made anew it would hold the rest of a work without its beginning.
        for place in (folder if within is None else Path(within), folder):
            if not place.is_dir():
                raise InputError(f"{place} was removed while it was written to; the same command begins anew") from None
        raise
    finally:
        lock.release(remove=True)
        for path in made:
            with suppress(OSError):  # it holds something
                path.rmdir()


def refuse_links(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Raise :class:`InputError` if one of these folders in an output folder is a link, or holds one to a folder.

    What is written must stay where it was asked for: a link that somebody left there would lead it elsewhere.
    ``folder`` itself may be one.
    """
    for name in names:
        place = Path(folder, name)
        inside = (Path(at, inner) for at, inners, _ in os.walk(place) for inner in inners)
        for path in (place, *inside) if place.is_symlink() else inside:
            if path.is_symlink():
                raise InputError(f"{path} is a link, and what is written there would go elsewhere: remove the link")


def is_beside(path: Path) -> bool:
    """Whether a file is only what writing needs: a lock, or a file that a killed process left half written."""
    return path.name == LOCK or (path.name.startswith(".") and path.suffix == ".part")


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


def _opened_here(path: Path) -> BinaryIO:
    """The file opened to append, made where there is none; never what a link leads to."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.fdopen(os.open(path, flags, 0o666), "a+b")
    except OSError as error:
        if error.errno == errno.ELOOP or path.is_symlink():
            raise InputError(f"{path} is a link; it should be a file of its own: remove it") from None
        raise


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=True))
    except FileNotFoundError:
        return False


def _temporary(folder: Path, name: str) -> tuple[BinaryIO, Path]:
    """A new file, locked while it is open: what :func:`sweep` can lock is nobody's any more."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    while True:
        path = folder / f".{name}.{secrets.token_hex(4)}.part"
        try:
            descriptor = os.open(path, flags, 0o666)  # less the process's mask, which the system takes off
        except FileExistsError:
            continue
        file = os.fdopen(descriptor, "wb")
        if _lock_temporary(descriptor) and _is_at(descriptor, path):
            return file, path
        file.close()  # swept away between its making and its locking


def _lock_temporary(descriptor: int) -> bool:
    """Lock it where that is needed (an open file can't be removed on Windows) and can be done."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: there, nothing is swept
        return True
    return True


def _remove_if_dead(path: Path) -> None:
    """Remove a temporary file; OSError if its writer lives."""
    try:
        import fcntl
    except ImportError:
        path.unlink()  # Windows removes no open file
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
