"""Writing whole corrupted sets in the public layouts, in constant memory, so that a stopped run goes on.

A file is written beside its place and moved there when it is whole: what exists is finished. An image's
randomness is named by its place in the data, so that shards made on different machines fit together.
"""

import math
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.files import make_within, replacing, reserve, write_bytes
from ipmix.core.image_sizes import width_by_height
from ipmix.core.progress import counting
from ipmix.corruptions.common import frost
from ipmix.corruptions.corrupting import Form, corrupt
from ipmix.corruptions.own import disk_name
from ipmix.corruptions.perturbations.sequences import frame_count
from ipmix.corruptions.perturbing import perturb
from ipmix.corruptions.severities import constants
from ipmix.corruptions.test_sets.published import RECORD as RECORD
from ipmix.data.decoding import BrokenImage
from ipmix.data.sources import InMemory, OnDisk

CHUNK = 256
"""The most images in memory at a time."""


@dataclass(frozen=True)
class TestSetPlan:
    """What to write: recorded beside the data, so that a run goes on only with the same settings."""

    kind: str  # "c", "c-bar" or "p"
    names: tuple[str, ...]
    severities: tuple[int, ...]
    seed: int
    form: Form
    difficulty: int
    quality: int
    size: int | None
    layout: str
    data: str
    count: int
    frost: str
    version: str
    sha256: str = ""  # of the images, their labels and names
    broken: int = 0  # files that were passed over
    exif: bool = True

    @classmethod
    def frost_source(cls, names: Sequence[str]) -> str:
        """What frost is made of, for the record."""
        if "frost" not in names:
            return "not used"
        return "public photographs" if frost.comparable() else "procedural: not comparable with published results"


SUFFIX = ".JPEG"
"""Of changed copies in folders."""


def write_arrays(
    plan: TestSetPlan,
    source: InMemory | OnDisk,
    out: Path,
    scratch: Path,
    shard: tuple[int, int],
    threads: int,
    force: bool,
) -> None:
    """Write ``<name>.npy`` for every ``shard[1]``-th name from ``shard[0]`` (1 is the first), and ``labels.npy``.

    ``scratch`` is the folder for what is half written, on the same disk.
    """
    _write_labels(plan, source, out)
    mine = plan.names[shard[0] - 1 :: shard[1]]
    waiting = [name for name in mine if force or not (out / f"{disk_name(name)}.npy").exists()]
    steps = 1 if plan.kind == "p" else len(plan.severities)
    with counting(f"writing {out}", len(waiting) * steps * len(source)) as advance:
        for name in waiting:
            with _growing(out / f"{disk_name(name)}.npy", scratch, _array_shape(plan, source, name)) as target:
                for first, images in _chunks(source, CHUNK if plan.kind != "p" else 64):
                    places = np.arange(first, first + len(images))
                    if plan.kind == "p":
                        target[first : first + len(images)] = perturb(
                            images, name, seed=plan.seed, difficulty=plan.difficulty, indices=places,
                            threads=threads, form=plan.form,
                        )  # fmt: skip
                        advance(len(images))
                        continue
                    for row, severity in enumerate(plan.severities):
                        begin = row * len(source) + first
                        target[begin : begin + len(images)] = corrupt(
                            images, name, severity, seed=plan.seed, indices=places, form=plan.form, threads=threads
                        )
                        advance(len(images))


def image_shape(source: InMemory | OnDisk) -> tuple[int, int, int]:
    """Height, width and channels of the first image that can be decoded."""
    for place in range(len(source)):
        try:
            height, width, channels = source.image(place).shape
        except BrokenImage:
            continue
        return height, width, channels
    raise InputError(f"{source.name}: every one of the {len(source)} images is broken")


def check_one_size(source: InMemory | OnDisk) -> None:
    """Raise :class:`InputError` unless all images have the same size, as those of an array do."""
    if isinstance(source, InMemory) or source.size is not None or not len(source):
        return
    expected = source.image(0)
    for place in range(1, len(source)):
        image = source.image(place)
        if image.shape != expected.shape:
            raise InputError(
                f"{source.stem(place)} is {width_by_height(image)}, the first image {width_by_height(expected)}; "
                "arrays need one size: pass --size, or --layout folders"
            )


def _chunks(source: InMemory | OnDisk, most: int) -> Iterator[tuple[int, np.ndarray]]:
    """All images in order, ``most`` at a time: the first one's place, uint8[n, H, W, C]."""
    for first in range(0, len(source), most):
        places = range(first, min(first + most, len(source)))
        yield first, np.stack([source.image(place) for place in places])


def _array_shape(plan: TestSetPlan, source: InMemory | OnDisk, name: str) -> tuple[int, ...]:
    height, width, channels = image_shape(source)
    if plan.kind != "p":
        return (len(plan.severities) * len(source), height, width, channels)
    stride = 1 if name.endswith("noise") else plan.difficulty
    return (len(source), -(-frame_count(name, height, width) // stride), height, width, channels)


class _Rows:
    """The rows of a .npy file, uint8[shape], which are written in any order.

    They are written, not mapped: a map's pages count as memory, a full disk ends the process by a signal, and Windows
    moves no file that is mapped.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, ...]) -> None:
        self._file, self._shape, self._row = file, shape, math.prod(shape[1:])
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self._begin = file.tell()
        reserve(file, self._begin + shape[0] * self._row)

    def __setitem__(self, places: slice, rows: np.ndarray) -> None:
        if rows.dtype != np.uint8 or rows.shape != (places.stop - places.start, *self._shape[1:]):
            raise AssertionError(f"rows {places} of uint8{list(self._shape)} can't be {rows.dtype}{list(rows.shape)}")
        self._file.seek(self._begin + places.start * self._row)
        self._file.write(np.ascontiguousarray(rows).data)


@contextmanager
def _growing(path: Path, scratch: Path, shape: tuple[int, ...]) -> Iterator[_Rows]:
    """A .npy file that is filled bit by bit, and moved to its place if all went well."""
    with replacing(path, scratch=scratch) as file:
        yield _Rows(file, shape)


def _write_labels(plan: TestSetPlan, source: InMemory | OnDisk, out: Path) -> None:
    if not source.labelled:
        return
    repeats = 1 if plan.kind == "p" else len(plan.severities)
    labels = np.tile(source.labels, repeats)
    small = plan.kind == "c" and labels.max() < 256  # as in the published files
    file = BytesIO()
    np.save(file, labels.astype(np.uint8 if small else np.int64))
    write_bytes(out / "labels.npy", file.getvalue())


def write_folders(
    plan: TestSetPlan,
    source: InMemory | OnDisk,
    out: Path,
    scratch: Path,
    shard: tuple[int, int],
    threads: int,
    force: bool,
) -> None:
    """Write ``<corruption>/<severity>/<class>/<image>.JPEG`` for every ``shard[1]``-th image.

    Each image is decoded once. Of a perturbation the frames are written as PNG files,
    ``<perturbation>/<class>/<image>/<frame>.png``. Folders below the class folders stay as they are. ``scratch`` is the
    folder for what is half written, on the same disk.
    """
    mine = range(shard[0] - 1, len(source), shard[1])

    def one(place: int) -> None:
        waiting = [unit for unit in _units(plan, source, out, place) if force or not unit[2].exists()]
        if not waiting:
            return
        image = source.image(place)[None]
        for name, severity, path in waiting:
            if plan.kind == "p":
                frames = perturb(
                    image, name, seed=plan.seed, difficulty=plan.difficulty, indices=[place], form=plan.form
                )
                _write_frames(frames[0], out, path, scratch)
                continue
            changed = corrupt(image, name, severity, seed=plan.seed, indices=[place], form=plan.form)
            make_within(out, path.parent)
            file = BytesIO()
            as_image(changed[0]).save(file, "JPEG", quality=plan.quality, optimize=True)
            with replacing(path, scratch=scratch) as target:
                target.write(file.getvalue())

    with counting(f"writing {out}", len(mine)) as advance, ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(one, mine):
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _units(plan: TestSetPlan, source: InMemory | OnDisk, out: Path, place: int) -> Iterator[tuple[str, int, Path]]:
    stem = source.stem(place)
    for name in plan.names:
        if plan.kind == "p":
            yield name, 0, out / name / stem
            continue
        for severity in plan.severities:
            yield name, severity, out / disk_name(name) / severity_name(plan, name, severity) / f"{stem}{SUFFIX}"


def severity_name(plan: TestSetPlan, name: str, severity: int) -> str:
    """A severity's folder: "1" to "5", or for C-bar the level at 224 pixels ("2.35"), as in the public
    sets."""
    if plan.kind != "c-bar":
        return str(severity)
    return f"{constants(name, severity, plan.size or 224, plan.size or 224)[0]:.2f}"


def as_image(pixels: np.ndarray) -> Image.Image:
    """uint8[H, W, C] as an image: of one channel (mode L) or three."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _write_frames(frames: np.ndarray, out: Path, folder: Path, scratch: Path) -> None:
    part = scratch / secrets.token_hex(8)
    part.mkdir()
    for number, frame in enumerate(frames):
        as_image(frame).save(part / f"img{number}.png", compress_level=1)
    make_within(out, folder.parent)
    if folder.exists():  # only with --force
        shutil.rmtree(folder)
    os.replace(part, folder)
