"""Images for evaluation, read in parts: whole sets in memory, or folders that would not fit there."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.decoding import BrokenImage, open_image, pixels_of, square


class ImageSource(Protocol):
    """Labelled images that can be read a slice at a time."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    def read(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images uint8[n, H, W, C] of ``start .. stop-1``, and the positions int64[n] of those read."""
        ...

    def fingerprint(self) -> str:
        """A hash that changes when the images or their labels do."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """A set that is already decoded."""

    dataset: ArrayDataset

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        return self.dataset.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.dataset.labels

    def read(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        return self.dataset.images[start:stop], np.arange(start, min(stop, len(self.dataset)))

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.dataset.images.shape).encode())
        digest.update(np.ascontiguousarray(self.dataset.images).data)
        digest.update(np.ascontiguousarray(self.dataset.labels).data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class OnDisk:
    """A folder of images, each decoded when its part is due.

    Attributes:
        files: the images.
        size: the side of the square they are brought to; None keeps them as they are (all the same then).
        crop: the share of the shorter side that is kept: 0.875 brings it to ``size / 0.875`` and keeps the
            centre, as ImageNet's protocol does (256 and 224).
        skip_broken: pass over images that can't be decoded.
        trim: pixels that are cut off each side of the file's image first (ObjectNet's red frame is 2 wide).
    """

    files: FileDataset
    size: int | None = None
    crop: float = 1.0
    skip_broken: bool = False
    trim: int = 0

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"an image's size is at least 1 pixel, got {self.size}")
        if not 0.0 < self.crop <= 1.0:
            raise InputError(f"crop is a share of the side in (0, 1], got {self.crop}")
        if self.trim < 0:
            raise InputError(f"trim is a number of pixels, 0 or more, got {self.trim}")

    @property
    def name(self) -> str:
        return self.files.name

    @property
    def classes(self) -> tuple[str, ...]:
        return self.files.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.files.labels

    def read(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        places = range(start, min(stop, len(self.files)))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(self._attempt, places))
        images: list[NDArray[np.uint8]] = []
        kept: list[int] = []
        for place, image in zip(places, found):
            if isinstance(image, BrokenImage):
                if not self.skip_broken:
                    raise InputError(f"{image}, or pass --skip-broken to go on without it")
                continue
            if images and image.shape != images[0].shape:
                raise InputError(
                    f"images differ in size: {self.files.paths[kept[0]]} is {_sides(images[0])}, "
                    f"{self.files.paths[place]} is {_sides(image)}; pass --size to bring all to one"
                )
            images.append(image)
            kept.append(place)
        stacked = np.stack(images) if images else np.zeros((0, 1, 1, 3), np.uint8)
        return stacked, np.array(kept, np.int64)

    def fingerprint(self) -> str:
        form = f"{self.size} {self.crop}{f' {self.trim}' if self.trim else ''}{self.files.decoding.mark()}"
        digest = hashlib.sha256(form.encode())
        for path in self.files.paths:
            digest.update(os.fsencode(f"{path.parent.name}/{path.name} {path.stat().st_size}\n"))
        return digest.hexdigest()

    def _attempt(self, place: int) -> NDArray[np.uint8] | BrokenImage:
        read: Callable[[int], NDArray[np.uint8]] = self._whole if self.size is None else self._square
        try:
            return read(place)
        except BrokenImage as error:
            return error

    def _whole(self, place: int) -> NDArray[np.uint8]:
        return pixels_of(self._opened(place))

    def _square(self, place: int) -> NDArray[np.uint8]:
        assert self.size is not None
        outer = max(self.size, round(self.size / self.crop))
        image = pixels_of(square(self._opened(place), outer))
        margin = (outer - self.size) // 2
        return image[margin : margin + self.size, margin : margin + self.size]

    def _opened(self, place: int) -> Image.Image:
        image = open_image(self.files.paths[place], self.files.decoding)
        if not self.trim:
            return image
        width, height = image.size
        if min(width, height) <= 2 * self.trim:
            raise InputError(f"{self.files.paths[place]} is {width}x{height}: nothing is left after --trim {self.trim}")
        return image.crop((self.trim, self.trim, width - self.trim, height - self.trim))


def read_arrays(path: Path) -> ArrayDataset:
    """Images in an ``.npz``: ``images`` uint8[N, H, W, C], ``labels`` int[N], and perhaps ``classes`` (names).

    Without names, classes are 0 .. the largest label.

    Raises:
        InputError: an array is missing or of another kind; float and 16-bit images are not converted.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} can't be read as arrays ({error})") from None
    if missing := {"images", "labels"} - arrays.keys():
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; it holds {', '.join(arrays) or 'nothing'}")
    labels = arrays["labels"]
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
        raise InputError(f"{path}: labels must be integers, one an image, got {labels.dtype}{list(labels.shape)}")
    named = arrays.get("classes", np.arange(int(labels.max()) + 1))
    return ArrayDataset(arrays["images"], labels.astype(np.int64), tuple(map(str, named.tolist())), path.stem)


def _sides(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
