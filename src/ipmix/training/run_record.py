"""What identifies a training run: settings, data, method, mixing set; as JSON holds it."""

import dataclasses
import hashlib
import json
import zlib
from typing import Any

import numpy as np

from ipmix.core.json_text import json_text
from ipmix.data.contents import digest_of
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.sources import OnDisk
from ipmix.methods.protocol import Method
from ipmix.recipe.mixing_images import MixingImages
from ipmix.training.config import TrainingConfig


def record_of(
    config: TrainingConfig,
    dataset: ArrayDataset | FileDataset,
    test: ArrayDataset | OnDisk | None,
    method: Method | None,
    mixing: MixingImages | None,
) -> dict[str, Any]:
    """The run's record. Two runs with the same record and the same version give the same network.

    Images are identified by their bytes and labels, those in files also by their names from the class folder on; the
    set's own name is told, but :func:`difference` does not count it.
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
        return {
            "name": dataset.name,
            "files": len(dataset),
            "classes": len(dataset.classes),
            "sha256": digest_of(dataset),
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
    """How many images, and a hash of them all: the set's own, if it knows one."""
    if mixing is None:
        return None
    identity = getattr(mixing, "identity", None)
    if not isinstance(identity, str):
        digest = hashlib.sha256()
        for place in range(len(mixing)):
            image = np.ascontiguousarray(mixing[place])
            digest.update(repr(image.shape).encode())
            digest.update(image.data)
        identity = digest.hexdigest()
    return {"count": len(mixing), "sha256": identity}


def difference(ours: dict[str, object], theirs: dict[str, object]) -> list[str]:
    """Where two experiments differ, one line a key: ``key: theirs -> ours``; what sets of images are called is none."""
    return _difference(_without_names(ours), _without_names(theirs))


def changes(there: dict[str, object], saved: dict[str, object]) -> list[str]:
    """As :func:`difference`, to the letter: a key that is missing is no null, and 1 no true; empty if there is none."""
    one, other = _without_names(there), _without_names(saved)
    if json_text(one, sort_keys=True) == json_text(other, sort_keys=True):
        return []
    keys = [key for key in sorted({*one, *other}) if json_text(one.get(key)) != json_text(other.get(key))]
    missing = sorted({*one} ^ {*other})
    return _difference(one, other) or [f"{key}: missing, or of another kind" for key in missing or keys]


def _without_names(record: dict[str, object]) -> dict[str, object]:
    """The record of the same experiment on data in a folder that is called something else."""
    changed = dict(record)
    for key in ("data", "test"):
        if isinstance(about := record.get(key), dict):
            changed[key] = {name: value for name, value in about.items() if name != "name"}
    return changed


def _difference(ours: dict[str, object], theirs: dict[str, object]) -> list[str]:
    lines = []
    for key in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(key), theirs.get(key)
        if isinstance(mine, dict) and isinstance(other, dict):
            lines += [f"{key}.{line}" for line in _difference(mine, other)]
        elif mine != other:
            lines.append(f"{key}: {other!r} -> {mine!r}")
    return lines
