import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ipmix.data.datasets import ArrayDataset, scan
from ipmix.data.sources import OnDisk
from ipmix.methods import METHODS
from ipmix.mixing_set.mixing_set import MixingSet
from ipmix.training.config import TrainingConfig
from ipmix.training.run_record import difference, record_of


def dataset(fill: int = 0) -> ArrayDataset:
    images = np.full((4, 2, 2, 3), fill, np.uint8)
    return ArrayDataset(images, np.arange(4), tuple("abcd"), "mine")


def test_a_record_goes_through_json() -> None:
    mixing = np.zeros((5, 4, 4, 3), np.uint8)
    record = record_of(TrainingConfig(), dataset(), dataset(), METHODS["ipmix"](), mixing)
    assert json.loads(json.dumps(record)) == json.loads(json.dumps(record))
    assert record["method"]["name"] == "IPMix"
    assert record["mixing"]["count"] == 5


def test_every_part_of_an_experiment_counts() -> None:
    method, mixing = METHODS["ipmix"](), np.zeros((5, 4, 4, 3), np.uint8)
    base = record_of(TrainingConfig(), dataset(), dataset(), method, mixing)
    other = mixing.copy()
    other[3, 0, 0, 0] = 1
    variants = {
        "training.seed": record_of(TrainingConfig(seed=1), dataset(), dataset(), method, mixing),
        "data.crc32": record_of(TrainingConfig(), dataset(1), dataset(), method, mixing),
        "test": record_of(TrainingConfig(), dataset(), None, method, mixing),
        "method.k": record_of(TrainingConfig(), dataset(), dataset(), METHODS["ipmix"](k=2), mixing),
        "mixing.sha256": record_of(TrainingConfig(), dataset(), dataset(), method, other),
    }
    assert difference(base, record_of(TrainingConfig(), dataset(), dataset(), method, mixing)) == []
    for key, variant in variants.items():
        (line,) = difference(base, variant)
        assert line.startswith(f"{key}: ")


def test_a_difference_says_there_and_here() -> None:
    assert difference({"a": 1, "b": {"c": "x"}}, {"a": 1, "b": {"c": "y"}, "d": 2}) == [
        "b.c: 'y' -> 'x'",
        "d: 2 -> None",
    ]


def test_files_are_known_by_content_and_not_by_where_they_lie(tmp_path: Path) -> None:
    for name, fill in (("a/1.png", 0), ("b/2.png", 90)):
        path = tmp_path / "data" / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (fill, 0, 0)).save(path)

    def record(folder: Path) -> dict[str, Any]:
        test = OnDisk(scan(folder, "train"), 4)
        return record_of(TrainingConfig(), scan(folder, "train"), test, None, None)

    first = record(tmp_path / "data")
    assert first["data"]["name"] == "data train"
    (tmp_path / "data").rename(tmp_path / "moved")
    assert difference(record(tmp_path / "moved"), first) == []
    path = tmp_path / "moved" / "train" / "b" / "2.png"
    before = path.stat()
    Image.new("RGB", (4, 4), (91, 0, 0)).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    lines = difference(record(tmp_path / "moved"), first)
    assert [line.partition(":")[0] for line in lines] == ["data.sha256", "test.sha256"]


def test_every_mixing_image_counts() -> None:
    images = np.zeros((100, 4, 4, 3), np.uint8)
    records = [record_of(TrainingConfig(), dataset(), None, None, images)]
    for place in range(0, 100, 9):
        changed = images.copy()
        changed[place, 3, 3, 2] = 1
        records.append(record_of(TrainingConfig(), dataset(), None, None, MixingSet.array(changed)))
    assert len({record["mixing"]["sha256"] for record in records}) == len(records)
