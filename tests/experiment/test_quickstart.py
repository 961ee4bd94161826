import json
import multiprocessing

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.cli.main import main  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.data.datasets import ArrayDataset  # noqa: E402
from ipmix.experiment.quickstart import _Display, _received  # noqa: E402
from ipmix.experiment.quickstart_worker import (  # noqa: E402
    QuickstartConfig,
    images_of,
    method_of,
    percent_to,
    thinned,
    train_and_measure,
)

TINY = QuickstartConfig(epochs=1, train_images=128, test_images=110, mixing_images=8)


@pytest.fixture(autouse=True)
def threads_and_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures_and_another_others(tmp_path):
    first, second = (train_and_measure(TINY, "IPMix", tmp_path / name) for name in "ab")
    assert json.dumps(first) == json.dumps(second)
    measures = first["measures"]
    for name in ("clean_error", "mean_corruption_error", "attack_error", "rms_calibration_error"):
        assert 0 <= measures[name]["value"] <= 1
        assert measures[name]["interval"] is not None
    assert len(first["corruptions"]) == 15
    assert all(sorted(by) == ["1", "2", "3", "4", "5"] for by in first["corruptions"].values())
    assert first["measures"]["attack_error"]["pictures"] == 110


@pytest.mark.slow
def test_from_the_words_to_the_page(tmp_path, capsys):
    out = tmp_path / "result"
    words = ["quickstart", "--out", str(out), "--epochs", "1", "--train-images", "96", "--test-images", "100"]
    assert main(words) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split() == ["measure", "plain", "IPMix", "images"]
    assert {line.split("  ")[0] for line in lines[2:6]} == {
        "Clean error", "Corruption error (mCE)", "Adversarial error (PGD, Linf 2/255)", "Calibration error (RMS)",
    }  # fmt: skip
    assert lines[2].split()[-1] == "100"
    assert "over the test images" in captured.out
    assert "plain: measuring" in captured.err or "plain: done" in captured.err
    results = json.loads((out / "results.json").read_text())
    assert list(results["runs"]) == ["plain", "IPMix"]
    page = (out / "report.html").read_text(encoding="utf-8")
    for part in ("IPMix taken apart", "chain 1", "chain 3", "The corruptions", "At a glance"):
        assert part in page
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err


def test_data_without_a_test_split(tmp_path, capsys):
    folder = tmp_path / "data" / "train" / "one"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "a.png")
    assert main(["quickstart", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "o")]) == 2
    assert "found train" in capsys.readouterr().err
    assert main(["quickstart", "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "o")]) == 2
    (tmp_path / "file").write_text("x")
    assert main(["quickstart", "--out", str(tmp_path / "file")]) == 2
    assert (tmp_path / "file").read_text() == "x"


def test_classes_must_be_the_same(tmp_path):
    for split, name in (("train", "cat"), ("test", "dog")):
        folder = tmp_path / split / name
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "a.png")
    with pytest.raises(InputError, match="different class folders"):
        images_of(QuickstartConfig(data=str(tmp_path)), quiet=True)


@pytest.mark.parametrize("mixed", [False, True])
def test_thinning_keeps_the_classes_shares(mixed):
    labels = np.repeat([0, 1, 2], [100, 200, 300])
    if mixed:
        labels = np.random.default_rng(0).permutation(labels)
    images = np.arange(600, dtype=np.uint16).view(np.uint8).reshape(600, 1, 2, 1)
    dataset = ArrayDataset(images, labels, ("a", "b", "c"), "set")
    few = thinned(dataset, 60)
    assert np.bincount(few.labels) == pytest.approx([10, 20, 30], abs=1)
    numbers = few.images.reshape(60, 2).copy().view(np.uint16)[:, 0]
    assert len(set(numbers.tolist())) == 60
    assert np.array_equal(labels[numbers], few.labels)
    assert np.array_equal(thinned(dataset, 600).images, images)


def test_digits_are_not_mirrored():
    assert "mirror" not in method_of(QuickstartConfig()).operations
    assert method_of(QuickstartConfig(data="cifar10")).operations == "core"


def test_measuring_is_told_as_it_goes(tmp_path, capsys):
    settings = QuickstartConfig(epochs=1)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "metrics.jsonl").write_text('{"train_error": 1}\n')
    display = _Display(settings, tmp_path, False)
    here, there = multiprocessing.Pipe()
    told = percent_to(there)
    for done in range(501):
        told(done, 500)
    there.send(("card", {"a": 1}))
    sent = []
    while (card := _received(here, "plain", display)) is None:
        sent.append(display.measured["plain"])
        display.update()
    assert card == {"a": 1}
    assert sent == list(range(1, 101))
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("plain: measuring")]
    assert [line.rpartition("; ")[2] for line in lines] == ["0%", "20%", "40%", "60%", "80%", "100%"]
