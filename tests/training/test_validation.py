from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ipmix import models
from ipmix.core.processes import Processes
from ipmix.data.datasets import ArrayDataset, scan
from ipmix.data.sources import OnDisk
from ipmix.training import validation
from ipmix.training.losses import cross_entropy
from ipmix.training.validation import error_and_loss, on_device


def test_each_image_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
    test = ArrayDataset(images, draws.integers(0, 3, 23), ("a", "b", "c"), "test")
    torch.manual_seed(0)
    network = models.build("wrn-10-1", 3)
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(images).permute(0, 3, 1, 2))
    wrong = sum(int(row.argmax()) != label for row, label in zip(logits, test.labels, strict=True))
    for size in (1, 5, 23, 100):
        monkeypatch.setattr(validation, "BATCH", size)
        figures = error_and_loss(network.train(), test, Processes("float32", "cpu"), channels_last=True)
        assert figures["test_error"] == pytest.approx(100 * wrong / 23)
        expected = cross_entropy(logits, torch.from_numpy(test.labels)).item()
        assert figures["test_loss"] == pytest.approx(expected, rel=1e-5)


def test_broken_files_are_left_out_of_the_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "BATCH", 1)
    (tmp_path / "test" / "a").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((9, 9, 3), 80 * i, np.uint8)).save(tmp_path / "test" / "a" / f"{i}.png")
    (tmp_path / "test" / "a" / "1.png").write_bytes(b"")
    source = OnDisk(scan(tmp_path, "test"), 8, skip_broken=True)
    network = models.build("wrn-10-1", 1)
    figures = error_and_loss(network, source, Processes("float32", "cpu"), channels_last=False)
    assert figures == {"test_error": 0.0, "test_loss": 0.0}


def test_the_bytes_keep_their_order_for_channels_last() -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    for channels_last in (True, False):
        tensor = on_device(images, torch.device("cpu"), channels_last=channels_last)
        assert tensor.shape == (2, 3, 4, 5)
        assert np.array_equal(tensor.numpy(), images.transpose(0, 3, 1, 2))
        assert tensor.is_contiguous(memory_format=torch.channels_last) == channels_last
