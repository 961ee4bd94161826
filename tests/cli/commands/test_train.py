from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix import models
from ipmix.cli.commands.choosing import method_named
from ipmix.cli.main import main
from ipmix.core.errors import InputError
from ipmix.methods import METHODS

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
    assert [line.split(":")[0] for line in lines] == ["last", "best"]
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
    assert "data train: passed over 1 broken images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["DATA", "--method", "sharpen"], "no method 'sharpen'"),
        (["DATA", "--method", "none", "--preset", "paper-cifar"], "leave out the preset"),
        (["DATA", "--method", "none", "--mixing-set", "x"], "leave out the mixing set"),
        (["DATA", "--mixing-set", "nowhere"], "nowhere"),
        (["DATA", "--method-option", "q=3"], "no option 'q'"),
        (["DATA", "--method-option", "k=0"], "k must be a whole number of at least 1"),
        (["DATA", "--model", "lenet", "--method", "none"], "unknown model 'lenet'"),
        (["DATA", "--weights", "nowhere.pt", "--method", "none"], "nowhere.pt"),
        (["DATA", "--test-split", "test", "--method", "none"], "no 'test' folder"),
        (["digits", "--crop", "resized"], "digits is not one"),
        (["DATA", "--resume", "--force"], "pass one of them"),
        (["DATA", "--epochs", "0"], "epochs is at least 1"),
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
    assert method_named("none", None, {}) is None
    assert method_named("ipmix", None, {}) == kind()
    assert method_named("ipmix", "code-cifar", {}) == kind.preset("code-cifar")
    options = {"k": "4", "patch_sizes": "[4, 8]", "overflow": "wrap"}
    assert method_named("ipmix", None, options) == kind(k=4, patch_sizes=(4, 8), overflow="wrap")
    with pytest.raises(InputError, match="no preset 'best'"):
        method_named("ipmix", "best", {})
