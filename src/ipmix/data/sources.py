"""Images to measure or to corrupt, read in parts: arrays in memory or mapped, or folders that would not fit there."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipmix.core.checking import check_folder_name
from ipmix.core.errors import InputError
from ipmix.core.image_sizes import width_by_height
from ipmix.core.threads import default_threads
from ipmix.data.contents import digest_of
from ipmix.data.cropping import IMAGENET_CROP
from ipmix.data.datasets import ArrayDataset, FileDataset, scan_classes, splits
from ipmix.data.decoding import DEFAULT, BrokenImage, DecodeConfig, decode, is_grey, open_image, pixels_of, square
from ipmix.data.npy import checked_labels, read_array, read_npy, read_npz

RESIZING = 3
"""Raised when the same file gives other pixels than before: predictions of before are then not taken for these."""


class ImageSource(Protocol):
    """Labelled images that can be read a slice at a time."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    def __len__(self) -> int: ...
    def read(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images uint8[n, H, W, C] of ``start .. stop-1``, and the positions int64[n] of those read."""
        ...

    def fingerprint(self) -> str:
        """A hash that changes when the images, their order or their labels do, and not when their folder is renamed.

        Raises:
            InputError: a file can't be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """A set that is already decoded, or mapped from a file.

    Attributes:
        dataset: the images.
        labelled: whether their labels are known; where not, all are 0.
    """

    dataset: ArrayDataset
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.dataset)

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
        return np.ascontiguousarray(self.dataset.images[start:stop]), np.arange(start, min(stop, len(self)))

    def image(self, place: int) -> NDArray[np.uint8]:
        """One image, uint8[H, W, C]."""
        return np.ascontiguousarray(self.dataset.images[place])

    def stem(self, place: int) -> Path:
        """The name, without an ending, that a changed copy of an image goes by: class folder and number."""
        return Path(self.classes[self.labels[place]], f"{place:08d}")

    def fingerprint(self) -> str:
        return digest_of(self.dataset)


@dataclass(frozen=True, eq=False)
class OnDisk:
    """A folder of images, each decoded when its part is due.

    Attributes:
        files: the images.
        size: the side of the square they are brought to, by :func:`ipmix.data.cropping.resize_and_crop`; None
            keeps them as they are (all the same then).
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
    labelled = True

    def __len__(self) -> int:
        return len(self.files)

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
        with ThreadPoolExecutor(default_threads()) as pool:
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
                    f"images differ in size: {self.files.paths[kept[0]]} is {width_by_height(images[0])}, "
                    f"{self.files.paths[place]} is {width_by_height(image)}; pass --size to bring all to one"
                )
            images.append(image)
            kept.append(place)
        stacked = np.stack(images) if images else np.zeros((0, 1, 1, 3), np.uint8)
        return stacked, np.array(kept, np.int64)

    def fingerprint(self) -> str:
        form = (RESIZING, self.size, self.crop, self.trim)
        return hashlib.sha256(f"{form} {self.files.decoding.mark()} {digest_of(self.files)}".encode()).hexdigest()

    def whole(self, *, skip_broken: bool) -> tuple["OnDisk", tuple[Path, ...]]:
        """Decode every file once: the source without the broken ones, and these.

        Raises:
            InputError: one is broken, and ``skip_broken`` is not set; it names the first.
        """
        files, broken = self.files.whole()
        if broken and not skip_broken:
            try:
                decode(broken[0], self.files.decoding)
            except BrokenImage as error:
                raise InputError(f"{error}, or pass --skip-broken to go on without it") from None
        return replace(self, files=files), broken

    def image(self, place: int) -> NDArray[np.uint8]:
        """One image, uint8[H, W, C]: one channel where the files' decoding is grey, else three; errors as its."""
        opened = self._opened(place)
        if self.size is not None:
            opened = square(opened, self.files.paths[place], self.size, self.crop)
        return pixels_of(opened)

    def stem(self, place: int) -> Path:
        """The name, without an ending, that a changed copy of an image goes by: that of its file below its class."""
        path = self.files.paths[place].with_suffix("")
        return path.relative_to(self.files.root) if self.files.root else Path(path.parent.name, path.name)

    def _attempt(self, place: int) -> NDArray[np.uint8] | BrokenImage:
        try:
            return self.image(place)
        except BrokenImage as error:
            return error

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
    arrays = read_npz(path)
    if missing := {"images", "labels"} - arrays.keys():
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; it holds {', '.join(arrays) or 'nothing'}")
    images = arrays["images"]
    refuse_channels_first(images, f"{path}: images")
    labels = checked_labels(arrays["labels"], len(images) if images.ndim else 0, f"{path}: labels")
    named = arrays.get("classes", np.arange(labels.max(initial=-1) + 1))
    if named.ndim != 1:
        raise InputError(f"{path}: classes are names, one a class, got {named.dtype}{list(named.shape)}")
    found = ArrayDataset(images, labels, tuple(map(str, named.tolist())), str(path))  # errors name the whole path
    return replace(found, name=path.name)


def read_labelled(path: Path, known: NDArray[np.int64] | None = None) -> ArrayDataset:
    """Images in a ``.npy`` uint8[N, H, W, C], which is mapped, and their labels; classes are 0 .. the largest label.

    Args:
        path: the images.
        known: int64[N], their labels where no ``labels.npy`` lies beside them.

    Raises:
        InputError: the images or the labels are missing, or something else.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}; expected a .npy of uint8[N, H, W, C]")
    found = open_images(path)
    if not isinstance(found, InMemory):
        raise AssertionError(f"{path} is a file")
    labels = found.labels if found.labelled else known
    if labels is None:
        raise InputError(f"{path} comes without labels: put labels.npy, one whole number an image, beside it")
    named = tuple(map(str, range(int(labels.max(initial=-1)) + 1)))
    return ArrayDataset(found.dataset.images, labels, named, path.name)


def refuse_channels_first(images: np.ndarray, where: str) -> None:
    """Raise :class:`InputError` where images uint8[N, H, W, C] are [N, C, H, W] by their shape.

    With one or three pixels in height and as many channels as no image has they would be read as that, in silence.
    """
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] > 4:
        raise InputError(
            f"{where} must be [N, H, W, C], and {images.dtype}{list(images.shape)} looks like [N, C, H, W]: move the "
            "channels to the end, numpy.moveaxis(images, 1, -1)"
        )


def open_images(
    data: str | Path,
    labels: str | Path | None = None,
    size: int | None = None,
    decoding: DecodeConfig = DEFAULT,
) -> InMemory | OnDisk:
    """Open clean images that are to be corrupted.

    Args:
        data: a .npy file of uint8[N, H, W, C], which is mapped, or a folder ``<class>/<image>``.
        labels: for a .npy file, the .npy file of its N labels; by default ``labels.npy`` beside it, if there.
        size: for a folder: images are brought to this side: the shorter side to size * 256 / 224 and the middle cut
            out, as for ImageNet-C. None leaves them as they are.
        decoding: how a folder's files are decoded. Whether as grey is found out: where all of its images are grey,
            they are read, corrupted and written as grey; a single colored one makes all of them RGB, as the public
            generators do it with ImageNet's few grey images.

    Raises:
        InputError: nothing there, not images, labels of another length, two files of one name but for the ending.
    """
    check_folder_name("data", data)
    data = Path(data)
    if size is not None and size < 1:
        raise InputError(f"size is at least 1 pixel, got {size}")
    if data.is_dir():
        if labels is not None:
            raise InputError("--labels is for a .npy file; a folder's labels are its class folders")
        return _open_folder(data, size, decoding)
    if data.suffix.lower() != ".npy":
        missing = "does not exist" if not data.exists() else "is neither"
        raise InputError(f"{data} {missing}; expected a folder <class>/<image> or a .npy file of uint8[N, H, W, C]")
    if size is not None:
        raise InputError("--size is for a folder of images; a .npy file keeps its size")
    images = read_array(data, axes=4)
    refuse_channels_first(images, str(data))
    beside = data.with_name("labels.npy")
    path = Path(labels) if labels is not None else beside if beside.is_file() and beside != data else None
    if path is None:
        unknown = np.zeros(len(images), np.int64)
        return InMemory(ArrayDataset(images, unknown, ("unknown",), data.stem), labelled=False)
    numbers = checked_labels(read_npy(path), len(images), path)
    classes = tuple(f"{number:04d}" for number in range(int(numbers.max()) + 1))
    return InMemory(ArrayDataset(images, numbers, classes, data.stem))


def _open_folder(folder: Path, size: int | None, decoding: DecodeConfig) -> OnDisk:
    if inside := splits(folder):
        raise InputError(f"{folder} holds splits; give one of them: {', '.join(str(folder / name) for name in inside)}")
    files = scan_classes(folder, folder.name)
    decoding = replace(decoding, grey=all(map(_may_be_grey, files.paths)))  # a colored set is known by its first image
    source = OnDisk(replace(files, decoding=decoding), size, IMAGENET_CROP)
    first: dict[Path, Path] = {}
    for place, path in enumerate(source.files.paths):
        other = first.setdefault(source.stem(place), path)
        if other != path:
            raise InputError(f"{path} has a namesake with another ending ({other.name}) in its folder; rename one")
    return source


def _may_be_grey(path: Path) -> bool:
    try:
        return is_grey(path)
    except InputError:  # told when it is its turn to be read
        return True
