"""Labelled images that come one after the other and can't be asked for by number: shards, generators, loaders.

An evaluation reads its images several times: to hash them, to measure them, to show the worst. So a stream is read
once, into a temporary file (:func:`spool`), and everything else works on that: memory does not grow with the data, and
a stream that would not give the same images twice (a generator, a loader that augments) is measured all the same.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.files import FULL
from ipmix.core.image_sizes import width_by_height
from ipmix.core.progress import counting
from ipmix.data.datasets import ArrayDataset
from ipmix.data.decoding import DEFAULT, BrokenImage, DecodeConfig, open_image
from ipmix.data.sources import InMemory


@dataclass(frozen=True, eq=False)
class Encoded:
    """An image file's bytes, with the name that messages call it by."""

    content: bytes
    name: str


Streamed: TypeAlias = "Encoded | Image.Image | NDArray[np.uint8]"
"""An image of a stream: a file's bytes, a Pillow image, or pixels uint8[H, W, C]."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Labelled images in an order of their own.

    Attributes:
        name: what the set is called in results.
        items: begins a pass over the images and their labels (whole numbers from 0).
        classes: the classes' names; None where there are none, then labels are numbers of the model's outputs.
        count: how many images there are; None where that isn't known before the end.
        decoding: how encoded images are decoded.
    """

    name: str
    items: Callable[[], Iterator[tuple[Streamed, Any]]]
    classes: tuple[str, ...] | None = None
    count: int | None = None
    decoding: DecodeConfig = DEFAULT


Shape = Callable[[Image.Image], NDArray[np.uint8]]
"""Makes pixels uint8[H, W, C] of an image, all of one size."""


def spool(
    stream: Stream,
    shape: Shape,
    *,
    pixels: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda image: image,
    limit: int | None = None,
    skip_broken: bool = False,
    quiet: bool = False,
) -> InMemory:
    """Read a stream once into a temporary file of raw pixels, which goes when the result does.

    Args:
        stream: the images.
        shape: brings files and Pillow images to their form.
        pixels: brings images that are pixels already to theirs.
        limit: keep only so many: evenly spread where the stream knows its length, else the first.
        skip_broken: pass over images that can't be decoded.
        quiet: show no progress.

    Raises:
        InputError: no image, another size in between, a label that is no whole number from 0 or outside the
            classes, an image that is broken, or no room on the disk for temporary files.
    """
    chosen = _chosen(stream.count, limit)
    labels: list[int] = []
    first: tuple[int, ...] | None = None
    total = len(chosen) if chosen is not None else limit or stream.count or 0
    file = tempfile.TemporaryFile(prefix="ipmix-", suffix=".images")  # noqa: SIM115 - it lives as long as its map
    try:
        with (
            tempfile.TemporaryDirectory(prefix="ipmix-") as folder,
            counting(f"reading {stream.name}", total, quiet=quiet or not total) as advance,
        ):
            for place, (item, label) in enumerate(stream.items()):
                if chosen is not None and place not in chosen:
                    continue
                if chosen is None and limit is not None and len(labels) >= limit:
                    break
                try:
                    image = _pixels(item, shape, pixels, Path(folder), stream.decoding)
                except BrokenImage as error:
                    if not skip_broken:
                        raise InputError(f"{error}, or pass --skip-broken to go on without it") from None
                    continue
                first = first or image.shape
                if image.shape != first:
                    raise InputError(
                        f"{stream.name}: images differ in size: the first is {first[1]}x{first[0]}, number {place} is "
                        f"{width_by_height(image)} (channels {first[2]} and {image.shape[2]}); bring all to one size "
                        "(--size)"
                    )
                labels.append(_label(label, stream, place))
                file.write(np.ascontiguousarray(image).data)
                advance()
        file.flush()
    except OSError as error:
        file.close()
        if error.errno not in FULL:
            raise
        raise InputError(
            f"{stream.name}: the temporary file of its images finds no room ({error.strerror}); set TMPDIR to a folder "
            "on a larger disk"
        ) from None
    except BaseException:
        file.close()
        raise
    if first is None:
        file.close()
        raise InputError(f"{stream.name} holds no image")
    with file:
        images = np.memmap(file, np.uint8, "c", shape=(len(labels), *first))
    known = np.array(labels, np.int64)
    classes = stream.classes or tuple(map(str, range(int(known.max()) + 1)))
    return InMemory(ArrayDataset(images, known, classes, stream.name))


def _chosen(count: int | None, limit: int | None) -> frozenset[int] | None:
    if count is None or limit is None or limit >= count:
        return None
    return frozenset(np.linspace(0, count - 1, limit).round().astype(np.int64).tolist())


def _pixels(
    item: Streamed,
    shape: Shape,
    pixels: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    folder: Path,
    decoding: DecodeConfig,
) -> NDArray[np.uint8]:
    if isinstance(item, np.ndarray):
        return pixels(item)
    return shape(_decoded(item, folder, decoding) if isinstance(item, Encoded) else item)


def _decoded(item: Encoded, folder: Path, decoding: DecodeConfig) -> Image.Image:
    """The image, read as a file, so that the rules for files hold."""
    path = folder / f"image{Path(item.name).suffix or '.jpg'}"
    path.write_bytes(item.content)
    try:
        return open_image(path, decoding)
    except InputError as error:
        raise type(error)(str(error).replace(str(path), item.name)) from None


def _label(label: Any, stream: Stream, place: int) -> int:
    if isinstance(label, bytes | str):
        if stream.classes is not None and str(label) in stream.classes:
            return stream.classes.index(str(label))
        try:
            label = int(label)
        except ValueError:
            raise InputError(
                f"{stream.name}: the label of image {place} is {str(label)[:40]!r}, which is no number; give the names "
                "of the classes (classes), or whole numbers from 0"
            ) from None
    array = np.asarray(label)
    if array.size != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{stream.name}: the label of image {place} must be one whole number, got {array.dtype}{list(array.shape)}"
        )
    number = int(array.reshape(()))
    most = None if stream.classes is None else len(stream.classes)
    if number < 0 or (most is not None and number >= most):
        raise InputError(
            f"{stream.name}: the label of image {place} is {number}; expected 0 to {(most or 1) - 1}"
            if most
            else f"{stream.name}: the label of image {place} is {number}; labels are 0 or more"
        )
    return number
