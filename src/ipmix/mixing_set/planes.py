"""A set's images at one size, as the engines read them: made once, kept in memory or in a file of the cache.

Planes of every size that images can have would fill the disk. So it can also be asked whether a size pays, and single
images can be resized without keeping anything; the bytes are the same.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.files import FileLock
from ipmix.core.folders import CACHE_VARIABLE, cache_folder
from ipmix.core.threads import default_threads
from ipmix.mixing_set.folder import fit
from ipmix.mixing_set.making import new_array_file
from ipmix.mixing_set.manifest import Entry
from ipmix.mixing_set.sources import ArrayFile, ArraySource, MixingSource, ShardSource
from ipmix.mixing_set.verifying import refuse_changed

AT_ONCE, FIRST_AT_ONCE = 16 * 2**20, 128 * 2**20
"""Bytes of planes that always pay, and of a process's first: 480 images for 224 pixels are 90 MiB."""

MEMORY_MOST = 256 * 2**20
"""Bytes of planes kept in memory; larger ones stay in a file in the cache, from which single images are read."""

BLOCK = 64
"""Images that are resized together: what making the planes of a large set takes in memory."""

PlanesKey = tuple[int, int]
"""The side of planes, and their channels."""


class Planes:
    """The planes of one source of images, of each size that was asked for. Safe to use from many threads.

    Args:
        source: the images.
        cache: the folder for files, by default the user's cache folder for ipmix.
        expected: gives what the pixels of each image must hash to, or nothing; called once, when it is first needed.
    """

    def __init__(
        self, source: MixingSource, cache: str | os.PathLike[str] | None, expected: Callable[[], Sequence[Entry]]
    ) -> None:
        self._source, self._cache, self._expected = source, cache, expected
        self._made: dict[PlanesKey, np.ndarray | ArrayFile] = {}
        self._hashes: Sequence[Entry] | None = None
        self._lock = threading.Lock()

    def made(self, key: PlanesKey) -> np.ndarray | ArrayFile:
        """The planes, uint8[images, channels, side, side]; made and kept where they are not there yet."""
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(key)
        return self._made[key]

    def pay(self, key: PlanesKey, used: int) -> bool:
        """Whether planes are there, take little room, or would have saved ``used`` single images' resizing by now."""
        shape = self._shape(key)
        with self._lock:
            if key in self._made:
                return True
            most = AT_ONCE if self._made else FIRST_AT_ONCE
        if self._is_native(key) or prod(shape) <= most or self._file(shape).exists():
            return True
        return used >= len(self._source) and prod(shape) <= self._free() // 2

    def resized(self, number: int, key: PlanesKey) -> np.ndarray:
        """One image as it is in planes: uint8[channels, side, side]."""
        side, channels = key
        if self._hashes is None:
            self._hashes = self._expected()
        pixels = self._source.image(number)
        if self._hashes:
            refuse_changed(pixels, self._hashes[number])
        image = fit(pixels, side)
        if channels == 1 and self._source.channels == 3:
            image = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
        return image.transpose(2, 0, 1)

    def _shape(self, key: PlanesKey) -> tuple[int, int, int, int]:
        side, channels = key
        return len(self._source), channels, side, side

    def _is_native(self, key: PlanesKey) -> bool:
        """Whether the set's own file has its images so."""
        return isinstance(self._source, ShardSource) and self._source.fits(*key)

    def _make(self, key: PlanesKey) -> np.ndarray | ArrayFile:
        source, shape = self._source, self._shape(key)
        if isinstance(source, ShardSource) and source.fits(*key):
            return source.shards[0]
        if prod(shape) > MEMORY_MOST:
            return self._mapped(key)
        if not (isinstance(source, ArraySource) and source.path is None):
            with suppress(InputError):  # nowhere to write to: in memory, each process by itself
                return self._mapped(key).mapped.view(np.ndarray)
        planes = np.empty(shape, np.uint8)
        for start, block in self._blocks(key):
            planes[start : start + len(block)] = block
        return planes

    def _blocks(self, key: PlanesKey) -> Iterator[tuple[int, np.ndarray]]:
        """The planes in order, some at a time: (number of the first, uint8[n, channels, side, side])."""
        count = len(self._source)
        with ThreadPoolExecutor(default_threads()) as pool:
            for start in range(0, count, BLOCK):
                images = list(pool.map(partial(self.resized, key=key), range(start, min(start + BLOCK, count))))
                yield start, np.ascontiguousarray(np.stack(images))

    def _folder(self) -> Path:
        return cache_folder(self._cache) / "planes"

    def _file(self, shape: Sequence[int]) -> Path:
        return self._folder() / f"{self._source.identity[:32]}-{'x'.join(map(str, shape))}.npy"

    def _free(self) -> int:
        """Free bytes where planes are kept; 0 where that can't be known."""
        folder = self._folder()
        with suppress(OSError, InputError):
            return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir())).free
        return 0

    def _mapped(self, key: PlanesKey) -> ArrayFile:
        file = self._file(self._shape(key))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                # Workers that begin together: one makes them, the others wait and map them.
                with FileLock(file.parent / f".{file.name}.lock") as lock:
                    if not file.exists():
                        self._write(file, key)
                    lock.release(remove=True)
        except OSError as error:
            raise InputError(
                f"can't write the resized mixing images to {file.parent}: {error.strerror or error}; free some "
                f"space, or name another folder with cache= or the environment variable {CACHE_VARIABLE}"
            ) from error
        return ArrayFile(file)

    def _write(self, path: Path, key: PlanesKey) -> None:
        shape = self._shape(key)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            partial_file = Path(scratch) / path.name
            new_array_file(partial_file, shape)
            # Written, not mapped: pages of a map count as memory until they are on disk.
            with open(partial_file, "r+b") as file:
                file.seek(-prod(shape), os.SEEK_END)
                for _, block in self._blocks(key):
                    file.write(block.data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial_file, path)
