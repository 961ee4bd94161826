"""Whole commands started by torchrun, in one process and in two: the same results, written by the first alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SETTINGS = """
data: {source: DATA, size: 8}
method: {name: none}
training: {model: vit-small-cifar, epochs: 2, batch_size: 8, lr: 0.01, dropout: 0.0}
evaluation: {corruptions: [brightness], severities: [1, 5], attack: false}
"""

SCRIPT = """
import os, sys, time
from ipmix.evaluation import plan, predicting
from ipmix.training import checkpoint
plan.CHUNK = predicting.CHUNK = 5
save = checkpoint.RunFolder.save_network
def late(*words):  # the others would be gone by then, if they looked for themselves
    time.sleep(1.0)
    return save(*words)
checkpoint.RunFolder.save_network = late
from ipmix.cli.main import main
code = 0
for command in open(sys.argv[1]).read().split("\\n\\n"):
    code = code or main(command.split("\\n"))
sys.exit(code)
"""


def data_in(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 6)):
        for place, name in enumerate(("cat", "dog")):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draws.integers(60 * place, 150 + 60 * place, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Path]]:
    """The same commands in one process and in two: experiment, the same resumed, train, evaluate, evaluate again."""
    folder = tmp_path_factory.mktemp("processes")
    data = data_in(folder / "data")
    (folder / "file.yaml").write_text(SETTINGS.replace("DATA", str(data)))
    (folder / "script.py").write_text(SCRIPT)
    for count in (1, 2):
        out = folder / str(count)
        out.mkdir()
        device = ["--device", "cpu", "--quiet"]
        experiment = ["experiment", folder / "file.yaml", "--out", out / "experiment", *device]
        evaluate = ["evaluate", out / "train", data, "--out", out / "evaluate", "--corruptions", "contrast", "--quiet"]
        evaluate += ["--severities", "3", "--steps", "2", "--device", "cpu", "--anomalies", data / "test"]
        train = ["train", data, "--size", "8", "--model", "vit-small-cifar", "--epochs", "1", "--batch-size", "8"]
        train += ["--dropout", "0", "--method", "none", "--out", out / "train", "--device", "cpu", "--quiet"]
        commands = [experiment, [*experiment, "--resume"], train, evaluate, evaluate]
        (out / "commands").write_text("\n\n".join("\n".join(map(str, words)) for words in commands))
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        done = subprocess.run(
            [*start, str(folder / "script.py"), str(out / "commands")],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, "\n".join(line for line in done.stderr.splitlines() if line.startswith("ipmix"))
        (out / "printed").write_text(done.stdout)
    yield {count: folder / str(count) for count in (1, 2)}
    shutil.rmtree(folder)  # some 700 MB of networks, which each worker would keep to the end


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def figures(card: dict[str, Any]) -> dict[str, float | None]:
    return {name: figure["value"] for name, figure in card["measures"].items()}


def test_an_experiment_is_trained_and_measured(runs: dict[int, Path]) -> None:
    one, two = (read(runs[count] / "experiment" / "results.json") for count in (1, 2))
    assert one["measured"].keys() == two["measured"].keys() >= {"last"}
    for name, card in one["measured"].items():
        assert figures(card) == pytest.approx(figures(two["measured"][name]), abs=1e-4)
        assert card["corruptions"] == two["measured"][name]["corruptions"]
    assert one["last"] == pytest.approx(two["last"], rel=1e-4)
    assert len(list((runs[2] / "experiment" / "measured-last" / "predictions").glob("part-*.npz"))) == 3


def test_train_and_evaluate_do_the_same(runs: dict[int, Path]) -> None:
    one, two = (read(runs[count] / "evaluate" / "scorecard.json") for count in (1, 2))
    assert figures(one) == pytest.approx(figures(two), abs=1e-4)
    assert one["measures"]["anomaly_auroc"]["value"] is not None


def test_the_first_process_alone_prints(runs: dict[int, Path]) -> None:
    printed = {count: (runs[count] / "printed").read_text() for count in (1, 2)}
    for words in ("Clean error", "last: epoch"):
        assert printed[1].count(words) == printed[2].count(words) > 0


def test_the_comparison_can_fail(runs: dict[int, Path]) -> None:
    card = read(runs[1] / "evaluate" / "scorecard.json")
    other = read(runs[1] / "experiment" / "results.json")["measured"]["last"]
    assert figures(card) != pytest.approx(figures(other), abs=1e-4)
