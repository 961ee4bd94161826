"""Where a set's images come from: an array, a folder of image files, or the shards that making wrote."""

import hashlib
import os
import threading
import weakref
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ipmix.core.checking import described
from ipmix.core.errors import InputError
from ipmix.core.files import replacing
from ipmix.data.contents import content_hashes
from ipmix.data.decoding import DEFAULT, DecodeConfig, decode
from ipmix.mixing_set.folder import fit
from ipmix.mixing_set.manifest import MixingSetPlan, place_in_shard


class MixingSource(Protocol):
    """Where a set's images come from."""

    channels: int

    @property
    def identity(self) -> str:
        """A hash of the images: equal for equal sets, wherever they lie."""
        ...

    def __len__(self) -> int: ...

    def image(self, index: int) -> np.ndarray:
        """Image ``index``, 0 <= index < len: uint8[h, w, channels]."""
        ...


def checked_source(source: Any) -> MixingSource:
    """``source`` if it is one; :class:`InputError` for images and paths, with what makes a set of them."""
    if not callable(getattr(type(source), "image", None)):
        raise InputError(
            "a MixingSet is made of images by MixingSet.array(images) or MixingSet.folder(path), got "
            f"{described(source)}"
        )
    found: MixingSource = source
    return found


class ArraySource:
    """Images in one array, uint8[images, h, w, channels], in memory or mapped from ``path``."""

    def __init__(self, images: np.ndarray, path: Path | None = None, identity: str = "") -> None:
        self.images, self.path = images, path
        self.channels = images.shape[3]
        self._identity = identity

    @property
    def identity(self) -> str:
        """A hash of the pixels."""
        if not self._identity:
            content = np.ascontiguousarray(self.images)
            digest = hashlib.sha256(repr(content.shape).encode())
            digest.update(content.data)
            self._identity = digest.hexdigest()
        return self._identity

    def on_file(self, folder: Path) -> "ArraySource":
        """The same images as a file in ``folder``, for another process to map: of arrays that are worth it."""
        if self.path is not None or self.images.nbytes < ON_FILE_FROM:
            return self
        path = folder / f"{self.identity[:32]}.npy"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with replacing(path) as file:
                    np.save(file, self.images)
        except OSError:  # nowhere to write to: sent as they are
            return self
        return ArraySource(self.images, path, self.identity)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            return ArraySource, (self.images, None, self._identity)
        return _array_on_file, (self.path, self._identity)

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> np.ndarray:
        return np.array(self.images[index])


ON_FILE_FROM = 2**20
"""Bytes of an array from which on another process is sent a file's name, not the array."""


def _array_on_file(path: Path, identity: str) -> ArraySource:
    try:
        return ArraySource(np.load(path, mmap_mode="r"), path, identity)
    except Exception as error:  # a header is parsed as Python: damaged ones raise a dozen kinds
        raise InputError(f"{path}, the images of a mixing set from an array, can't be read ({error})") from error


class FolderSource:
    """Image files, decoded when they are asked for."""

    channels = 3

    def __init__(self, paths: list[Path], root: Path, decoding: DecodeConfig = DEFAULT) -> None:
        self.paths, self.root, self.decoding = paths, root, decoding
        self._identity = ""

    @property
    def identity(self) -> str:
        """A hash of the files' bytes, in their order."""
        if not self._identity:
            self._identity = hashlib.sha256(
                self.decoding.mark().encode() + b"".join(content_hashes(self.paths, self.root))
            ).hexdigest()
        return self._identity

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> np.ndarray:
        return np.array(decode(self.paths[index], self.decoding))


class ResizedSource:
    """Another source's images, resized to ``size`` and cropped to a square."""

    def __init__(self, source: MixingSource, size: int) -> None:
        self.source, self.size = source, size
        self.channels = source.channels

    @property
    def identity(self) -> str:
        """A hash of the other's and of the size."""
        return hashlib.sha256(f"{self.source.identity} at {self.size}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> np.ndarray:
        return np.array(fit(self.source.image(index), self.size))


class ArrayFile:
    """A NumPy file, uint8[rows, ...], that is read row by row or mapped.

    Reading rows leaves nothing resident. A map's pages count as the process's memory once they are touched,
    and newer Linux kernels bring in up to 2 MiB around each of them.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.mapped = np.lib.format.open_memmap(self.path, mode="r")
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115  # closed with this object, below
        self._close = weakref.finalize(self, self._file.close)
        self._turn = threading.Lock()

    def __reduce__(self) -> tuple[type["ArrayFile"], tuple[Path]]:
        return ArrayFile, (self.path,)  # to another process goes the name, not the content

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """A copy of the rows ``numbers``: uint8[n, ...]. Safe from many threads and after a fork."""
        out = np.empty((len(numbers), *self.mapped.shape[1:]), np.uint8)
        for row, number in zip(out, numbers):
            place = self.mapped.offset + int(number) * row.nbytes
            if self._read(row, place) != row.nbytes:
                raise InputError(f"{self.path} ends before image {number}; make the set again")
        return out

    def _read(self, row: np.ndarray, place: int) -> int:
        """Fill ``row`` from this place of the file on; how many bytes there were."""
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [row.data], place)
        if hasattr(os, "pread"):  # macOS
            content = os.pread(self._file.fileno(), row.nbytes, place)
            row.reshape(-1)[: len(content)] = np.frombuffer(content, np.uint8)
            return len(content)
        with self._turn:  # Windows: the place to read from belongs to the handle, so one thread at a time
            self._file.seek(place)
            return self._file.readinto(row.data)


class ShardSource:
    """The shards of a set in array files, uint8[images, 3, size, size] each."""

    channels = 3

    def __init__(self, shards: list[ArrayFile]) -> None:
        self.shards = shards
        self._identity = ""

    @property
    def identity(self) -> str:
        """A hash of the files' bytes, in their order."""
        if not self._identity:
            contents = content_hashes([shard.path for shard in self.shards], self.shards[0].path.parent)
            self._identity = hashlib.sha256(b"".join(contents)).hexdigest()
        return self._identity

    def __len__(self) -> int:
        return sum(len(shard.mapped) for shard in self.shards)

    def fits(self, side: int, channels: int) -> bool:
        """Whether the one shard is what planes() must return, as it is."""
        return len(self.shards) == 1 and self.shards[0].mapped.shape[1:] == (channels, side, side)

    def image(self, index: int) -> np.ndarray:
        shard, row = place_in_shard(index, len(self.shards))
        return np.ascontiguousarray(self.shards[shard].rows(np.array([row]))[0].transpose(1, 2, 0))


def open_shard(path: Path, plan: MixingSetPlan) -> ArrayFile:
    expected = (len(plan.numbers()), 3, plan.size, plan.size)
    try:
        shard = ArrayFile(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read ({error}); remove the manifest and make the set again") from error
    if shard.mapped.shape != expected or shard.mapped.dtype != np.uint8:
        got = f"{shard.mapped.dtype}{list(shard.mapped.shape)}"
        raise InputError(f"{path} should hold uint8{list(expected)}, got {got}; make the set again")
    return shard
