"""Gates of pipelines: exit codes, the row that failed, JUnit's XML and the summary."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402
from ipmix.evaluation import evaluating, gating  # noqa: E402
from ipmix.evaluation.foreseen import foreseen  # noqa: E402
from ipmix.report.comparison import settings_of  # noqa: E402

PLAIN = ("--corruptions", "none", "--no-attack", "--device", "cpu", "--quiet")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on the same images: of a network, and of one that answers the contrary."""
    folder = tmp_path_factory.mktemp("gates")
    draws = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = draws.integers(0, 120, (60, 16, 16, 3), dtype=np.uint8) + (100 * labels[:, None, None, None]).astype(
        np.uint8
    )
    np.savez(folder / "clean.npz", images=images, labels=labels)
    for name, sign in (("good", 1.0), ("bad", -1.0)):
        torch.manual_seed(0)
        built = models.build("wrn-10-1", ("dark", "bright"))
        with torch.no_grad():
            for module in built.modules():
                if isinstance(module, torch.nn.Linear):
                    module.weight.mul_(sign)
                    module.bias.mul_(sign)
        models.save(folder / f"{name}.safetensors", built, {"size": 16})
    for name in ("good", "bad"):
        assert evaluate(folder, name, name) == 0
    errors = [error_of(folder / name) for name in ("good", "bad")]
    if errors[0] > errors[1]:
        (folder / "good").rename(folder / "other")
        (folder / "bad").rename(folder / "good")
        (folder / "other").rename(folder / "bad")
        (folder / "good.safetensors").rename(folder / "other.safetensors")
        (folder / "bad.safetensors").rename(folder / "good.safetensors")
        (folder / "other.safetensors").rename(folder / "bad.safetensors")
    return folder


def evaluate(folder: Path, network: str, out: str, *words: object) -> int:
    command = [
        "evaluate",
        folder / f"{network}.safetensors",
        folder / "clean.npz",
        "--out",
        folder / out,
        *PLAIN,
        *words,
    ]
    return main(list(map(str, command)))


def error_of(folder: Path) -> float:
    import json

    value: float = json.loads((folder / "scorecard.json").read_text())["measures"]["clean_error"]["value"]
    return value


def test_a_bound(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--junit", here / "checks.xml", "--summary", here / "summary.md"]
    bounds = ["--fail-if", "clean_error > 0.01", "--fail-if", "brier > 2.5"]
    assert evaluate(here, "bad", "bad", *bounds, *files) == 1
    said = capsys.readouterr().err
    assert "failed: Clean error" in said
    assert "Brier" not in said
    suite = ElementTree.parse(here / "checks.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert len(suite.findall("testcase/failure")) == 1
    text = (here / "summary.md").read_text()
    assert "1 of 2 checks failed" in text
    assert "| **failed** | Clean error |" in text
    assert evaluate(here, "bad", "bad", "--fail-if", "clean_error > 100", *files) == 0
    assert "All checks passed" in (here / "summary.md").read_text()


def test_against_a_baseline(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = ["--baseline", here / "good", "--no-worse-than", "0.01"]
    assert evaluate(here, "bad", "bad", *held) == 1
    assert "at most 1.00 points worse" in capsys.readouterr().err
    assert evaluate(here, "bad", "bad", "--baseline", here / "good", "--no-worse-than", "1") == 0
    assert evaluate(here, "good", "good", "--baseline", here / "bad", "--no-worse-than", "0.01") == 0


def test_reports(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--out", str(here / "both.html"), "--fail-if-worse", "--force"]
    assert main(["report", str(here / "good"), str(here / "bad"), *words]) == 1
    assert "failed: Clean error" in capsys.readouterr().err
    assert main(["report", str(here / "bad"), str(here / "good"), *words]) == 0
    assert main(["report", str(here / "bad"), *words]) == 2


@pytest.fixture
def never_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(*_: object, **__: object) -> None:
        raise AssertionError("measuring was begun")

    monkeypatch.setattr(evaluating, "predict", predict)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "40"], "they differ in data"),
        (["--corruptions", "fog", "--severities", "1"], "they differ in corruptions (none and fog)"),
        (["--attack", "--attack-images", "5"], "they differ in attack (none and "),
        (["--perturbations", "tilt"], "they differ in perturbations (none and tilt)"),
    ],
)
@pytest.mark.usefixtures("never_predicts")
def test_a_baseline_of_other_settings_is_refused_before_any_work(
    here: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = ["--baseline", here / "good", "--no-worse-than", "0.01"]
    assert evaluate(here, "bad", "never", *held, *words) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not (here / "never").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RMS > 3"], "rms_calibration_error will not be given: RMS calibration error needs at least 100 images"),
        (["rms_calibration_error_published > 3"], "will not be given: not given below 200 images, got 60"),
        (["clean_error_top5 > 3"], "will not be given: it is not measured"),
        (["c_bar_error > 3", "--corruptions", "fog"], "c_bar_error will not be given"),
        (["normalised_mean_corruption_error > 3", "--corruptions", "test"], "will not be given"),
        (["chosen_corruption_error > 3", "--corruptions", "test"], "will not be given"),
        (["top5_distance > 3", "--perturbations", "cifar"], "will not be given"),
        (["aupr < 30"], "is not measured; pass --anomalies"),
    ],
)
@pytest.mark.usefixtures("never_predicts")
def test_a_bound_of_what_will_not_be_measured_is_refused_before_any_work(
    here: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(here, "good", "never", "--fail-if", *words) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not (here / "never").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fail-if", "clean_eror > 3"], "did you mean clean_error?"),
        (["--fail-if", "clean_error is 3"], 'a bound is such as "mCE > 40"'),
        (["--fail-if", "clean_error > x"], "a bound is one of"),
        (["--fail-if", "clean_error > nan"], "a bound is one of"),
        (["--fail-if", "mCE > 1e999"], "a bound is a finite number, got 1e999"),
        (["--fail-if", "zzz > 1"], "clean_error, clean_error_top5, mean_corruption_error"),
        (["--fail-if", "clean_eror > 3"], "and for short error, mCE, mFP"),
        (["--fail-if", "clean_error > 500%"], "clean_error lies in 0% to 100%, got the bound 500%"),
        (["--fail-if", "clean_error < -1"], "clean_error lies in 0% to 100%"),
        (["--junit", "/proc/checks.xml"], "can't write --junit /proc/checks.xml"),
        (["--fail-if", "brier > 3%"], "is no percentage"),
        (["--fail-if", "mFP > 3"], "is not measured; pass --perturbations"),
        (["--fail-if", "mCE > 3"], "is not measured; pass --corruptions"),
        (["--fail-if", "MCE > 3"], "MCE may be two things"),
        (["--fail-if", "mCE > 3", "--corruptions", "fog"], "write chosen_corruption_error"),
        (["--fail-if", "mFP > 3", "--perturbations", "tilt"], "write chosen_flip_probability"),
        (["--fail-if", "mT5D > 3", "--perturbations", "tilt"], "write chosen_top5_distance"),
        (["--no-worse-than", "0.1"], "pass --baseline"),
        (["--junit", "missing/checks.xml"], "the folder missing does not exist"),
        (["--summary", "."], "--summary . is a folder"),
    ],
)
def test_bad_input_before_any_work(
    here: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(here, "good", "never", *words) == 2
    assert message in capsys.readouterr().err
    assert not (here / "never").exists()


def test_what_is_foreseen_is_what_is_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measures that have a figure, those that have none, and the settings, of a run with everything in it."""
    import json

    told = []

    def keep(*given: object, **named: object) -> object:
        told.append(foreseen(*given, **named))  # type: ignore[arg-type]
        return told[-1]

    monkeypatch.setattr(evaluating, "foreseen", keep)
    words = ["--corruptions", "fog,spatter", "--severities", "1,2", "--perturbations", "brightness,tilt", "--attack",
             "--attack-images", "7", "--steps", "2", "--baseline", here / "good", "--fail-if", "brier > 9"]  # fmt: skip
    assert evaluate(here, "bad", "all", *words) == 0
    card = json.loads((here / "all" / "scorecard.json").read_text())
    figures = {name: figure["value"] for name, figure in card["measures"].items()}
    assert told[0].measures == {name for name, value in figures.items() if value is not None}
    assert set(told[0].absent) == {name for name, value in figures.items() if value is None}
    assert settings_of(told[0].card) == settings_of(card)


def test_bounds_that_hold_are_told_and_files_lie_in_the_results(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bounds = ["--fail-if", "clean_error > 100", "--fail-if", "brier > 2.5"]
    assert evaluate(here, "good", "fresh", *bounds, "--junit", here / "fresh" / "ci" / "checks.xml") == 0
    assert capsys.readouterr().out.endswith("all 2 bounds hold\n")
    assert (here / "fresh" / "ci" / "checks.xml").is_file()


def test_a_file_that_cannot_be_written_does_not_hide_the_verdict(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gating, "write_text", full)
    words = ["--junit", here / "full.xml", "--fail-if"]
    assert evaluate(here, "bad", "bad", *words, "clean_error > 0.01") == 1
    said = capsys.readouterr().err
    assert said.index("failed: Clean error") < said.index("No space left")
