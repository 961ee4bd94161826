"""What identifies a training run: settings, data, method, mixing set; as JSON holds it."""

import dataclasses
import json
import os
import zlib
from typing import Any

import numpy as np

from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.sources import OnDisk
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.training.config import TrainingConfig

SAMPLE = 32
"""Images of a mixing set that its hash is made of."""


def record_of(
    config: TrainingConfig,
    dataset: ArrayDataset | FileDataset,
    test: ArrayDataset | OnDisk | None,
    method: Method | None,
    mixing: MixingImages | None,
) -> dict[str, Any]:
    """The run's record. Two runs with the same record and the same version give the same network.

    Images in memory are identified by their bytes, files on disk by their names.
    """
    return {
        "training": dataclasses.asdict(config),
        "data": _images(dataset),
        "test": None if test is None else _images(test),
        "method": _method(method),
        "mixing": _mixing(mixing),
    }


def _images(dataset: ArrayDataset | FileDataset | OnDisk) -> dict[str, Any]:
    if isinstance(dataset, OnDisk):
        return {**_images(dataset.files), "size": dataset.size, "crop": dataset.crop}
    if isinstance(dataset, FileDataset):
        names = "\n".join(f"{path.parent.name}/{path.name}" for path in dataset.paths)
        code = zlib.crc32(dataset.labels.tobytes(), zlib.crc32(os.fsencode(names)))
        return {
            "name": dataset.name,
            "files": len(dataset),
            "classes": len(dataset.classes),
            "crc32": f"{code:08x}",
            **({"decoding": dataset.decoding.mark().strip()} if dataset.decoding.mark() else {}),
        }
    images = np.ascontiguousarray(dataset.images)
    return {
        "name": dataset.name,
        "shape": list(dataset.images.shape),
        "classes": len(dataset.classes),
        "crc32": f"{zlib.crc32(dataset.labels.tobytes(), zlib.crc32(images.data)):08x}",
    }


def _method(method: Method | None) -> dict[str, Any] | None:
    if method is None:
        return None
    settings: dict[str, Any] = {}
    if dataclasses.is_dataclass(method) and not isinstance(method, type):
        settings = dataclasses.asdict(method)
    described: dict[str, Any] = json.loads(json.dumps(settings, default=repr))
    return {"name": type(method).__name__, **described}


def _mixing(mixing: MixingImages | None) -> dict[str, Any] | None:
    """How many images, and a hash of some of them, spread over the set."""
    if mixing is None:
        return None
    code = 0
    for place in np.unique(np.linspace(0, len(mixing) - 1, SAMPLE).astype(int)):
        code = zlib.crc32(np.ascontiguousarray(mixing[int(place)]).data, code)
    return {"count": len(mixing), "crc32": f"{code:08x}"}


def difference(ours: dict[str, object], theirs: dict[str, object]) -> list[str]:
    """Where two experiments differ, one line a key: ``key: theirs -> ours``."""
    lines = []
    for key in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(key), theirs.get(key)
        if isinstance(mine, dict) and isinstance(other, dict):
            lines += [f"{key}.{line}" for line in difference(mine, other)]
        elif mine != other:
            lines.append(f"{key}: {other!r} -> {mine!r}")
    return lines
