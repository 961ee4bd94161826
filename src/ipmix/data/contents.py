"""What a set of images holds, as a hash: its files' content, their names and their labels.

A file's content is hashed once and found again while the file is unchanged: by its device, inode, size, and the times
of the last change of its content and of its inode. A program can set the first of these times back, never the second.
So an image that was changed in place is noticed whatever was done to hide it, and a folder that was copied, renamed or
touched is read anew and found to be the same.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from ipmix.core.errors import InputError
from ipmix.core.files import write_bytes
from ipmix.core.folders import lasting_cache_folder
from ipmix.core.progress import counting
from ipmix.core.threads import default_threads
from ipmix.data.datasets import ArrayDataset, FileDataset

SETTLED_SECONDS = 2.0
"""A file that was changed so shortly before could change once more within one tick of its times: not remembered."""

SHOWN_FROM = 20_000
"""Files to read from which progress is shown."""

_WIDTH = 16
"""Bytes of a hash, of a content and of a file's status."""
_FORGOTTEN = 4
"""A folder's memory is cut down to the files asked for when it has grown to so many times as many."""
_AT_ONCE = 2**20


def digest_of(dataset: ArrayDataset | FileDataset) -> str:
    """A hash (SHA-256, hex) of a set's images and their labels, in their order.

    Of files it holds the bytes and the names from the class folder on: not the root's name, nor any time.

    Raises:
        InputError: a file can't be read.
    """
    if isinstance(dataset, ArrayDataset):
        digest = hashlib.sha256(repr(dataset.images.shape).encode())
        digest.update(np.ascontiguousarray(dataset.images).data)
        digest.update(np.ascontiguousarray(dataset.labels).data)
        return digest.hexdigest()
    digest = hashlib.sha256(f"{len(dataset)} files\n".encode())
    contents = content_hashes(dataset.paths, dataset.root or dataset.paths[0].parent)
    for path, label, content in zip(dataset.paths, dataset.labels.tolist(), contents, strict=True):
        name = path.relative_to(dataset.root) if dataset.root else Path(path.parent.name, path.name)
        digest.update(os.fsencode(name.as_posix()) + f"\0{label}\0".encode() + content)
    return digest.hexdigest()


def content_hashes(paths: Sequence[Path], root: Path) -> list[bytes]:
    """A hash (BLAKE2b, 16 bytes) of each file's bytes; of unchanged files without reading them a second time.

    Args:
        paths: the files.
        root: the folder that they belong to; each has a memory of its own, in the user's cache folder. Where that can't
            be written, all is read each time.

    Raises:
        InputError: a file can't be read.
    """
    memory = _Memory(root)
    with ThreadPoolExecutor(default_threads()) as pool:
        statuses = list(pool.map(_status, paths, chunksize=256))
        unknown = [place for place, (key, _) in enumerate(statuses) if key not in memory.known]
        begun = time.time()
        read = dict.fromkeys(unknown, b"")
        with counting(f"hashing {root}", len(unknown), quiet=len(unknown) < SHOWN_FROM) as advance:
            for place, content in zip(unknown, pool.map(_content, (paths[place] for place in unknown))):
                read[place] = content
                advance()
    hashes = [read[place] if place in read else memory.known[key] for place, (key, _) in enumerate(statuses)]
    settled = [changed < begun - SETTLED_SECONDS for _, changed in statuses]
    if any(settled[place] for place in unknown):
        memory.keep({key: content for (key, _), content, is_old in zip(statuses, hashes, settled) if is_old})
    return hashes


class _Memory:
    """The hashes of a folder's files, by their status; a damaged or missing one knows nothing."""

    def __init__(self, root: Path) -> None:
        self.known: dict[bytes, bytes] = {}
        self._path: Path | None = None
        if os.name == "nt":  # Windows tells when a file was made, not when its inode was changed last
            return
        if (folder := lasting_cache_folder()) is None:
            return
        with suppress(OSError):
            name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:32]
            self._path = folder / "contents" / name
            check, rows = np.split(np.fromfile(self._path, np.uint8), [_WIDTH])
            if len(rows) % (2 * _WIDTH) == 0 and check.tobytes() == _short(rows.tobytes()):
                pairs = rows.reshape(-1, 2, _WIDTH)
                self.known = {key.tobytes(): content.tobytes() for key, content in pairs}

    def keep(self, found: dict[bytes, bytes]) -> None:
        if self._path is None:
            return
        together = {**self.known, **found}
        if len(together) > _FORGOTTEN * len(found) + SHOWN_FROM:
            together = found
        rows = b"".join(key + content for key, content in together.items())
        with suppress(OSError, InputError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self._path, _short(rows) + rows)


def _status(path: Path) -> tuple[bytes, float]:
    """What tells a file's states apart, and when it was changed last, in seconds."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror or error})") from None
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _short(repr(state).encode()), max(found.st_mtime, found.st_ctime)


def _content(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=_WIDTH)
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_AT_ONCE):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror or error})") from None
    return digest.digest()


def _short(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_WIDTH).digest()
