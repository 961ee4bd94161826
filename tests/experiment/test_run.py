import json
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ipmix import models
from ipmix.cli.main import main
from ipmix.core.errors import InputError
from ipmix.evaluation.request import MeasureRequest
from ipmix.experiment.config import (
    DataConfig,
    EvaluationConfig,
    ExecutionConfig,
    ExperimentConfig,
    MethodConfig,
    MixingConfig,
)
from ipmix.experiment.config_file import read
from ipmix.experiment.run import check, open_datasets, train
from ipmix.methods.choosing import chosen_method
from ipmix.models.dual_norm import has_dual_norms
from ipmix.training.checkpoint import read_state
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Loader
from ipmix.training.objective import views_of

FILES = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))
TRAINING = {"model": "wrn-10-1", "epochs": 1, "batch_size": 8, "crop_size": 16}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of images of different sizes."""
    draws = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 4)):
        for name in ("cat", "dog"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(count):
                sides = tuple(draws.integers(18, 40, 2))
                pixels = draws.integers(0, 256, (*sides, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{i}.jpg")
    return tmp_path / "data"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_experiment_file_reads(path: Path) -> None:
    experiment = read(ExperimentConfig, path)
    chosen_method(experiment.method.name, experiment.method.preset, experiment.method.options)
    header = path.read_text().split("\n\n")[0]
    # The header is the record: the command, what it ran on, how long, what to expect.
    for word in ("Command:", "Hardware:", "Time:", "Expected:"):
        assert word in header, word
    assert re.search(rf"ipmix experiment experiments/{re.escape(path.name)} --out \S+", header)
    assert path.stem.startswith(Path(experiment.data.source).name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_parts_of_every_experiment_file_fit_each_other(path: Path) -> None:
    experiment = read(ExperimentConfig, path)
    method = chosen_method(experiment.method.name, experiment.method.preset, experiment.method.options)
    views_of(experiment.training, method)
    with torch.device("meta"):
        network = models.build(experiment.training.model, 10)
    assert has_dual_norms(network) == (experiment.method.name == "augmax")
    # A mixing set is named where, and only where, the method needs one.
    assert ("\nmixing:" in path.read_text()) == (method is not None and method.needs_mixing_images)
    wanted = experiment.evaluation
    MeasureRequest(wanted.corruptions, wanted.severities, perturbations=wanted.perturbations).plan(32)


def test_training_on_files_of_any_size(folder: Path, tmp_path: Path) -> None:
    data = DataConfig(str(folder), crop="resized")
    experiment = ExperimentConfig(
        data, MethodConfig("ipmix"), MixingConfig(count=4), TrainingConfig(**TRAINING, jsd=True)
    )
    runs = []
    for threads in (1, 3):
        out = tmp_path / f"run{threads}"
        runs.append(train(experiment, out, ExecutionConfig(threads=threads, device="cpu", quiet=True)))
        assert models.facts(out / "last.safetensors")["size"] == 16
    first, second = (run.model.state_dict() for run in runs)
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert (tmp_path / "run1" / "metrics.jsonl").read_bytes() == (tmp_path / "run3" / "metrics.jsonl").read_bytes()


def test_training_on_files_goes_on_after_one_has_vanished(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops, names the file, keeps the last state; resumed with other threads it ends with the same bytes."""
    training = TrainingConfig(**{**TRAINING, "epochs": 3, "batch_size": 4}, log_steps=1)
    experiment = ExperimentConfig(
        DataConfig(str(folder), crop="resized"), MethodConfig("ipmix"), MixingConfig(count=4), training
    )
    options: dict[str, Any] = {"device": "cpu", "quiet": True, "checkpoint_seconds": 0.0}
    train(experiment, tmp_path / "whole", ExecutionConfig(threads=1, **options))
    victim, hidden = folder / "train" / "cat" / "2.jpg", tmp_path / "hidden.jpg"
    plain = Loader._batch
    batches = []

    def vanishing(self: Loader, *what: Any) -> Any:
        batches.append(what)
        if len(batches) == 5:  # in the middle of the second epoch
            victim.rename(hidden)
        return plain(self, *what)

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "_batch", vanishing)
        with pytest.raises(InputError, match=r"2\.jpg does not exist"):
            train(experiment, tmp_path / "stopped", ExecutionConfig(threads=1, **options))
    position = read_state(tmp_path / "stopped" / "state.pt")["position"]
    assert position["epoch"] in (1, 2)
    hidden.rename(victim)
    train(experiment, tmp_path / "stopped", ExecutionConfig(threads=3, resume=True, **options))
    for file in ("metrics.jsonl", "last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "stopped" / file).read_bytes(), file
    steps = [json.loads(line)["step"] for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == list(range(1, 10))


def test_only_the_first_process_looks_whether_the_folder_is_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another of torchrun's may come when the first has already begun to write."""
    experiment = ExperimentConfig(
        data=DataConfig(source=str(folder), size=16),
        method=MethodConfig(name="none"),
        training=TrainingConfig(**TRAINING),
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metrics.jsonl").touch()
    begun: list[object] = []
    monkeypatch.setattr("ipmix.experiment.run.train_network", lambda *words, **_: begun.append(words))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    train(experiment, tmp_path / "out", ExecutionConfig(quiet=True))
    assert len(begun) == 1
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="exists and is not empty"):
        train(experiment, tmp_path / "out", ExecutionConfig(quiet=True))
    assert len(begun) == 1


def test_broken_files_are_found_before_training(folder: Path) -> None:
    (folder / "train" / "cat" / "2.jpg").write_bytes(b"no")
    broken: list[Path] = []
    files, _ = open_datasets(DataConfig(str(folder), crop="resized", skip_broken=True), 16, quiet=True, broken=broken)
    assert len(files) == 11
    assert broken == [folder / "train" / "cat" / "2.jpg"]
    experiment = ExperimentConfig(
        DataConfig(str(folder), crop="resized"), MethodConfig("none"), training=TrainingConfig(**TRAINING)
    )
    with pytest.raises(InputError, match=r"2\.jpg"):
        train(experiment, folder.parent / "run", ExecutionConfig(device="cpu", quiet=True))


def test_an_experiment_on_images_that_come_with_the_library(tmp_path: Path) -> None:
    """Their size is theirs: nothing is cropped for measuring."""
    (tmp_path / "mine.yaml").write_text(
        """
data: {source: digits}
method: {name: none}
training: {model: wrn-10-1, epochs: 1, batch_size: 256, flip: false}
evaluation: {corruptions: [gaussian_noise], severities: [1], attack: false, limit: 4}
"""
    )
    out = tmp_path / "r\u202eun"  # was refused as a run's name, when the training was over
    command = ["experiment", str(tmp_path / "mine.yaml"), "--out", str(out), "--quiet", "--device", "cpu"]
    assert main(command) == 0
    results: dict[str, Any] = json.loads((out / "results.json").read_text())
    assert results["measured"]["last"]["run"]["name"] == r"r\u202eun (last epoch)"
    assert results["measured"]["last"]["measures"]["clean_error"]["value"] is not None


def test_mixing_images_of_a_kind(folder: Path, tmp_path: Path) -> None:
    experiment = ExperimentConfig(
        DataConfig(str(folder), crop="resized"), MethodConfig("ipmix"), MixingConfig(count=3, mix="ifs=1"),
        TrainingConfig(**TRAINING),
    )  # fmt: skip
    train(experiment, tmp_path / "ifs", ExecutionConfig(device="cpu", quiet=True))
    other = replace(experiment, mixing=MixingConfig(count=3, mix="flame=1"))
    train(other, tmp_path / "flame", ExecutionConfig(device="cpu", quiet=True))
    about = [json.loads((tmp_path / name / "experiment.json").read_text())["mixing"] for name in ("ifs", "flame")]
    assert [one["count"] for one in about] == [3, 3]
    assert about[0]["sha256"] != about[1]["sha256"]
    with pytest.raises(InputError, match="mixing: unknown kind of image 'fls'"):
        check(replace(experiment, mixing=MixingConfig(mix="fls=1")))


def test_a_whole_experiment_from_its_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"""
data: {{source: {folder}, size: 16}}
method: {{name: none}}
training: {{model: wrn-10-1, epochs: 5, batch_size: 8}}
evaluation: {{corruptions: [gaussian_noise], severities: [1], attack: false, limit: 4}}
"""
    )
    command = ["experiment", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "run"), "--quiet", "--device", "cpu"]
    assert main([*command, "--set", "training.epochs=2"]) == 0
    results: dict[str, Any] = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["record"]["training"]["epochs"] == 2
    assert results["last"]["epoch"] == 2
    assert "last" in results["measured"]
    measured = results["measured"]["last"]["measures"]
    assert results["measured"]["last"]["pictures"] == 4
    error = next(value for key, value in measured.items() if "error" in key)
    assert error
    before = (tmp_path / "run" / "results.json").read_bytes()
    assert main([*command, "--set", "training.epochs=2"]) == 2
    assert main([*command, "--set", "training.epochs=2", "--resume"]) == 0
    assert (tmp_path / "run" / "results.json").read_bytes() == before
    assert main([*command, "--set", "training.epoch=2"]) == 2
    assert "did you mean 'epochs'" in capsys.readouterr().err


def settings_file(folder: Path, data: Path) -> Path:
    file = folder / "a.yaml"
    training = json.dumps(TRAINING)
    evaluation = "{corruptions: [contrast], severities: [1], attack: false}"
    file.write_text(f"data: {{source: {json.dumps(str(data))}}}\ntraining: {training}\nevaluation: {evaluation}\n"
                    "method: {name: none}\n")  # fmt: skip
    return file


@pytest.mark.parametrize(("name", "called"), [("r\u202ex", "r\\u202ex"), ("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J")])
def test_a_folder_of_any_name_is_measured(folder: Path, tmp_path: Path, name: str, called: str) -> None:
    """It is not refused when the training is over: the run is called by the name as it can be shown."""
    file, out = settings_file(tmp_path, folder), tmp_path / name
    words = ("--device", "cpu", "--quiet", "--set", "data.size=16")
    assert main(["experiment", str(file), "--out", str(out), *words]) == 0
    card = json.loads((out / "measured-last" / "scorecard.json").read_text())
    assert card["run"]["name"] == f"{called} (last epoch)"


def test_what_can_not_be_measured_is_refused_before_the_training(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = settings_file(tmp_path, folder), tmp_path / "out"
    words = ["experiment", str(file), "--out", str(out), "--device", "cpu", "--quiet", "--set", "data.size=16"]
    out.mkdir()
    (out / "measured-best").symlink_to(tmp_path)
    assert main(words) == 2
    assert "measured-best is a link" in capsys.readouterr().err
    (out / "measured-best").unlink()
    (folder / "test").rename(tmp_path / "val")
    assert main(words) == 2
    assert "has only train and nothing to measure the network on" in capsys.readouterr().err
    assert not list(out.iterdir())
    (tmp_path / "val").rename(folder / "val")
    assert main(words) == 0, "what training tests on is what the network is measured on"
    assert json.loads((out / "measured-last" / "scorecard.json").read_text())["pictures"] == 8


def test_a_run_that_went_on_is_recorded_like_one_that_did_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the byte, with the command that made it in the record."""
    file, out = settings_file(tmp_path, folder), tmp_path / "out"
    words = ["experiment", str(file), "--out", str(out), "--device", "cpu", "--quiet", "--set", "data.size=16"]

    def run(*more: str) -> None:
        monkeypatch.setattr(sys, "argv", ["/usr/bin/ipmix", *words, *more])
        assert main([*words, *more]) == 0

    def record() -> dict[str, bytes]:
        measured = (out / "measured-last").rglob("*")
        return {path.name: path.read_bytes() for path in (out / "results.json", *measured) if path.is_file()}

    run()
    whole = record()
    told = json.loads(whole["made.json"])["command"]
    assert told == shlex.join(["ipmix", *words])
    (out / "results.json").unlink()
    shutil.rmtree(out / "measured-last")
    run("--resume")  # measures anew
    assert record() == whole
    (out / "results.json").unlink()
    (out / "measured-last" / "scorecard.json").unlink()
    run("--resume")  # goes on with its predictions
    assert record() == whole


def test_a_limit_of_no_images_is_refused() -> None:
    with pytest.raises(InputError, match="limit is at least 1, got 0"):
        EvaluationConfig(limit=0)


def test_cifar_has_no_files_to_crop() -> None:
    with pytest.raises(InputError, match="reads files"):
        DataConfig("cifar10", crop="resized")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads is at least 1, got 0"),
        ({"threads": 2000}, "threads is at most 1024, got 2000"),
        ({"checkpoint_seconds": float("nan")}, "checkpoint_seconds is a finite number"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds is a finite number"),
        ({"resume": True, "force": True}, "pass one of them"),
    ],
)
def test_ways_to_carry_out_a_run_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExecutionConfig(**options)


def test_random_parts_have_one_size(folder: Path) -> None:
    with pytest.raises(InputError, match=r"leave out size \(got 64\)"):
        DataConfig(str(folder), size=64, crop="resized")
    with pytest.raises(InputError, match="size is at least 8, got 0"):
        DataConfig(str(folder), size=0)
    with pytest.raises(InputError, match="at least 1, got 0"):
        MixingConfig(count=0)


def test_built_in_images_are_measured_at_the_size_they_are_trained_at(tmp_path: Path) -> None:
    from ipmix.experiment.run import run_experiment

    experiment = ExperimentConfig(
        data=DataConfig(source="digits", size=16),
        method=MethodConfig(name="none"),
        training=TrainingConfig(model="wrn-10-1", epochs=1, batch_size=64),
        evaluation=EvaluationConfig(corruptions=("none",), attack=False, limit=200),
    )
    card = run_experiment(experiment, tmp_path / "out", ExecutionConfig(quiet=True), names=("last",))["measured"][
        "last"
    ]
    assert card["measures"]["clean_error"]["value"] is not None
    assert json.loads((tmp_path / "out" / "measured-last" / "scorecard.json").read_text())["made"]["side"] == 16
