"""Sets in the forms of other libraries, read through them: WebDataset's tar shards and Hugging Face data sets.

==========================  =========================================================================
DATA                        what it is
==========================  =========================================================================
``PATH.tar``                a WebDataset shard: ``key.jpg`` and ``key.cls`` side by side
``PATH-{000..009}.tar``     several, by a brace pattern
``hf:NAME``                 a Hugging Face data set by its name, or a folder that ``load_dataset`` takes
``hf:PATH``                 a data set that ``save_to_disk`` wrote
==========================  =========================================================================
"""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, first_line
from ipmix.data.decoding import DEFAULT, SUFFIXES, DecodeConfig
from ipmix.data.streams import Encoded, Stream

IMAGE_COLUMNS = ("image", "img", "images", "picture", "jpg", "png", "pixel_values")
LABEL_COLUMNS = ("label", "labels", "fine_label", "cls", "class", "target")
"""Where a row's image and label are looked for, in this order."""

HUGGING_FACE = "hf:"


def is_of_library(data: str) -> bool:
    """Whether DATA is read through another library."""
    return data.startswith(HUGGING_FACE) or data.split("?")[0].lower().endswith(".tar")


def open_stream(data: str, split: str | None = None, decoding: DecodeConfig = DEFAULT) -> Stream:
    """The images that DATA names (see the table above); nothing is decoded yet.

    Args:
        data: what to open.
        split: of a Hugging Face data set; test, validation or val, whichever is there, if left out.
        decoding: how images are decoded.

    Raises:
        InputError: the library isn't installed, there is no such set, or it has no images and labels.
    """
    if data.startswith(HUGGING_FACE):
        return of_hugging_face(_loaded(data.removeprefix(HUGGING_FACE)), split, data, decoding)
    return _of_shards(data, decoding)


# --- WebDataset --------------------------------------------------------------------------------------------


def _of_shards(data: str, decoding: DecodeConfig) -> Stream:
    reading = _library("webdataset.tariterators", data)
    braceexpand = importlib.import_module("braceexpand")
    paths = list(braceexpand.braceexpand(data))
    for path in paths:
        if "://" not in path and not Path(path).is_file():
            raise InputError(f"there is no shard {path} ({data}); expected .tar files of WebDataset")

    def items() -> Iterator[tuple[Encoded, Any]]:
        for sample in reading.group_by_keys(reading.tar_file_expander(_opened(paths))):
            name = f"{Path(sample.get('__url__', data)).name}/{sample['__key__']}"
            image = next((ending for ending in sample if f".{ending.split('.')[-1].lower()}" in SUFFIXES), None)
            if image is None:
                raise InputError(f"{name} holds {', '.join(_shown(sample))} and no image (jpg, png, webp, ...)")
            yield Encoded(sample[image], f"{name}.{image}"), _label_of_sample(sample, name)

    return Stream(Path(paths[0]).stem if len(paths) == 1 else Path(data).name, _told(items, data), decoding=decoding)


def _opened(paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The shards' bytes, each closed when the next is due (the library closes none)."""
    gopen = importlib.import_module("webdataset.gopen").gopen
    for path in paths:
        with closing(gopen(path)) as stream:
            yield {"url": path, "stream": stream}


def _label_of_sample(sample: Mapping[str, Any], name: str) -> Any:
    for ending in ("cls", "cls.txt", "label", "label.txt", "txt"):
        if ending in sample:
            return sample[ending].decode(errors="replace").strip()
    if "json" in sample:
        try:
            content = json.loads(sample["json"])
        except ValueError as error:
            raise InputError(f"{name}.json is not JSON ({first_line(error)})") from None
        for key in LABEL_COLUMNS:
            if isinstance(content, dict) and key in content:
                return content[key]
    raise InputError(f"{name} holds {', '.join(_shown(sample))} and no label; expected cls, or json with a label")


def _shown(sample: Mapping[str, Any]) -> list[str]:
    return [key for key in sample if not key.startswith("__")] or ["nothing"]


# --- Hugging Face ------------------------------------------------------------------------------------------


def _loaded(name: str) -> Any:
    datasets = _library("datasets", f"hf:{name}")
    path = Path(name)
    try:
        if path.is_dir() and any(
            (path / file).is_file() for file in ("dataset_info.json", "dataset_dict.json", "state.json")
        ):
            return datasets.load_from_disk(str(path))
        return datasets.load_dataset(name)
    except Exception as error:  # a library's many kinds: no network, no such set, a damaged file
        raise InputError(f"hf:{name} can't be opened ({type(error).__name__}: {first_line(error)})") from None


def is_hugging_face(data: Any) -> bool:
    """Whether an object is a data set of Hugging Face's library, or a dict of its splits."""
    return any(
        kind.__module__.split(".")[0] == "datasets"
        and kind.__name__ in ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict")
        for kind in type(data).__mro__
    )


def of_hugging_face(data: Any, split: str | None = None, name: str = "", decoding: DecodeConfig = DEFAULT) -> Stream:
    """A Hugging Face data set as a stream; of several splits the one to measure on; errors as :func:`open_stream`."""
    called = name or "the Hugging Face data set"
    if isinstance(data, Mapping):
        data = data[_split_of(data, split, called)]
    features = getattr(data, "features", None) or {}
    kinds = {column: type(feature).__name__ for column, feature in features.items()}
    image = _column(called, "image", [c for c, kind in kinds.items() if kind == "Image"], IMAGE_COLUMNS, kinds)
    label = _column(called, "label", [c for c, kind in kinds.items() if kind == "ClassLabel"], LABEL_COLUMNS, kinds)
    if kinds.get(image) == "Image":
        image_feature = importlib.import_module("datasets").Image
        data = data.cast_column(image, image_feature(decode=False))

    def items() -> Iterator[tuple[Any, Any]]:
        for place, row in enumerate(data):
            value = row[image]
            if isinstance(value, Mapping):
                path = value.get("path") or f"image {place}"
                content = value.get("bytes")
                value = Encoded(content if content is not None else Path(path).read_bytes(), str(path))
            yield value, row[label]

    names = getattr(features.get(label), "names", None)
    count = len(data) if hasattr(data, "__len__") else None
    about = name.removeprefix(HUGGING_FACE) or getattr(getattr(data, "info", None), "dataset_name", None) or "dataset"
    return Stream(Path(about).name, _told(items, called), None if names is None else tuple(names), count, decoding)


def _split_of(data: Mapping[str, Any], split: str | None, name: str) -> str:
    known = list(data)
    chosen = split or next((word for word in ("test", "validation", "val") if word in known), None)
    if chosen is None and len(known) == 1:
        chosen = known[0]
    if chosen not in known:
        raise InputError(f"{name} has no split {chosen or 'test'}; it has {', '.join(known)}: pass one (--split)")
    return str(chosen)


def _column(name: str, what: str, typed: list[str], usual: tuple[str, ...], kinds: Mapping[str, str]) -> str:
    """The column that holds what is looked for: the only one of its type, else one of a usual name."""
    for column in (*[c for c in usual if c in typed], *typed, *[c for c in usual if c in kinds]):
        return column
    raise InputError(f"{name} has no column of {what}s: it has {', '.join(kinds) or 'none'}; call it {usual[0]}")


# --- both ------------------------------------------------------------------------------------------------------


def _library(module: str, data: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        extra = module.split(".")[0]
        raise InputError(f'{data} needs {extra}, which is not installed: pip install "ipmix[{extra}]"') from None


def _told(items: Any, data: str) -> Any:
    """``items``, whose library's errors say in one line which data can't be read."""

    def safe() -> Iterator[tuple[Any, Any]]:
        try:
            yield from items()
        except (InputError, GeneratorExit):
            raise
        except Exception as error:
            raise InputError(f"{data} can't be read ({type(error).__name__}: {first_line(error)})") from None

    return safe
