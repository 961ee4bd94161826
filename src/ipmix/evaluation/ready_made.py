"""Corrupted images and perturbation sequences that lie on the disk: published, or written by ``ipmix corrupt``.

They stand in for what an evaluation otherwise makes: CIFAR-10-C, -100-C, C-bar and -P as arrays, ImageNet-C, C-bar and
-P as folders. Clean images, where they are given beside, belong to the same images in the same order (arrays), or have
the same class folders and file names (folders).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.corruptions.severities import ALL_CORRUPTIONS, PERTURBATIONS
from ipmix.corruptions.test_sets.published import ArraySet, open_set, recorded, recorded_severities, severity_folders
from ipmix.data.contents import content_hashes
from ipmix.data.datasets import ArrayDataset, FileDataset, scan_classes
from ipmix.data.decoding import SUFFIXES, DecodeConfig
from ipmix.data.folders import class_folders, image_files
from ipmix.data.npy import read_npy
from ipmix.data.sources import InMemory, OnDisk
from ipmix.evaluation.plan import EvaluationPlan
from ipmix.evaluation.request import MeasureRequest

Found = ArrayDataset | FileDataset


@dataclass(frozen=True, eq=False)
class ReadyMade:
    """A set of images that were corrupted before.

    Attributes:
        folder: where it lies.
        corruptions: corruption -> the severities that there are of it.
        perturbations: those of which there are sequences.
        images: the labelled images, one an original: clean ones, or the first condition's where those aren't given.
        has_clean: whether ``images`` are clean.
        arrays: the set in the layout of arrays; None for folders.
        places: int64[N], of arrays: which of the set's images these are.
        size: of folders: the side that images are brought to; None as they are.
    """

    folder: Path
    corruptions: dict[str, tuple[int, ...]]
    perturbations: tuple[str, ...]
    images: Found
    has_clean: bool
    arrays: ArraySet | None = None
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    source: InMemory | OnDisk | None = None
    size: int | None = None

    @property
    def frost(self) -> str:
        """Which frost is in it: published sets have that of the photographs, the record of others says it."""
        record = recorded(self.folder)
        written = "public" if record is None else str(record.get("frost", ""))
        return "published" if written.startswith("public") else "procedural"

    def of_source(self, source: InMemory | OnDisk, size: int | None) -> "ReadyMade":
        """The set for the images as they are measured: some of them, their classes perhaps under other numbers."""
        if self.arrays is not None and len(source) != len(self.places):
            raise InputError(
                f"{self.folder}: a --class-map or --subset that leaves images out is for folders, not for arrays"
            )
        return replace(self, source=source, size=size)

    def plan(self, wanted: MeasureRequest) -> EvaluationPlan:
        """What of the set is measured: all of it unless the request names some.

        Raises:
            InputError: something is asked for that isn't there.
        """
        usual = MeasureRequest()
        asked = wanted.plan(64)
        names = tuple(self.corruptions) if wanted.corruptions == usual.corruptions else asked.corruptions
        if missing := [name for name in names if name not in self.corruptions]:
            raise InputError(f"{self.folder} has no {missing[0]!r}; it has {', '.join(self.corruptions) or 'none'}")
        there = sorted(set.intersection(*(set(self.corruptions[name]) for name in names))) if names else []
        severities = tuple(there) if wanted.severities == usual.severities else asked.severities
        if missing_levels := [s for s in severities if s not in there] if names else []:
            raise InputError(f"{self.folder} has no severity {missing_levels[0]}; it has {', '.join(map(str, there))}")
        all_there = wanted.perturbations in ((), ("paper",))
        sequences = self.perturbations if all_there else asked.perturbations
        if missing := [name for name in sequences if name not in self.perturbations]:
            raise InputError(
                f"{self.folder} has no sequences of {missing[0]!r}; it has {', '.join(self.perturbations) or 'none'}"
            )
        return replace(asked, corruptions=names, severities=severities or (1,), perturbations=sequences)

    def corrupted(self, name: str, severity: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images uint8[n, H, W, C] of these places under a corruption."""
        if self.arrays is not None:
            return np.ascontiguousarray(self.arrays.images(name, severity)[self.places[indices]])
        top = _levels(self.folder, name)[severity]
        return self._read([self._file(top, place) for place in indices.tolist()])

    def frames(self, name: str, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The sequences uint8[n, T, H, W, C] of these places under a perturbation."""
        if self.arrays is not None:
            return np.ascontiguousarray(self.arrays.sequences(name)[self.places[indices]])
        found = [self._read(self._frame_files(name, place)) for place in indices.tolist()]
        if len(lengths := {len(frames) for frames in found}) > 1:
            raise InputError(
                f"{self.folder / name}: sequences have {min(lengths)} to {max(lengths)} frames; expected one"
            )
        return np.stack(found)

    def fingerprint(self, plan: EvaluationPlan) -> str:
        """A hash (SHA-256) of the files that the plan reads, their content and names."""
        paths: list[Path] = []
        if self.arrays is not None:
            paths = [self.folder / f"{name}.npy" for name in dict.fromkeys((*plan.corruptions, *plan.perturbations))]
        else:
            places = range(len(self._files().paths))
            for name in plan.corruptions:
                tops = _levels(self.folder, name)
                paths += [self._file(tops[severity], place) for severity in plan.severities for place in places]
            for name in plan.perturbations:
                paths += [path for place in places for path in self._frame_files(name, place)]
        digest = hashlib.sha256()
        for path, content in zip(paths, content_hashes(paths, self.folder), strict=True):
            digest.update(path.relative_to(self.folder).as_posix().encode(errors="surrogateescape") + b"\0" + content)
        return digest.hexdigest()

    def _source(self) -> OnDisk:
        if not isinstance(self.source, OnDisk):
            raise AssertionError("a set of folders is measured with files")
        return self.source

    def _files(self) -> FileDataset:
        return self._source().files

    def _key(self, place: int) -> Path:
        """An image's class folder and name without its ending, by which its changed copies are found."""
        files = self._files()
        path = files.paths[place]
        if isinstance(files, _SequenceFiles):
            return path.parent.relative_to(files.root) if files.root else Path(path.parents[1].name, path.parent.name)
        return path.relative_to(files.root).with_suffix("") if files.root else Path(path.parent.name, path.stem)

    def _file(self, top: Path, place: int) -> Path:
        key = self._key(place)
        for suffix in (".JPEG", ".png", ".jpg", ".jpeg"):
            if (path := top / f"{key}{suffix}").is_file():
                return path
        raise InputError(f"{top} has no image {key}, which {self._files().name} has; they must be the same images")

    def _frame_files(self, name: str, place: int) -> list[Path]:
        folder = self.folder / name / self._key(place)
        if not folder.is_dir():
            video = folder.with_name(f"{folder.name}.mp4")
            if video.is_file():
                raise InputError(f"{video} is a video; take its frames out to {folder}/0.png, 1.png, ...")
            raise InputError(f"{self.folder / name} has no sequence {self._key(place)}")
        frames = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
        return sorted(frames, key=lambda path: (len(path.stem), path.stem))

    def _read(self, paths: Sequence[Path]) -> NDArray[np.uint8]:
        files = replace(self._files(), paths=tuple(paths), labels=np.zeros(len(paths), np.int64), root=None)
        # These were cut to their size when they were made: no second share of the side is cut away.
        as_they_are = replace(self._source(), files=files, size=self.size, crop=1.0, skip_broken=False, trim=0)
        images, _ = as_they_are.read(0, len(paths))
        return images


def is_ready_made(data: str | Path) -> bool:
    """Whether a folder holds corrupted images instead of class folders: by its record, or by its names alone."""
    folder = Path(data)
    if not folder.is_dir():
        return False
    known = {*ALL_CORRUPTIONS, *PERTURBATIONS}
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    arrays = [path for path in inside if path.suffix == ".npy" and path.stem in known]
    folders = [path for path in inside if path.is_dir()]
    return bool(arrays) or (bool(folders) and all(path.name in known for path in folders))


def open_ready_made(data: str | Path, clean: Found | None, limit: int | None, decoding: DecodeConfig) -> ReadyMade:
    """Open a set, with the clean images beside it where there are some.

    Args:
        data: the folder.
        clean: the clean images, labelled; None if there are none.
        limit: only so many of the images, evenly spread.
        decoding: how files are decoded.

    Raises:
        InputError: it is no such set, or the clean images are not those that it was made of.
    """
    folder = Path(data)
    known = tuple(dict.fromkeys(ALL_CORRUPTIONS + PERTURBATIONS))
    if any((folder / f"{name}.npy").is_file() for name in known):
        found = open_set(folder)
        if not isinstance(found, ArraySet):
            raise AssertionError(f"{folder} has arrays")
        return _of_arrays(found, clean, limit)
    return _of_folders(folder, clean, limit, decoding)


def _of_arrays(found: ArraySet, clean: Found | None, limit: int | None) -> ReadyMade:
    folder, labels = found.folder, found.labels
    axes = {name: read_npy(folder / f"{name}.npy").ndim for name in found.names}
    sequences = tuple(name for name in found.names if axes[name] == 5)
    corruptions = {name: tuple(sorted(found.severities)) for name in found.names if name not in sequences}
    for name in found.names:  # of another length, they are refused here and not after hours
        _ = found.sequences(name) if name in sequences else found.images(name, found.severities[0])
    if clean is not None:
        if not isinstance(clean, ArrayDataset):
            raise InputError(
                f"{folder} holds arrays: its clean images (--clean) are cifar10, cifar100, an .npz or a .npy"
            )
        if not np.array_equal(clean.labels, labels):
            raise InputError(
                f"the clean images ({clean.name}) have other labels than {folder}: {len(clean.labels)} and "
                f"{len(labels)} images; expected the ones it was made of, in their order"
            )
    places = np.arange(len(labels))
    if limit is not None and limit < len(labels):
        places = np.linspace(0, len(labels) - 1, limit).round().astype(np.int64)
    if clean is None:
        first = found.names[0]
        images = found.sequences(first)[:, 0] if first in sequences else found.images(first, found.severities[0])
        numbers = tuple(map(str, range(int(labels.max()) + 1)))  # arrays name no classes
        clean_or_first = ArrayDataset(images, labels, numbers, folder.name)
    else:
        clean_or_first = replace(clean, name=folder.name)
    if len(places) < len(labels):
        clean_or_first = replace(clean_or_first, images=clean_or_first.images[places], labels=labels[places])
    return ReadyMade(folder, corruptions, sequences, clean_or_first, clean is not None, found, places)


def _of_folders(folder: Path, clean: Found | None, limit: int | None, decoding: DecodeConfig) -> ReadyMade:
    corruptions: dict[str, tuple[int, ...]] = {}
    sequences: list[str] = []
    for name in (name for name in dict.fromkeys(ALL_CORRUPTIONS + PERTURBATIONS) if (folder / name).is_dir()):
        if levels := _levels(folder, name):
            corruptions[name] = tuple(sorted(levels))
        else:
            sequences.append(name)
    if clean is None:
        files = _files_of(folder, corruptions, sequences, decoding)
    elif isinstance(clean, FileDataset):
        files = replace(clean, name=folder.name)
    else:
        raise InputError(f"{folder} holds folders of files: its clean images (--clean) are a folder <class>/<image>")
    if limit is not None and limit < len(files):
        chosen = np.linspace(0, len(files) - 1, limit).round().astype(np.int64)
        files = replace(files, paths=tuple(files.paths[place] for place in chosen), labels=files.labels[chosen])
    return ReadyMade(folder, corruptions, tuple(sequences), files, clean is not None)


def _files_of(
    folder: Path, corruptions: dict[str, tuple[int, ...]], sequences: Sequence[str], decoding: DecodeConfig
) -> FileDataset:
    """One file for each image of the set: of the first condition, or each sequence's first frame."""
    if corruptions:
        name = next(iter(corruptions))
        return scan_classes(_levels(folder, name)[corruptions[name][0]], folder.name, decoding)
    top = folder / sequences[0]
    classes, _ = class_folders(top)
    paths: list[Path] = []
    labels: list[int] = []
    for label, inside in enumerate(classes):
        for sequence in sorted(path for path in inside.iterdir() if path.is_dir()):
            frames = image_files(sequence).paths
            if frames:
                paths.append(min(frames, key=lambda path: (len(path.stem), path.stem)))
                labels.append(label)
    if not paths:
        raise InputError(f"{top} holds no sequence; expected {top}/<class>/<image>/<frame>.png")
    return _SequenceFiles(
        tuple(paths), np.array(labels, np.int64), tuple(path.name for path in classes), folder.name, root=top,
        decoding=decoding,
    )  # fmt: skip


class _SequenceFiles(FileDataset):
    """First frames of sequences: what belongs to an image goes by the folder that its frames lie in."""


def _levels(folder: Path, name: str) -> dict[int, Path]:
    """The folder of each severity: those named by a level are counted, as the record counts them."""
    levels = severity_folders(folder / name)
    recorded = recorded_severities(folder)
    if recorded and len(recorded) == len(levels) and not all(path.name.isdigit() for path in levels.values()):
        return dict(zip(sorted(recorded), (levels[place] for place in sorted(levels))))
    return levels
