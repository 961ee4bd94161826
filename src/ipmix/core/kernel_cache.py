"""Machine code kept on disk by Numba, and made anew when a source file that it may come from has changed.

Numba compares a compiled function's own file with what it was compiled from, not the files of what it calls or of the
numbers it reads: after an edit or a ``git pull`` in an editable installation, the kernel would be the old one. So all
files of the function's package, of ``core`` and of ``recipe`` count too, which is what kernels are made from (a test
says so): their times and sizes, looked at once for each package, in less than a millisecond.

What lies in that folder is run when it is loaded: a folder that others may write to is not used
(:func:`ipmix.core.folders.why_unsafe`), and neither is none at all; kernels are then compiled in each process, which a
warning says once. ``NUMBA_CACHE_DIR`` names another folder.

This leans on Numba from the inside; a version without what is needed compares the one file, as it always did.
"""

import functools
import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numba
from numba.core import config

from ipmix.core.errors import InputError
from ipmix.core.folders import why_unsafe

PACKAGE = Path(__file__).parents[1]

SHARED = ("core", "recipe")
"""Packages that kernels of all packages are made from."""


def kept(function: Callable[..., Any], **options: Any) -> Any:
    """``numba.njit(**options)(function)``, kept on disk for as long as the sources stay as they are.

    Not kept where there is no folder for it that only this user may write to.
    """
    if getattr(config, "DISABLE_JIT", False):
        raise InputError(
            "NUMBA_DISABLE_JIT is set, and kernels of ipmix say what only compiled code can do: unset it for ipmix"
        )
    if problem := _problem_of_named(getattr(config, "CACHE_DIR", "") or ""):  # before Numba makes folders in it
        _tell_once(problem)
        return numba.njit(**options)(function)
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        _tell_once("no folder can be written to")
        return numba.njit(**options)(function)
    if problem := _problem(str(getattr(made.stats, "cache_path", None) or "")):
        _tell_once(problem)
        return numba.njit(**options)(function)
    cache: Any = getattr(made, "_cache", None)
    file: Any = getattr(cache, "_cache_file", None)
    if hasattr(file, "_source_stamp"):
        top, _, rest = function.__module__.partition(".")
        own = rest.partition(".")[0] if top == PACKAGE.name else ""
        file._source_stamp = file._source_stamp, sources_stamp(own)
    if options.get("_nrt") is False and all(hasattr(cache, name) for name in _LOADING):
        cache.load_overload = functools.partial(_load, cache)
    if hasattr(cache, "save_overload"):
        cache.save_overload = functools.partial(_save, cache.save_overload)
    return made


def _save(save: Callable[[Any, Any], None], signature: Any, code: Any) -> None:
    """Keep machine code, or say once that it can't be: it is there for this process all the same."""
    try:
        save(signature, code)
    except OSError as error:  # a full disk, a folder that has gone
        _tell_once(f"{error.strerror or error} ({error.filename})" if error.filename else str(error))


_LOADING = "load_overload", "_load_overload", "_guard_against_spurious_io_errors"


def _load(cache: Any, signature: Any, context: Any) -> Any:
    """What ``cache.load_overload`` does, but for its first act: to make Numba ready for compiling, 0.35 s.

    Whoever compiles does that anyway. Machine code that makes no arrays needs nothing of it.
    """
    with cache._guard_against_spurious_io_errors():
        return cache._load_overload(signature, context)


def lies_on_disk(function: Any, arguments: Sequence[Any]) -> bool:
    """Whether a function that :func:`kept` made has its machine code for arguments of these types on disk.

    False too where that can't be told: nothing is kept, or Numba keeps it in another way than is known here.
    """
    try:
        cache, signature = function._cache, tuple(function.typeof_pyval(argument) for argument in arguments)
        files = cache._cache_file
        name = files._load_index().get(cache._index_key(signature, function.targetctx.codegen()))
        return name is not None and os.path.exists(files._data_path(name))  # Numba writes the index first
    except (AttributeError, TypeError, OSError):
        return False


def where_kept() -> tuple[Path | None, str]:
    """The folder that kernels are kept in; None where they aren't, and why not."""

    def sample() -> None: ...

    if problem := _problem_of_named(getattr(config, "CACHE_DIR", "") or ""):
        return None, problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            folder = str(numba.njit(cache=True)(sample).stats.cache_path)
        except RuntimeError:
            return None, "no folder can be written to"
    problem = _problem(folder)
    return (None, problem) if problem else (Path(folder), "")


def are_kept() -> bool:
    """Whether no kernel has been refused a folder so far."""
    return not _tell_once.cache_info().currsize


@functools.cache
def _problem(folder: str) -> str:
    """Why kernels must not be taken from a folder; empty if they may."""
    return why_unsafe(Path(folder)) if folder else ""


def _problem_of_named(folder: str) -> str:
    """The same for the folder of ``NUMBA_CACHE_DIR``; Numba takes another without a word where it can't be used."""
    return (_problem(folder) or _unwritable(folder)) if folder else ""


@functools.cache
def _unwritable(folder: str) -> str:
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"NUMBA_CACHE_DIR is {folder!r}, where no file can be written ({error.strerror or error})"


@functools.cache
def _tell_once(problem: str) -> None:
    warnings.warn(
        f"compiled kernels are not kept: {problem}. Every process compiles them anew; NUMBA_CACHE_DIR can name a "
        "folder of your own",
        stacklevel=4,
    )


@functools.cache
def sources_stamp(own: str) -> str:
    """A word that changes when a source file of package ``own`` or of :data:`SHARED` does."""
    names = sorted({own, *SHARED} - {""})
    seen = sorted(stamp for name in names for stamp in _stamps(str(PACKAGE / name)))
    return hashlib.blake2b(repr(seen).encode(), digest_size=8).hexdigest()


def _stamps(folder: str) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # a module rather than a package, or an archive: Numba's own stamp has to do
        return
    for entry in entries:
        if entry.name.endswith(".py"):
            found = entry.stat()
            yield os.path.relpath(entry.path, PACKAGE), found.st_mtime_ns, found.st_size
        elif not entry.name.startswith(("_", ".")) and entry.is_dir():
            yield from _stamps(entry.path)
