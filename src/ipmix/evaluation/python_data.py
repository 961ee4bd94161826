"""Labelled images as Python objects have them: arrays, tensors, data sets, loaders, generators."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.libraries import IMAGE_COLUMNS, LABEL_COLUMNS, is_hugging_face, of_hugging_face
from ipmix.data.sources import InMemory, OnDisk
from ipmix.data.streams import Stream
from ipmix.models.outputs import shown

CHANNELS = (1, 3, 4)

EXPECTED = (
    "expected images uint8[N, H, W, C] with labels, a folder, a torch Dataset or DataLoader, a Hugging Face data set, "
    "or an iterable of (images, labels)"
)


def found_in(data: Any, labels: Any, classes: Sequence[str] | None) -> ArrayDataset | FileDataset | Stream:
    """The labelled images in a Python object.

    Args:
        data: see :data:`EXPECTED`; images are bytes, or floats in [0, 1], channels first or last.
        labels: int[N] of an array of images; None where ``data`` brings its own.
        classes: the classes' names; by default the data's own, if it has some.

    Raises:
        InputError: it is something else, or images and labels don't go together.
    """
    names = None if classes is None else tuple(map(str, classes))
    if isinstance(data, InMemory | OnDisk):
        data = data.dataset if isinstance(data, InMemory) else data.files
    if isinstance(data, ArrayDataset | FileDataset):
        return data
    if isinstance(data, tuple) and len(data) == 2 and labels is None and _is_array(data[0]):
        data, labels = data
    if _is_array(data):
        return _of_array(data, labels, names)
    if labels is not None:
        raise InputError(f"labels are for an array of images; a {type(data).__name__} brings its own")
    if is_hugging_face(data):
        found = of_hugging_face(data)
        return found if names is None else Stream(found.name, found.items, names, found.count, found.decoding)
    if callable(data) and not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        return Stream(getattr(data, "__name__", "images"), lambda: _each(data(), "data()"), names)
    if not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise InputError(f"data is a {type(data).__name__}; {EXPECTED}")
    name = type(_innermost(data)).__name__
    own = names if names is not None else _own_classes(data)
    return Stream(
        "images" if name in ("generator", "list", "tuple") else name, lambda: _each(data, name), own, _count(data)
    )


def _is_array(data: Any) -> bool:
    return hasattr(data, "shape") and hasattr(data, "dtype") and not hasattr(data, "iloc")


def _of_array(data: Any, labels: Any, names: tuple[str, ...] | None) -> ArrayDataset:
    if labels is None:
        raise InputError(f"images {shown_array(data)} come without labels: pass labels, one whole number an image")
    images = batch_of(data, "images")
    numbers = np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
    if numbers.shape != (len(images),) or numbers.dtype.kind not in "iu":
        raise InputError(
            f"labels are one whole number for each of the {len(images)} images, got {shown_array(numbers)}"
        )
    if numbers.size and numbers.min() < 0:
        place = int((numbers < 0).argmax())
        raise InputError(f"labels[{place}] is {numbers[place]}; labels are numbers of classes from 0")
    if names is not None and numbers.max(initial=-1) >= len(names):
        place = int((numbers >= len(names)).argmax())
        raise InputError(f"labels[{place}] is {numbers[place]}; there are {len(names)} classes, 0 to {len(names) - 1}")
    known = names or tuple(map(str, range(int(numbers.max(initial=-1)) + 1)))
    return ArrayDataset(images, numbers.astype(np.int64), known, "images")


def _count(data: Any) -> int | None:
    """How many images there are, where every item is one."""
    return len(data) if hasattr(data, "__len__") and not hasattr(data, "batch_size") else None


def _innermost(data: Any) -> Any:
    while hasattr(data, "dataset") and data.dataset is not None and data.dataset is not data:
        data = data.dataset
    return data


def _own_classes(data: Any) -> tuple[str, ...] | None:
    found = getattr(_innermost(data), "classes", None)
    if isinstance(found, Sequence) and not isinstance(found, str) and all(isinstance(name, str) for name in found):
        return tuple(found)
    return None


def _each(data: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Every image with its label, out of items that are one of both or a batch of them."""
    items = data if hasattr(data, "__iter__") else (data[place] for place in range(len(data)))
    for number, item in enumerate(items):
        images, labels = _pair(item, f"{name}, item {number}")
        if isinstance(images, Image.Image):
            yield images, labels
        elif isinstance(images, list | tuple) and images and isinstance(images[0], Image.Image):
            yield from zip(images, _as_list(labels, len(images), name))
        else:
            batch = batch_of(images, f"{name}, item {number}")
            many = getattr(images, "ndim", 0) == 4
            yield from zip(batch, _as_list(labels, len(batch), name) if many else [labels])


def _pair(item: Any, where: str) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        image = next((key for key in IMAGE_COLUMNS if key in item), None)
        label = next((key for key in LABEL_COLUMNS if key in item), None)
        if image is None or label is None:
            raise InputError(f"{where} has {', '.join(map(str, item))}; expected an image and a label")
        return item[image], _plain(item[label])
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], _plain(item[1])
    raise InputError(f"{where} is {shown(item)}; expected (images, labels)")


def _plain(labels: Any) -> Any:
    return labels.cpu().numpy() if hasattr(labels, "cpu") else labels


def _as_list(labels: Any, count: int, name: str) -> list[Any]:
    found = np.asarray(labels).reshape(-1).tolist()
    if len(found) != count:
        raise InputError(f"{name}: a batch has {count} images and {len(found)} labels")
    return found


def batch_of(images: Any, where: str) -> NDArray[np.uint8]:
    """Images uint8[N, H, W, C] of a tensor or array of one or several: bytes or floats in [0, 1], channels anywhere.

    Raises:
        InputError: they are something else; of floats outside [0, 1] that they seem to be normalised already.
    """
    first = hasattr(images, "cpu")  # tensors have their channels first, arrays last, unless it can't be
    array = np.asarray(images.detach().cpu()) if first else np.asarray(images)
    if array.ndim == 2:
        array = array[:, :, None] if not first else array[None]
    if array.ndim == 3:
        array = array[None]
    if array.ndim == 4 and not len(array):
        raise InputError(f"{where} holds no image: expected at least one, got {array.dtype}{list(array.shape)}")
    if not first and array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] in CHANNELS:
        raise InputError(
            f"{where}: {array.dtype}{list(array.shape)} may be [N, C, H, W] with images {array.shape[3]} wide, or "
            f"[N, H, W, C] with images {array.shape[1]} high: give a torch tensor for [N, C, H, W] "
            "(torch.from_numpy(images)), or images of at least 4 pixels"
        )
    if array.ndim != 4 or 0 in array.shape:
        raise InputError(f"{where}: images are [N, H, W, C] or [N, C, H, W], got {array.dtype}{list(array.shape)}")
    usual, other = (1, 3) if first else (3, 1)
    axis = usual if array.shape[usual] in CHANNELS or array.shape[other] not in CHANNELS else other
    if axis == 1:
        array = array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(_bytes_of(array, where))


def _bytes_of(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise InputError(f"{where}: images are uint8, or floats in [0, 1], got {array.dtype}")
    values = array.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < -1e-3 or high > 1.001:
        advice = (
            "they look normalised: leave Normalize out of the data's transform and pass mean and std to ipmix.evaluate"
        )
        if 0 <= low and 1.001 < high <= 255.0:
            advice = "divide them by 255"
        raise InputError(f"{where}: floats must lie in [0, 1], got {low:.3g} to {high:.3g}; {advice}")
    return np.rint(255.0 * values).clip(0, 255).astype(np.uint8)


def shown_array(data: Any) -> str:
    """ "uint8[10, 32, 32, 3]"."""
    return f"{str(data.dtype).removeprefix('torch.')}{list(data.shape)}"
