import json

import numpy as np

from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
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
