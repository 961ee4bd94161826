"""Several processes, really started: slow to start, so one start serves several checks."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ipmix import models
from ipmix.core import processes
from ipmix.core.errors import InputError
from ipmix.core.processes import Processes

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ipmix.data.datasets import ArrayDataset
from ipmix.core.errors import InputError
from ipmix.training.loader import Loader
from ipmix.training.config import TrainingConfig
from ipmix.training.loop import train

draws = np.random.default_rng(0)
labels = np.arange(43, dtype=np.int64) % 3
images = draws.integers(0, 120, (43, 8, 8, 3), dtype=np.uint8)
images[np.arange(43), :, :, labels] += 80
data = ArrayDataset(images, labels, ("red", "green", "blue"), "colors")
test = ArrayDataset(images[:21], labels[:21], data.classes, "colors")
out = Path(sys.argv[1])
base = TrainingConfig(model="vit-small-cifar", dropout=0.0, epochs=2, batch_size=10, lr=0.01, log_steps=1)
options = dict(device="cpu", quiet=True)
train(base, data, test, out / "plain", **options)
train(replace(base, accumulate=2, jsd=True), data, test, out / "jsd", **options)
train(replace(base, model="wrn-10-1"), data, test, out / "batchnorm", **options)
large = ArrayDataset(images.repeat(2, 1).repeat(2, 2), labels, data.classes, "colors")
train(replace(base, model="fast-cifar", epochs=1, norm_bias_factor=64.0), large, None, out / "whitened", **options)
# Stopped after its first epoch; what one process has left goes on in this number of them.
if len(sys.argv) > 2:
    train(base, data, test, Path(sys.argv[2]), resume=True, **options)
else:
    plain = Loader.epoch
    Loader.epoch = lambda loader, epoch, start=0: plain(loader, epoch, start) if epoch == 0 else 1 / 0
    try:
        train(base, data, test, out / "stopped", **options)
    except ZeroDivisionError:
        pass
    Loader.epoch = plain
# Resumed after its end, and another experiment refused: in every process, without one waiting for another.
train(base, data, test, out / "plain", resume=True, **options)
try:
    train(replace(base, seed=1), data, test, out / "plain", resume=True, **options)
except InputError as error:
    (out / f"refused-{train.__module__}-{__import__('os').environ.get('RANK', '0')}").write_text(str(error))
"""


def start(script: Path, out: Path, processes: int, stopped: Path | None = None) -> None:
    out.mkdir()
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    words = [*command, str(script), str(out), *([] if stopped is None else [str(stopped)])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Path]]:
    """The same trainings in one process and in two."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "script.py").write_text(SCRIPT)
    start(folder / "script.py", folder / "1", 1)
    start(folder / "script.py", folder / "2", 2, folder / "1" / "stopped")
    yield {processes: folder / str(processes) for processes in (1, 2)}
    shutil.rmtree(folder)  # some 700 MB of networks, which each worker would keep to the end


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["plain", "jsd"])
def test_two_processes_train_as_one_does(runs: dict[int, Path], name: str) -> None:
    one, two = rows(runs[1] / name), rows(runs[2] / name)
    assert len(one) == len(two) == 12
    for first, second in zip(one, two, strict=True):
        assert first == pytest.approx(second, rel=1e-5, abs=1e-5)
    first, second = (models.load(runs[n] / name / "last.safetensors").state_dict() for n in (1, 2))
    for key, value in first.items():
        assert torch.allclose(value, second[key], atol=1e-5), key


def test_two_processes_go_on_where_one_stopped(runs: dict[int, Path]) -> None:
    whole, resumed = rows(runs[1] / "plain"), rows(runs[1] / "stopped")
    assert len(whole) == len(resumed) == 12
    for first, second in zip(whole, resumed, strict=True):
        assert first == pytest.approx(second, rel=1e-5, abs=1e-5)
    assert whole[:6] == resumed[:6]
    assert whole[6:] != resumed[6:], "added in another order: two processes have really computed it"


def test_weights_made_of_the_training_images_are_those_of_one_process(runs: dict[int, Path]) -> None:
    one, two = (models.load(runs[n] / "whitened" / "last.safetensors").state_dict() for n in (1, 2))
    assert torch.equal(one["network.whitening.weight"], two["network.whitening.weight"])
    assert not torch.equal(one["network.head.weight"], two["network.head.weight"]), "BatchNorm sees half of a batch"


def test_the_comparison_can_fail(runs: dict[int, Path]) -> None:
    """BatchNorm sees half of each batch in each of two processes: another network comes out."""
    one, two = rows(runs[1] / "batchnorm"), rows(runs[2] / "batchnorm")
    assert one[0]["recent_loss"] == pytest.approx(two[0]["recent_loss"], rel=0.2)
    assert one[-1]["loss"] != pytest.approx(two[-1]["loss"], rel=1e-5)


def test_a_refusal_reaches_every_process(runs: dict[int, Path]) -> None:
    texts = [path.read_text() for path in sorted(runs[2].glob("refused-*"))]
    assert len(texts) == 2
    assert texts[0] == texts[1]
    assert "training.seed: 0 -> 1" in texts[0]


@pytest.mark.parametrize(
    ("device", "world", "accelerator", "expected"),
    [
        ("cpu", "1", "cuda", True), ("cpu", "2", "cuda", True), ("auto", "1", None, False), ("auto", "1", "mps", False),
        ("auto", "2", None, True), ("auto", "2", "mps", True), ("auto", "2", "cuda", False),
        ("auto", "2", "xpu", False),
    ],
)  # fmt: skip
def test_several_processes_without_an_accelerator_join_on_the_processors(
    monkeypatch: pytest.MonkeyPatch, device: str, world: str, accelerator: str | None, expected: bool
) -> None:
    """Left to itself Accelerate joins none, and each would train alone."""
    monkeypatch.setenv("WORLD_SIZE", world)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(accelerator or "cpu"))
    assert processes._on_processors(device) is expected


def test_half_precision_without_an_accelerator():
    with pytest.raises(InputError, match="precision float16 is for accelerators"):
        Processes("float16", "cpu")


@pytest.mark.parametrize(
    ("gpus", "told"), [(1, "has 1 GPU and was given 4 processes"), (2, "has 2 GPUs and was given 4")]
)
def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch, gpus: int, told: str) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(InputError, match=f"{told}.*--processes {gpus}; torchrun: --nproc-per-node {gpus}"):
        processes.check_one_each("auto")
    processes.check_one_each("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    processes.check_one_each("auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    processes.check_one_each("auto")
