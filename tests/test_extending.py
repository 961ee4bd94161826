"""docs/extending.md: its files, written down as they stand there, and its commands, at work."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ipmix
from ipmix.core.errors import InputError
from ipmix.methods.choosing import chosen_method, named_method

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", TEXT, re.S))


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for name in FILES:
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src")]))}
    return subprocess.run([sys.executable, "-m", "ipmix", *words], capture_output=True, text=True, env=environment)


def test_the_files_are_short() -> None:
    assert set(FILES) == {"stripes.py", "darker.py", "weather.py", "margins.py", "tiny.py"}
    assert len(FILES["stripes.py"].splitlines()) <= 36
    body = FILES["stripes.py"][FILES["stripes.py"].index("@dataclass") :]
    assert len(body.splitlines()) <= 30


def test_a_method_as_recipes(images: np.ndarray) -> None:
    method = named_method("stripes:Stripes")
    table = ipmix.draw(method, images.shape, seed=0)
    assert "with the clean image after" in str(table[0]) or "clean" in str(table[0])
    both = [ipmix.apply(table, images, engine=engine) for engine in ("compiled", "reference")]
    assert np.array_equal(*both)
    changed = (both[0] != images).any(axis=(2, 3))
    assert changed.any()
    assert (changed.sum(axis=1) <= 8).all(), "in a band of 8 rows"
    alone = ipmix.augment(images[3:4], method, seed=0, indices=[3])
    assert np.array_equal(alone[0], both[0][3])
    assert chosen_method("stripes:Stripes", options={"height": 12}).height == 12  # type: ignore[union-attr]
    assert named_method("stripes:Stripes-height4").height == 4  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="stripes:Stripes has no option 'width'; it has height, operations"):
        chosen_method("stripes:Stripes", options={"width": 1})


def test_a_method_as_pixels(images: np.ndarray) -> None:
    method = named_method("darker:darker")
    made = ipmix.augment(images, method, seed=0)
    assert np.array_equal(made, ipmix.augment(images, method, seed=0, threads=3))
    assert np.array_equal(ipmix.Augmenter(method, seed=0)(images[5], index=5, epoch=0), made[5])
    assert not np.array_equal(ipmix.augment(images, method, seed=0, epoch=1), made)
    floats = ipmix.augment(images, method, seed=0, output="float32", layout="nchw", mean=0.5, std=0.5)
    assert np.allclose(floats.transpose(0, 2, 3, 1), (made / 255 - 0.5) / 0.5, atol=1e-6)
    with pytest.raises(InputError, match="a method of pixels has no recipes to look at, only darker knows"):
        ipmix.draw(method, images.shape, seed=0)[0]
    with pytest.raises(InputError, match=r"<lambda> must give uint8\[12, 32, 32, 3\] for such images, got float64"):
        ipmix.augment(images, ipmix.PixelMethod(lambda some, keys: some / 2), seed=0)


def test_a_corruption(images: np.ndarray) -> None:
    wet = ipmix.corrupt(images, "weather:rain", 5, seed=0)
    assert (ipmix.corrupt(images, "weather:rain", 1, seed=0) != images).sum() < (wet != images).sum()
    assert np.array_equal(ipmix.corrupt(images[4:6], "weather:rain", 5, seed=0, indices=[4, 5], threads=2), wet[4:6])
    Path("moved.py").write_text(Path("weather.py").read_text())
    assert np.array_equal(ipmix.corrupt(images, "moved:rain", 5, seed=0), wet), "its module's name plays no role"
    with pytest.raises(InputError, match="weather has no hail, for the corruption 'weather:hail'"):
        ipmix.corrupt(images, "weather:hail", 5, seed=0)
    with pytest.raises(InputError, match=r"weather:DROPS is no corruption: expected a function"):
        ipmix.corrupt(images, "weather:DROPS", 5, seed=0)


def test_the_commands(images: np.ndarray, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(images[0]).save("photo.jpg")
    done = run("augment", "photo.jpg", "--method", "stripes:Stripes", "--method-option", "height=12", "--explain",
               "--size", "32")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path("augmented.png").exists() or "wrote" in done.stdout
    np.save("data.npy", images)
    done = run("corrupt", "data.npy", "OUT", "--names", "weather:rain", "--severities", "1,5")
    assert done.returncode == 0, done.stderr
    assert "OUT: 1 of your own, each of 12 images" in done.stdout
    made = np.load("OUT/weather.rain.npy")
    assert np.array_equal(made[12:], ipmix.corrupt(images, "weather:rain", 5, seed=0))
    done = run("corrupt", "data.npy", "OUT", "--names", "weather:rain,fog", "--severities", "1", "--force")
    assert done.returncode == 0, done.stderr
    assert "OUT: 1 of the set c and 1 of your own, each of 12 images" in done.stdout
    assert np.load("OUT/weather.rain.npy").shape[0] == 12, "what stood there was written anew"
    done = run("corrupt", "data.npy", "OUT2", "--names", "weather:hail")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_evaluated_it_has_its_rows_but_counts_in_no_mean() -> None:
    """And a measure of one's own stands in the table, the page and the CSV."""
    pytest.importorskip("torch", reason="torch is not installed")
    from ipmix.evaluation.predictions import open_predictions
    from ipmix.evaluation.scorecard import score
    from ipmix.report.exports import rendered

    draws = np.random.default_rng(0)
    logits, labels = draws.normal(size=(40, 5)).astype(np.float32), draws.integers(0, 5, 40)
    worse = {f"corruption/{name}/1": draws.normal(size=(40, 5)).astype(np.float32) for name in ("fog", "weather:rain")}
    np.savez("both.npz", logits=logits, labels=labels, **worse)
    np.savez("fog.npz", logits=logits, labels=labels, **{"corruption/fog/1": worse["corruption/fog/1"]})
    cards = [
        score(open_predictions(Path(name)), own=["margins:small_margin"], samples=50, scores="logits")
        for name in ("both.npz", "fog.npz")
    ]
    assert set(cards[0]["corruptions"]) == {"fog", "weather:rain"}
    means = [card["measures"]["chosen_corruption_error"]["value"] for card in cards]
    assert means[0] == means[1] == cards[0]["corruptions"]["fog"]["1"]
    two = np.sort(logits, axis=1)[:, -2:]
    figure = cards[0]["measures"]["margins:small_margin"]
    assert figure["value"] == np.mean(two[:, 1] - two[:, 0] < 1)
    assert figure["interval"][0] <= figure["value"] <= figure["interval"][1]
    page, table = rendered(cards[:1], "html"), rendered(cards[:1], "csv")
    for place, text in ((page, "weather:rain"), (page, "margins:small_margin"), (table, "corruption/weather:rain/1,")):
        assert text in place
    assert ",margins:small_margin," in table
    with pytest.raises(InputError, match="margins:np is no measure"):
        score(open_predictions(Path("fog.npz")), own=["margins:np"], scores="logits")


def test_beside_c_bar_it_counts_in_no_mean_either(images: np.ndarray) -> None:
    """Its own set on the disk, in C-bar's layout; and figures of C-bar that are the same without it."""
    pytest.importorskip("torch", reason="torch is not installed")
    from ipmix.corruptions.severities import C_BAR_CIFAR
    from ipmix.evaluation.predictions import open_predictions
    from ipmix.evaluation.scorecard import score
    from ipmix.report.exports import rendered

    draws = np.random.default_rng(0)
    clean = {"logits": draws.normal(size=(40, 5)).astype(np.float32), "labels": draws.integers(0, 5, 40)}
    names = (*C_BAR_CIFAR[:2], "weather:rain")
    worse = {f"corruption/{name}/1": draws.normal(size=(40, 5)).astype(np.float32) for name in names}
    np.savez("with.npz", **clean, **worse)
    np.savez("without.npz", **clean, **{key: value for key, value in worse.items() if "rain" not in key})
    cards = [score(open_predictions(Path(name)), samples=50, scores="logits") for name in ("with.npz", "without.npz")]
    assert set(cards[0]["corruptions"]) == set(names)
    assert cards[0]["measures"] == cards[1]["measures"]
    assert cards[0]["measures"]["c_bar_error"]["value"] > 0
    for form in ("html", "csv"):
        assert "weather:rain" in rendered(cards[:1], form)
    np.save("data.npy", images)
    done = run("corrupt", "data.npy", "OUT", "--set", "c-bar", "--names", "weather:rain", "--severities", "5")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load("OUT/weather.rain.npy"), ipmix.corrupt(images, "weather:rain", 5, seed=0))


def test_a_corruption_is_no_perturbation_sequence(images: np.ndarray) -> None:
    from ipmix.evaluation.plan import EvaluationPlan

    np.save("data.npy", images)
    done = run("corrupt", "data.npy", "OUT", "--set", "p", "--names", "weather:rain")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    words = "weather:rain is no perturbation sequence: .* measured as one .--corruptions weather:rain; corrupt --set c"
    assert re.search(words, done.stderr)
    assert not Path("OUT").exists()
    for make in (
        lambda: EvaluationPlan(perturbations=("weather:rain",)),
        lambda: ipmix.perturb(images, "weather:rain", seed=0),
    ):
        with pytest.raises(InputError, match=words):
            make()


EXPERIMENT = """
data: {source: digits}
method: {name: none}
training: {model: 'tiny:tiny', epochs: 1}
evaluation:
  corruptions: [gaussian_noise, 'weather:rain']
  severities: [1]
  attack: false
  own_measures: ['margins:small_margin']
  limit: 50
"""


def test_an_experiment_file_measures_them_with_trust() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    Path("mine.yaml").write_text(EXPERIMENT)
    refused = run("experiment", "mine.yaml", "--out", "none")
    assert refused.returncode == 2
    assert re.search(r"mine\.yaml: \S+ names code, .*which would be run; pass --trust", refused.stderr)
    assert not Path("none").exists()
    done = run("experiment", "mine.yaml", "--out", "run", "--trust")
    assert done.returncode == 0, done.stderr
    card = json.loads(Path("run/results.json").read_text())["measured"]["last"]
    assert 0 <= card["measures"]["margins:small_margin"]["value"] <= 1
    assert set(card["corruptions"]) == {"gaussian_noise", "weather:rain"}
    noise = card["corruptions"]["gaussian_noise"]["1"]
    assert card["measures"]["chosen_corruption_error"]["value"] == pytest.approx(noise)


STUDY = """
title: mine
measures: [clean_error, small_margin, bad/small_margin]
base: {data: {source: digits}, training: {model: wrn-10-1}}
cells: {plain: {method: {name: none}}}
scales: {laptop: {passes: {clean: {}, bad: {limit: 20}, corruptions: {}}}}
"""


def test_a_study_has_them_as_columns_by_their_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from ipmix.core import extensions
    from ipmix.experiment.run import measures_of
    from ipmix.experiment.studies.comparing import figure
    from ipmix.experiment.studies.measuring import column_of
    from ipmix.experiment.studies.results import jobs, settings_of
    from ipmix.experiment.studies.study import open_study

    Path("mine.yaml").write_text(STUDY)
    with pytest.raises(InputError, match="there is no measure 'small_margin' for a study"):
        open_study("mine.yaml")
    points = {"ipmix.measures": [EntryPoint("small_margin", "margins:small_margin", "ipmix.measures")]}
    monkeypatch.setattr(extensions, "entry_points", lambda group: points.get(group, []))
    extensions.installed.cache_clear()
    try:
        study = open_study("mine.yaml")
        passes = study.passes("laptop")
        assert {name: one.own_measures for name, one in passes.items()} == {
            "clean": ("margins:small_margin",), "bad": ("margins:small_margin",),
        }  # fmt: skip
        assert measures_of(passes["clean"]).own == ("margins:small_margin",)
        assert [column_of(name).title for name in study.config.measures[1:]] == ["small_margin", "bad: small_margin"]
        value = {"margins:small_margin": {"value": 0.25}}
        result = {"passes": {"clean": {"measures": value}, "bad": {"measures": {}}}}
        assert [figure(result, name) for name in study.config.measures[1:]] == [0.25, None]
        (job,) = jobs(study, "laptop", [0])
        # A result without the measure is not this study's; a pass without measures of one's own is what it was.
        assert settings_of(job.passes["clean"]) == {"own_measures": ["margins:small_margin"]}
        Path("other.yaml").write_text(STUDY.replace("small_margin, bad/small_margin", "mean_corruption_error"))
        assert settings_of(open_study("other.yaml").passes("laptop")["clean"]) == {}
    finally:
        extensions.installed.cache_clear()
    for text in (STUDY.replace(" small_margin,", " 'margins:small_margin',"),
                 STUDY.replace("clean: {}", "clean: {own_measures: ['margins:small_margin']}")):  # fmt: skip
        Path("code.yaml").write_text(text)
        with pytest.raises(InputError, match=r"names code, 'margins:small_margin' .*pass --trust"):
            open_study("code.yaml")
        trusted = open_study("code.yaml", trust=True)
        assert measures_of(trusted.passes("laptop")["clean"]).own == ("margins:small_margin",)


def test_predictions_of_a_stranger_import_nothing() -> None:
    from ipmix.evaluation.conditions import Condition

    Path("trap.py").write_text("raise SystemExit('imported')\n")
    assert Condition.parse("corruption/trap:rain/3").key == "corruption/trap:rain/3"
    with pytest.raises(InputError, match="unknown corruption 'trap'"):
        Condition.parse("corruption/trap/3")


def test_a_network_is_trained_saved_and_opened_again_with_trust_alone(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from ipmix import models
    from ipmix.experiment.config import ExperimentConfig
    from ipmix.experiment.config_file import read
    from ipmix.models.loading import open_model

    done = run("train", "digits", "--out", "run", "--model", "tiny:tiny", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    saved = Path("run/last.safetensors")
    with pytest.raises(InputError, match=r"unknown model 'tiny:tiny': spelled as code of one's own.*pass --trust"):
        models.load(saved)
    images = torch.rand(2, 3, 8, 8)
    opened = [open_model(name, classes=10, trust=True) for name in ("run", str(saved))]
    with torch.no_grad():
        assert torch.equal(*(model(images[:, : opened[0].mean.numel()]) for model in opened))
    Path("theirs.yaml").write_text("data: {source: digits}\ntraining: {model: 'tiny:tiny'}")
    with pytest.raises(InputError, match=r"training\.model names code, 'tiny:tiny' \(str\), which would be run"):
        read(ExperimentConfig, "theirs.yaml")
    assert read(ExperimentConfig, "theirs.yaml", trust=True).training.model == "tiny:tiny"
    Path("library.yaml").write_text("data: {source: digits}\ntraining: {model: 'timm:resnet18'}")
    assert read(ExperimentConfig, "library.yaml").training.model == "timm:resnet18"
    Path("odd.py").write_text(
        "import sys\ndef none(classes, channels): return 3\ndef fails(classes): return None\n"
        "def ends(classes, channels): sys.exit(0)"
    )
    with pytest.raises(InputError, match=r"odd:none\(10, 3\) returned a int, not a torch.nn.Module"):
        models.build("odd:none", 10)
    with pytest.raises(InputError, match=r"odd:fails\(10, 3\) failed \(TypeError: .*expected a class or function"):
        models.build("odd:fails", 10)
    with pytest.raises(InputError, match=r"odd:ends\(10, 3\) failed \(SystemExit"):
        models.build("odd:ends", 10)
