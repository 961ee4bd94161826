"""Readers of corrupted and perturbed sets on disk: the published files, or what ``ipmix corrupt`` wrote.

Arrays (CIFAR-10-C, CIFAR-100-C, CIFAR-10-C-bar, CIFAR-10-P): ``<name>.npy`` and ``labels.npy`` in one
folder; five severities one after the other, or a sequence per image. Folders (ImageNet-C, ImageNet-C-bar):
``<corruption>/<severity>/<class>/<image>``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ipmix.core.checking import check_count, shown
from ipmix.core.errors import InputError
from ipmix.core.json_text import read_json_object
from ipmix.corruptions.severities import ALL_CORRUPTIONS, PERTURBATIONS
from ipmix.data.decoding import decode
from ipmix.data.folders import class_folders, image_files
from ipmix.data.npy import checked_labels, read_array, read_npy

SEVERITIES = 5

RECORD = "settings.json"
"""How a set was made, beside it."""


@dataclass(frozen=True)
class ArraySet:
    """A set in the CIFAR layout.

    Attributes:
        folder: where the files lie.
        names: the corruptions (or perturbations) that are there, in the usual order.
        labels: int64[N], the labels of the N images of one severity.
        severities: those that lie one after the other in the files; fewer than five only where ``ipmix corrupt`` wrote
            (and recorded) so.
    """

    folder: Path
    names: tuple[str, ...]
    labels: np.ndarray
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)

    def images(self, name: str, severity: int) -> np.ndarray:
        """The N images of one corruption at a severity of 1 to 5: uint8[N, H, W, C], memory-mapped."""
        check_count("severity", severity, 1, SEVERITIES)
        values, count = self._array(name, 4), len(self.labels)
        expected = len(self.severities) * count
        if len(values) != expected:
            words = "five" if len(self.severities) == SEVERITIES else len(self.severities)
            raise InputError(
                f"{self._path(name)} holds {len(values)} images, expected {expected} ({words} severities of "
                f"the {count} that {self.folder / 'labels.npy'} describes); get the file again"
            )
        if severity not in self.severities:
            raise InputError(f"{self._path(name)} has no severity {severity}; it has {self.severities}")
        begin = self.severities.index(severity) * count
        return values[begin : begin + count]

    def sequences(self, name: str) -> np.ndarray:
        """The N sequences of one perturbation: uint8[N, T, H, W, C], memory-mapped."""
        values = self._array(name, 5)
        if len(values) != len(self.labels):
            raise InputError(
                f"{self._path(name)} holds {len(values)} sequences, but {self.folder / 'labels.npy'} describes "
                f"{len(self.labels)}; get the file again"
            )
        return values

    def _path(self, name: str) -> Path:
        if name not in self.names:
            raise InputError(f"{self.folder} has no {name!r}; it has {', '.join(self.names)}")
        return self.folder / f"{name}.npy"

    def _array(self, name: str, axes: int) -> np.ndarray:
        return read_array(self._path(name), axes=axes)


@dataclass(frozen=True)
class FolderSet:
    """A set in the ImageNet layout.

    Attributes:
        folder: where the corruptions' folders lie.
        names: the corruptions that are there, in the usual order.
        classes: the classes' folder names, sorted; a label is a place in this list.
    """

    folder: Path
    names: tuple[str, ...]
    classes: tuple[str, ...]

    def images(self, name: str, severity: int) -> Iterator[tuple[np.ndarray, int]]:
        """Each image (uint8[H, W, 3]) of one corruption at a severity, with its label; decoded one by
        one."""
        for path, label in self.files(name, severity):
            yield decode(path), label

    def files(self, name: str, severity: int) -> list[tuple[Path, int]]:
        """The images' files with their labels, sorted by class and name."""
        if name not in self.names:
            raise InputError(f"{self.folder} has no {name!r}; it has {', '.join(self.names)}")
        top = severity_folders(self.folder / name).get(severity)
        if top is None:
            raise InputError(f"{self.folder / name} has no folder for severity {severity}")
        found = [(path, label) for label, wnid in enumerate(self.classes) for path in image_files(top / wnid).paths]
        if not found:
            raise InputError(f"{top} holds no image; expected {top}/<class>/<image>")
        return found


def severity_folders(folder: Path) -> dict[int, Path]:
    """The folders 1 .. 5 of a corruption; C-bar's are named by their level ("2.35") and counted in rising
    order."""
    numbered: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        try:
            numbered.append((float(path.name), path))
        except ValueError:
            continue
    by_number = {int(number): path for number, path in numbered if path.name.isdigit()}
    if by_number and len(by_number) == len(numbered):
        return by_number
    return {place: path for place, (_, path) in enumerate(sorted(numbered), start=1)}


def open_set(folder: str | Path) -> ArraySet | FolderSet:
    """Open a folder of corrupted images, whichever layout it has.

    Raises:
        InputError: it is not a folder, or holds neither layout; labels are missing or of an impossible
            length.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected one with <corruption>.npy or <corruption>/<severity>/")
    known = tuple(dict.fromkeys(ALL_CORRUPTIONS + PERTURBATIONS))
    arrays = tuple(name for name in known if (folder / f"{name}.npy").is_file())
    if arrays:
        levels = recorded_severities(folder) or tuple(range(1, SEVERITIES + 1))
        return ArraySet(folder, arrays, read_labels(folder, arrays[0], len(levels)), levels)
    names = tuple(name for name in known if (folder / name).is_dir())
    if not names:
        # The published ImageNet-C comes in four parts: noise, blur, weather, digital (and extra).
        raise InputError(
            f"{folder} holds neither <corruption>.npy nor <corruption>/<severity>/<class>/; "
            f"known corruptions are {', '.join(known)}"
        )
    severities = severity_folders(folder / names[0])
    if not severities:
        raise InputError(f"{folder / names[0]} has no severity folders (1 to 5)")
    classes, _ = class_folders(next(iter(severities.values())))
    return FolderSet(folder, names, tuple(path.name for path in classes))


def recorded_severities(folder: Path) -> tuple[int, ...] | None:
    """The severities that ``ipmix corrupt`` wrote, by its record; None for published sets.

    Raises:
        InputError: the record is damaged.
    """
    record = recorded(folder)
    if record is None:
        return None
    levels = record.get("severities")
    if not isinstance(levels, list) or not all(type(level) is int and 1 <= level <= SEVERITIES for level in levels):
        raise InputError(
            f"{folder / RECORD} is damaged: severities must be a list of 1 to {SEVERITIES}, got {shown(levels)}; "
            "expected the settings of ipmix corrupt"
        )
    return tuple(levels) or None


def recorded(folder: Path) -> dict[str, Any] | None:
    """The settings of a set that ``ipmix corrupt`` wrote; None for published ones.

    Raises:
        InputError: the record is damaged.
    """
    record = folder / RECORD
    return read_json_object(record) if record.is_file() else None


def read_labels(folder: Path, name: str, severities: int = SEVERITIES) -> np.ndarray:
    """The labels of one severity, int64[N], from ``labels.npy``, which may repeat them for all of them."""
    labels = read_npy(folder / "labels.npy")
    if labels.ndim != 1 or not labels.size:
        raise InputError(
            f"{folder / 'labels.npy'}: expected a line of whole numbers, got {labels.dtype}{list(labels.shape)}"
        )
    labels = checked_labels(labels, len(labels), folder / "labels.npy")
    values = read_npy(folder / f"{name}.npy")
    if values.ndim == 4 and len(values) != severities * len(labels) and len(labels) % severities == 0:
        count = len(labels) // severities
        repeated = labels.reshape(severities, count)
        if (repeated == repeated[0]).all():
            return repeated[0]
        if len(labels) == len(values):
            words = "five" if severities == SEVERITIES else severities
            raise InputError(
                f"{folder / 'labels.npy'} does not repeat the same {count} labels for each of {words} severities; "
                "the images must be severity by severity"
            )
    return labels
