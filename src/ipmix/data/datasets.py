"""What images there are: handwritten digits, CIFAR, folders; as uint8, without augmentation.

:func:`load` reads a set into memory (:class:`ArrayDataset`); :func:`scan` only lists a folder's files
(:class:`FileDataset`), for sets that don't fit. A folder is ``<split>/<class>/<image>``; for evaluation
alone, ``<class>/<image>`` will do. Classes are numbered by their sorted folder names; folders below a class folder
belong to the class (:mod:`ipmix.data.folders`).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ipmix.core.bounds import SIDE_MOST
from ipmix.core.checking import check_count, check_folder_name, check_images, check_known, described
from ipmix.core.errors import InputError, plain
from ipmix.core.image_sizes import width_by_height
from ipmix.core.progress import counting
from ipmix.core.terminal import tell
from ipmix.core.threads import default_threads
from ipmix.data.built_in import BUILT_IN, cifar, digits
from ipmix.data.cropping import resize_and_crop
from ipmix.data.decoding import DEFAULT, BrokenImage, DecodeConfig, decode, decode_square, is_image_file
from ipmix.data.folders import class_folders, image_files

SPLITS = ("train", "test", "val")


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """Labelled images in memory.

    Attributes:
        images: uint8[N, H, W, C].
        labels: int64[N], each in 0 .. len(classes)-1.
        classes: the classes' names.
        name: what the set is called in results.
        skipped: the broken files that were passed over.
        hidden: hidden image files and folders, which were left out.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str
    skipped: tuple[Path, ...] = field(default=(), repr=False)
    hidden: tuple[Path, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_images(self.images, where=self.name)
        if not len(self.images):
            raise InputError(f"{self.name} holds no image")
        _check_labels(self.labels, len(self.images), len(self.classes), self.name)

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class FileDataset:
    """Labelled image files, decoded when they are asked for.

    Attributes:
        paths: the files.
        labels: int64[N], each in 0 .. len(classes)-1.
        classes: the classes' names.
        name: what the set is called in results.
        hidden: hidden image files and folders, which were left out.
        root: the folder that holds the class folders, where the files come from one.
        decoding: how its readers decode them.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str
    hidden: tuple[Path, ...] = field(default=(), repr=False)
    root: Path | None = field(default=None, repr=False)
    decoding: DecodeConfig = DEFAULT

    def __post_init__(self) -> None:
        if not self.paths:
            raise InputError(f"{self.name} holds no image")
        _check_labels(self.labels, len(self.paths), len(self.classes), self.name)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """Image ``index`` as it is: uint8[H, W, 3] (one channel where ``decoding.grey``)."""
        return decode(self.paths[index], self.decoding)

    def _is_broken(self, index: int) -> bool:
        try:
            self[index]
        except BrokenImage:
            return True
        return False

    def whole(self, *, quiet: bool = False) -> tuple["FileDataset", tuple[Path, ...]]:
        """Decode every file once: the files that can be, and the broken ones."""
        with (
            ThreadPoolExecutor(default_threads()) as pool,
            counting(f"checking {self.name}", len(self), quiet=quiet) as advance,
        ):
            broken = []
            for i, fails in enumerate(pool.map(self._is_broken, range(len(self)))):
                advance()
                if fails:
                    broken.append(i)
        kept = np.setdiff1d(np.arange(len(self)), broken)
        if not len(kept):
            raise InputError(self._all_broken())
        files = replace(self, paths=tuple(self.paths[i] for i in kept), labels=self.labels[kept])
        return files, tuple(self.paths[i] for i in broken)

    def _all_broken(self) -> str:
        others = f" and {len(self) - 1} more" if len(self) > 1 else ""
        return (
            f"{self.name}: every one of the {len(self)} images is broken ({plain(str(self.paths[0]))}{others}): "
            "expected files that can be decoded"
        )

    def read(self, *, size: int | None = None, skip_broken: bool = False, quiet: bool = False) -> ArrayDataset:
        """Decode everything into memory. ``size`` and ``skip_broken`` as in :func:`load`."""
        images, broken = _decode_all(self.paths, size, skip_broken, f"reading {self.name}", quiet, self.decoding)
        kept = np.setdiff1d(np.arange(len(self)), broken)
        skipped = tuple(self.paths[i] for i in broken)
        if not len(kept):
            raise InputError(self._all_broken())
        if len(broken):
            images = images[kept]
        return ArrayDataset(images, self.labels[kept], self.classes, self.name, skipped, self.hidden)


def load(
    source: str | Path,
    split: str,
    *,
    size: int | None = None,
    skip_broken: bool = False,
    download: bool = False,
    root: str | Path | None = None,
    quiet: bool = False,
    decoding: DecodeConfig = DEFAULT,
) -> ArrayDataset:
    """Read one split of a set into memory.

    Args:
        source: "digits" (scikit-learn's 1,797 handwritten digits, enlarged to 32x32), "cifar10", "cifar100",
            or a folder of images.
        split: "train", "test" or "val".
        size: bring every image to this many pixels a side (shorter side, then the centre). By default
            images keep their size, and must then all have the same.
        skip_broken: pass over images that can't be decoded and list them in ``skipped``.
        download: fetch CIFAR where it is missing, over https and checked by its SHA-256.
        root: where CIFAR's files lie; by default the user's cache folder.
        quiet: show no progress.
        decoding: how a folder's files are decoded.

    Raises:
        InputError: the set, the split or an image is missing, empty or broken.
    """
    check_known("split", split, SPLITS)
    check_folder_name("source", source)
    if size is not None:
        check_count("size", size, 1, SIDE_MOST)
    if str(source) == "digits":
        return _resized(ArrayDataset(*digits(split), f"digits {split}"), size)
    if str(source) in BUILT_IN:
        return _resized(ArrayDataset(*cifar(str(source), split, root, download), f"{source} {split}"), size)
    return scan(source, split, decoding).read(size=size, skip_broken=skip_broken, quiet=quiet)


def scan(folder: str | Path, split: str, decoding: DecodeConfig = DEFAULT) -> FileDataset:
    """List one split of a folder of images without decoding any; errors as :func:`load`."""
    check_known("split", split, SPLITS)
    check_folder_name("folder", folder)
    top = _folder_of(Path(folder), split)
    return scan_classes(top, f"{Path(folder).name} {split}", decoding)


def scan_classes(top: Path, name: str, decoding: DecodeConfig = DEFAULT) -> FileDataset:
    """List a folder ``<class>/.../<image>``; the classes are numbered by their sorted names.

    Raises:
        InputError: it has no class folder, or one without images.
    """
    folders, hidden = class_folders(top)
    if not folders:
        raise InputError(f"{top} has no class folders; expected {top}/<class>/<image>")
    found = [image_files(folder) for folder in folders]
    for folder, files in zip(folders, found):
        if not files.paths:
            raise InputError(
                f"the class folder {folder} holds no image; add images (JPEG, PNG, WebP, ...) or remove the folder"
            )
    return FileDataset(
        tuple(path for files in found for path in files.paths),
        np.repeat(np.arange(len(folders), dtype=np.int64), [len(files.paths) for files in found]),
        tuple(folder.name for folder in folders),
        name,
        (*hidden, *(path for files in found for path in files.hidden)),
        top,
        decoding,
    )


def tell_hidden(images: ArrayDataset | FileDataset) -> None:
    """Say on stderr how many hidden files and folders were left out, if any were."""
    if hidden := images.hidden:
        tell(f"left out {len(hidden)} hidden files and folders, the first {hidden[0]}\n")


def splits(source: str | Path) -> tuple[str, ...]:
    """The splits that a set has; empty for a folder of class folders without splits."""
    check_folder_name("source", source)
    if str(source) in BUILT_IN:
        return ("train", "test")
    return tuple(name for name in SPLITS if _holds_classes(Path(source) / name))


def _holds_classes(folder: Path) -> bool:
    """Whether this is a folder for folders: one with images in it is a class (CIFAR-100 has one called train)."""
    if not folder.is_dir():
        return False
    children = list(folder.iterdir())
    return any(child.is_dir() for child in children) or not any(is_image_file(child) for child in children)


def _check_labels(labels: np.ndarray, count: int, classes: int, name: str) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != (count,):
        raise InputError(f"{name}: labels are int64[{count}], one for each image, got {described(labels)}")
    if labels.min() < 0:
        raise InputError(f"{name}: labels are numbers of classes, 0 or more, got {labels.min()}")
    if labels.max() >= classes:
        raise InputError(
            f"{name}: labels lie in 0..{classes - 1} ({classes} classes), got {labels.min()}..{labels.max()}"
        )


def _folder_of(folder: Path, split: str) -> Path:
    """The folder that holds a split's class folders."""
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; expected a folder of images (<split>/<class>/<image>) "
            f"or one of {', '.join(BUILT_IN)}"
        )
    here = splits(folder)
    if split in here:
        return folder / split
    if here:
        raise InputError(f"{folder} has no '{split}' folder; it has: {', '.join(here)}")
    if not any(folder.iterdir()):
        raise InputError(f"{folder} is empty; expected <split>/<class>/<image>")
    if split == "train":
        raise InputError(
            f"{folder} has no 'train' folder; training expects {folder}/train/<class>/<image> and the same "
            "under test or val"
        )
    return folder


def _decode_all(
    paths: tuple[Path, ...], size: int | None, skip_broken: bool, description: str, quiet: bool, decoding: DecodeConfig
) -> tuple[np.ndarray, np.ndarray]:
    """All images as uint8[N, H, W, C], and the positions of the broken ones (int64)."""
    broken: list[int] = []
    images: np.ndarray | None = None

    def attempt(path: Path) -> np.ndarray | BrokenImage:
        try:
            return decode(path, decoding) if size is None else decode_square(path, size, config=decoding)
        except BrokenImage as error:
            return error

    with (
        ThreadPoolExecutor(default_threads()) as pool,
        counting(description, len(paths), quiet=quiet) as advance,
    ):
        try:
            for i, result in enumerate(pool.map(attempt, paths)):
                advance()
                if isinstance(result, BrokenImage):
                    if not skip_broken:
                        raise InputError(f"{result}, or pass --skip-broken to go on without it")
                    broken.append(i)
                    continue
                if images is None:
                    first = paths[i]
                    _check_memory(len(paths) * result.nbytes, description)
                    images = np.zeros((len(paths), *result.shape), np.uint8)
                if result.shape != images.shape[1:]:
                    raise InputError(
                        f"images differ in size: {first} is {width_by_height(images[0])}, {paths[i]} is "
                        f"{width_by_height(result)}; pass a size (--size) to bring all to one"
                    )
                images[i] = result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if images is None:
        images = np.zeros((0, 1, 1, 3), np.uint8)
    return images, np.array(broken, np.int64)


def _check_memory(needed: int, description: str) -> None:
    """Say so before the machine grinds to a halt (systems that don't tell their memory are trusted)."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    if needed > 0.8 * there:
        raise InputError(
            f"{description}: the decoded images need {needed / 2**30:.1f} GiB, this machine has {there / 2**30:.1f}; "
            "pass a smaller --size, or --crop resized to read the files in each epoch instead"
        )


def _resized(dataset: ArrayDataset, size: int | None) -> ArrayDataset:
    if size is None or dataset.images.shape[1:3] == (size, size):
        return dataset
    from PIL import Image

    images = np.stack([np.asarray(resize_and_crop(Image.fromarray(image), size)) for image in dataset.images])
    return ArrayDataset(images, dataset.labels, dataset.classes, dataset.name)
