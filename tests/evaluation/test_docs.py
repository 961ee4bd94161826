"""The snippets of docs/evaluating.md, each run as it stands."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402

TEXT = (Path(__file__).parents[2] / "docs" / "evaluating.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    labels = np.arange(24) % 2
    images = draws.integers(0, 120, (24, 16, 16, 3), dtype=np.uint8) + (100 * labels[:, None, None, None]).astype(
        np.uint8
    )
    np.savez("clean.npz", images=images, labels=labels)
    np.save("images.npy", images)
    np.save("labels.npy", labels)
    torch.manual_seed(0)
    models.save(tmp_path / "net.safetensors", models.build("wrn-10-1", ("dark", "bright")), {"size": 16})
    return tmp_path


def test_the_python_runs(here: Path) -> None:
    assert len(snippets("python")) == 3
    arrays = np.load("clean.npz")
    names = {"images": arrays["images"], "labels": arrays["labels"], "model": models.load(here / "net.safetensors")}
    exec("\n".join(snippets("python")), names)
    assert (here / "results" / "first" / "scorecard.json").is_file()


def test_the_commands_run(here: Path) -> None:
    lines = [line for block in snippets("sh") for line in block.splitlines() if line]
    assert len(lines) == 5
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    for name in ("checks.xml", "summary.md", "both.html", "results/corrupted/scorecard.json"):
        assert (here / name).is_file(), name
