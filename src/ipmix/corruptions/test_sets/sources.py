"""Where clean images come from: a .npy file, or a folder ``<class>/<image>``, a few at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.decoding import DEFAULT, DecodeConfig, is_grey, is_image_file, open_image, pixels_of
from ipmix.data.npy import read_array, read_npy


@dataclass(frozen=True)
class Source:
    """Images that are read when they are needed.

    Attributes:
        array: uint8[N, H, W, C], memory-mapped, or None.
        files: the images' files, or nothing where there is an array.
        labels: int64[N], or None where they aren't known.
        classes: the classes' folder names.
        size: images from files are brought to this side: the shorter side to size * 256 / 224 and the
            middle cut out, as for ImageNet-C. None leaves them as they are.
        decoding: how files are decoded. A folder whose images are all grey is read, corrupted and written as grey; a
            single colored one makes all of them RGB, as the public generators do it with ImageNet's few grey images.
    """

    array: np.ndarray | None
    files: tuple[Path, ...]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    size: int | None
    decoding: DecodeConfig = DEFAULT

    def __len__(self) -> int:
        return len(self.files) if self.array is None else len(self.array)

    def image(self, place: int) -> np.ndarray:
        """One image, uint8[H, W, C]."""
        if self.array is not None:
            return np.ascontiguousarray(self.array[place])
        opened = open_image(self.files[place], self.decoding)
        return pixels_of(opened if self.size is None else cropped(opened, self.size))

    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the first image."""
        height, width, channels = self.image(0).shape
        return height, width, channels

    def chunks(self, most: int) -> Iterator[tuple[int, np.ndarray]]:
        """All images in order, ``most`` at a time: the first one's place, uint8[n, H, W, C].

        Raises:
            InputError: images differ in size.
        """
        expected = self.shape()
        for first in range(0, len(self), most):
            images = [self.image(place) for place in range(first, min(first + most, len(self)))]
            for place, image in enumerate(images, start=first):
                if image.shape != expected:
                    raise InputError(
                        f"{self.files[place]} is {image.shape[1]}x{image.shape[0]}, the first image "
                        f"{expected[1]}x{expected[0]}; arrays need one size: pass --size, or --layout folders"
                    )
            yield first, np.stack(images)

    def name(self, place: int) -> tuple[str, str]:
        """The class folder and file name (without ending) that an image is written under."""
        if self.array is None:
            return self.files[place].parent.name, self.files[place].stem
        label = "unknown" if self.labels is None else f"{self.labels[place]:04d}"
        return label, f"{place:08d}"


def cropped(opened: Image.Image, size: int) -> Image.Image:
    """Shorter side to size * 256 / 224 (bilinear, anti-aliased), then the middle ``size`` x ``size``
    pixels."""
    width, height = opened.size
    shorter = round(size * 256 / 224)
    scale = shorter / min(width, height)
    wide, high = (shorter, int(height * scale)) if width <= height else (int(width * scale), shorter)
    opened = opened.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = round((wide - size) / 2.0), round((high - size) / 2.0)
    return opened.crop((left, top, left + size, top + size))


def open_source(
    data: str | Path,
    labels: str | Path | None = None,
    size: int | None = None,
    decoding: DecodeConfig = DEFAULT,
) -> Source:
    """Open clean images.

    Args:
        data: a .npy file of uint8[N, H, W, C], or a folder ``<class>/<image>``.
        labels: for a .npy file, the .npy file of its N labels; by default ``labels.npy`` beside it, if there.
        size: see :class:`Source`; only for a folder.
        decoding: likewise; whether images are grey is found out.

    Raises:
        InputError: nothing there, not images, labels of another length.
    """
    data = Path(data)
    if size is not None and size < 1:
        raise InputError(f"size is at least 1 pixel, got {size}")
    if data.is_dir():
        if labels is not None:
            raise InputError("--labels is for a .npy file; a folder's labels are its class folders")
        return _from_folder(data, size, decoding)
    if data.suffix.lower() != ".npy":
        missing = "does not exist" if not data.exists() else "is neither"
        raise InputError(f"{data} {missing}; expected a folder <class>/<image> or a .npy file of uint8[N, H, W, C]")
    if size is not None:
        raise InputError("--size is for a folder of images; a .npy file keeps its size")
    array = read_array(data, axes=4)
    beside = data.with_name("labels.npy")
    path = Path(labels) if labels is not None else beside if beside.is_file() and beside != data else None
    return Source(array, (), None if path is None else _labels_of(path, len(array)), (), None)


def _from_folder(folder: Path, size: int | None, decoding: DecodeConfig) -> Source:
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files: list[Path] = []
    labels: list[int] = []
    for label, place in enumerate(classes):
        found = sorted(p for p in place.iterdir() if is_image_file(p))
        files += found
        labels += [label] * len(found)
    if not files:
        raise InputError(
            f"{folder} holds no image in a class folder; expected {folder}/<class>/<image> "
            "(give the split's folder, for example val)"
        )
    stems = [(p.parent.name, p.stem) for p in files]
    if len(set(stems)) != len(stems):
        double = next(p for p, stem in zip(files, stems) if stems.count(stem) > 1)
        raise InputError(f"{double} has a namesake with another ending in its folder; rename one of them")
    decoding = replace(decoding, grey=all(map(_may_be_grey, files)))  # a colored set is known by its first image
    return Source(None, tuple(files), np.array(labels, np.int64), tuple(p.name for p in classes), size, decoding)


def _may_be_grey(path: Path) -> bool:
    try:
        return is_grey(path)
    except InputError:  # told when it is its turn to be read
        return True


def _labels_of(path: Path, count: int) -> np.ndarray:
    labels = read_npy(path)
    if labels.shape != (count,) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            f"{path}: expected {count} labels (whole numbers from 0), one per image, got "
            f"{labels.dtype}{list(labels.shape)}"
        )
    return np.asarray(labels).astype(np.int64)
