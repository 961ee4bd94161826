import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix import models
from ipmix.cli import words
from ipmix.cli.commands.choosing import MethodWords
from ipmix.cli.commands.train import OLD_WORDS, chosen_by, train
from ipmix.cli.main import _renamed, main
from ipmix.core.errors import InputError
from ipmix.methods import METHODS
from ipmix.training.config import TrainingConfig

QUICK = ["--model", "wrn-10-1", "--epochs", "1", "--batch-size", "8", "--device", "cpu", "--quiet"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes, 8x8 images, a split for training and one for testing."""
    draws = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for name in ("cat", "dog"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{i}.png")
    (tmp_path / "mixing").mkdir()
    for i in range(3):
        pixels = draws.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "mixing" / f"{i}.png")
    return tmp_path / "data"


def test_a_run_from_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    mixing = ["--mixing-set", str(tmp_path / "mixing")]
    assert main(["train", str(data), "--out", str(out), *mixing, *QUICK, "--jsd"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["last", "best", "Measure it"]
    network = models.load(out / "last.safetensors")
    assert network.classes == ("cat", "dog")
    experiment = models.facts(out / "last.safetensors")["experiment"]
    assert isinstance(experiment, dict)
    assert experiment["method"]["name"] == "IPMix"
    assert experiment["test"]["name"] == "data val"
    # Again: refused, then resumed, then replaced.
    before = (out / "metrics.jsonl").read_bytes()
    assert main(["train", str(data), "--out", str(out), *mixing, *QUICK, "--jsd"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["train", str(data), "--out", str(out), *mixing, *QUICK, "--jsd", "--resume"]) == 0
    assert main(["train", str(data), "--out", str(out), *mixing, *QUICK, "--resume"]) == 2
    assert "training.jsd: True -> False" in capsys.readouterr().err
    assert (out / "metrics.jsonl").read_bytes() == before
    assert main(["train", str(data), "--out", str(out), *QUICK, "--method", "none", "--force"]) == 0
    assert (out / "metrics.jsonl").read_bytes() != before


def test_broken_images_are_named_or_counted(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "train" / "dog" / "3.png").write_bytes(b"")
    command = ["train", str(data), "--out", str(tmp_path / "run"), "--method", "none", *QUICK]
    assert main(command) == 2
    assert "dog/3.png is empty" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command, "--skip-broken"]) == 0
    assert "passed over 1 broken image; " in capsys.readouterr().err
    assert (tmp_path / "run" / "broken.txt").read_text() == f"{data / 'train' / 'dog' / '3.png'}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["DATA", "--method", "sharpen"], "no method 'sharpen'"),
        (["DATA", "--method", "none", "--preset", "paper-cifar"], "leave out the preset"),
        (["DATA", "--method", "none", "--mixing-set", "x"], "leave out the mixing set"),
        (["DATA", "--mixing-set", "nowhere"], "nowhere"),
        (["DATA", "--method-option", "q=3"], "no option 'q'"),
        (["DATA", "--method-option", "k=0"], "k must be a whole number from 1 to 1024"),
        (["DATA", "--model", "lenet", "--method", "none"], "unknown model 'lenet'"),
        (["DATA", "--weights", "nowhere.pt", "--method", "none"], "nowhere.pt"),
        (["DATA", "--test-split", "test", "--method", "none"], "no 'test' folder"),
        (["digits", "--crop", "resized"], "digits is not one"),
        (["DATA", "--resume", "--force"], "pass one of them"),
        (["DATA", "--epochs", "0"], "epochs is at least 1"),
        (["DATA", "--lr", "nan", "--method", "none"], "lr is a finite number"),
        (["DATA", "--crop", "resized", "--size", "64"], "leave out size"),
        (["DATA", "--threads", "0"], "threads is at least 1, got 0"),
        (["DATA", "--sync-batchnorm", "--method", "none"], "sync_batchnorm needs CUDA; this run is on cpu"),
        (["DATA", "--labl-smoothing", "0.1"], "did you mean --label-smoothing?"),
    ],
)
def test_bad_input_ends_with_code_2_and_nothing_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    out = tmp_path / "run"
    arguments = [str(data) if word == "DATA" else word for word in words]
    assert main(["train", *QUICK, *arguments, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_methods_by_name() -> None:
    kind = METHODS["ipmix"]
    assert MethodWords("none").chosen() is None
    assert MethodWords().chosen() == kind()
    assert MethodWords("ipmix", "code-cifar").chosen() == kind.preset("code-cifar")
    options = MethodWords("ipmix", None, (("k", "4"), ("patch_sizes", "[4, 8]"), ("overflow", "wrap")))  # type: ignore[arg-type]
    assert options.chosen() == kind(k=4, patch_sizes=(4, 8), overflow="wrap")
    assert options.config().options == {"k": 4, "patch_sizes": [4, 8], "overflow": "wrap"}
    with pytest.raises(InputError, match="no preset 'best'"):
        MethodWords("ipmix", "best").chosen()


def test_a_training_preset_begins_and_options_replace_it(capsys: pytest.CaptureFixture[str]) -> None:
    def training(line: str) -> TrainingConfig:
        given = line.split()
        found: TrainingConfig = words.parse("ipmix train", chosen_by(given), given).named["training"]
        return found

    preset = TrainingConfig.preset("fast-cifar")
    assert training("digits --out x --training-preset fast-cifar") == preset
    changed = TrainingConfig.preset("fast-cifar", epochs=3, jsd=True, flip=False)
    assert training("digits --epochs 3 --jsd --no-flip --training_preset=fast-cifar --out x") == changed
    assert training("digits --out x") == TrainingConfig() != preset
    assert main(["train", "digits", "--out", "x", "--training-preset", "faster"]) == 2
    assert "no training preset 'faster'; there is fast-cifar" in capsys.readouterr().err
    assert main(["train", "--training-preset", "fast-cifar", "--help"]) == 0
    assert re.search(r"norm-bias-factor X[^-]*\(default: 64", capsys.readouterr().out)


def test_every_training_setting_is_an_option_and_stands_nowhere_else() -> None:
    names = [field.name for field in fields(TrainingConfig)]
    config = TrainingConfig(lr=0.3, label_smoothing=0.1, ema_decay=0.9, pad=2, crop_size=64, flip=False)
    line = "digits --out x --learning-rate 0.3 --smoothing=0.1 --average 0.9 --pad 2 --crop-size 64 --no-flip"
    renamed = [_renamed(word, OLD_WORDS) for word in line.split()]
    call = words.parse("ipmix train", train, renamed)
    assert call.named["training"] == config
    assert call.named["data"].source == "digits"
    help_text = subprocess.run(
        [sys.executable, "-m", "ipmix", "train", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in names:
        assert f"--{name.replace('_', '-')}" in help_text
    text = inspect.getsource(sys.modules[train.__module__])
    again = [name for name in names if re.search(rf"\b{name}\b *[:=]", text)]
    assert again == ["seed"], "which is that of the mixing images"
