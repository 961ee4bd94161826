"""Folders to keep things in: whether others may write to them, and where there is room for a cache."""

import atexit
import functools
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ipmix.core.errors import InputError
from ipmix.core.files import real, refuse_zero_byte
from ipmix.core.terminal import tell

CACHE_VARIABLE = "IPMIX_CACHE_DIR"
"""The environment variable that names the folder for what ipmix keeps: mixing sets, resized ones, CIFAR."""


def why_unsafe(folder: Path) -> str:
    """Why somebody else could put files into a folder, or put another in its place; empty if nobody can.

    Nobody can if it belongs to this user, to the system's administrator or to whoever owns the source code (who could
    change that just as well), and only the owner may write to it and to the folders above it. A group that this user
    is alone in counts as the user; in a folder above with the sticky bit (``/tmp``) others can't rename what isn't
    theirs. Systems without such permissions are trusted.
    """
    if not hasattr(os, "getuid"):  # Windows
        return ""
    path = folder.absolute()
    while not path.exists():
        path = path.parent
    owners = {0, os.getuid(), Path(__file__).stat().st_uid}
    for place in (real(path), *real(path).parents):
        found = place.stat()
        if found.st_uid not in owners:
            return f"{place} belongs to another user (number {found.st_uid})"
        if place != real(path) and found.st_mode & stat.S_ISVTX:
            continue
        if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid)):
            return f"others may write to {place} (chmod go-w {place})"
    return ""


def cache_folder(cache: str | os.PathLike[str] | None = None) -> Path:
    """The folder for what can be made again: ``cache``, :data:`CACHE_VARIABLE`'s, or ipmix's in the user's cache.

    Where none is named and the user's can't be written to (no home in a container, a read-only one), a temporary
    folder of this process, which is gone when it ends; a line on stderr says so once.

    Raises:
        InputError: there is no place for a temporary folder either, or :data:`CACHE_VARIABLE` names what is no folder
            and can't be made one. A folder that others filled and this user only reads will do.
    """
    if cache is not None:
        refuse_zero_byte(cache)
        return Path(cache)
    folder = lasting_cache_folder()
    if named := os.environ.get(CACHE_VARIABLE):
        try:
            Path(named).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = "there is a file" if isinstance(error, FileExistsError) else error.strerror
            raise InputError(
                f"{CACHE_VARIABLE} names {named}, which can't be made a folder ({reason}): name another there, or "
                "unset it"
            ) from None
    elif folder is not None:
        try:  # what the permissions say is not all: some places (/proc) take nothing from anybody
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            folder = None
    return folder or _temporary(str(_usual()), os.getpid())


def lasting_cache_folder() -> Path | None:
    """The folder of :data:`CACHE_VARIABLE`, or ipmix's in the user's cache; None if that can't be written to."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    return usual if can_be_written(usual := _usual()) and usual.is_absolute() else None


def _usual() -> Path:
    """Ipmix's folder in the user's cache; not an absolute one where there is no home to be found."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("ipmix", appauthor=False))


def can_be_written(folder: Path) -> bool:
    """Whether this user may write to a folder, or make it where there is none yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def takes_files(folder: Path) -> bool:
    """Whether a file can be made in a folder, by making one; nothing of it stays.

    What the permissions say is not all: some places (/proc) take nothing from anybody.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()


@functools.cache
def _temporary(instead_of: str, process: int) -> Path:
    """A folder of one process; a forked child asks for its own, and doesn't remove its parent's."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="ipmix-"))
    except OSError as error:
        raise InputError(
            f"{instead_of} can't be written to, and neither can a temporary folder ({error.strerror or error}); name "
            f"one by the environment variable {CACHE_VARIABLE}"
        ) from None

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    os.environ[CACHE_VARIABLE] = str(folder)  # the processes that this one starts keep their things there too
    tell(
        f"{instead_of} can't be written to: what is made is kept in {folder} until the end of this process; "
        f"{CACHE_VARIABLE} names a folder that stays\n"
    )
    return folder


@functools.cache
def _is_own_group(number: int) -> bool:
    """Whether this user is alone in a group: many systems give each user one, and let it write."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return number == user.pw_gid and set(group.gr_mem) <= {user.pw_name} and group.gr_name in (user.pw_name, "root")
