"""``ipmix evaluate`` and ``ipmix report`` from the words to the files."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import assessment, models  # noqa: E402
from ipmix.cli import main  # noqa: E402
from ipmix.errors import InputError  # noqa: E402

QUICK = ["--corruptions", "brightness,contrast", "--severities", "1,5", "--steps", "2", "--device", "cpu", "--quiet"]


@pytest.fixture
def folder(tmp_path):
    """Bright and dark pictures in two classes, of two sizes."""
    random = np.random.default_rng(0)
    for place, (name, level) in enumerate((("bright", 190), ("dark", 60))):
        for i in range(12):
            target = tmp_path / "data" / "test" / name
            target.mkdir(parents=True, exist_ok=True)
            side = 20 + 4 * (i % 2)
            pixels = random.integers(level - 40, level + 40, (side, side + place, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(target / f"{i:02d}.png")
    return tmp_path / "data"


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(0)
    built = models.build("wrn-10-1", ("bright", "dark"))
    models.save(tmp_path / "net.safetensors", built, {"size": 16})
    return tmp_path / "net.safetensors"


def words(*more):
    return ["evaluate", *map(str, more)]


def test_a_checkpoint_on_a_folder(folder, network, tmp_path, capsys):
    out = tmp_path / "result"
    assert main(words(network, folder, "--out", out, *QUICK)) == 0
    printed = capsys.readouterr().out
    assert "Clean error" in printed
    assert "Corruption error" in printed
    card = json.loads((out / "scorecard.json").read_text())
    assert card["pictures"] == 24
    assert card["measures"]["attack_error"]["value"] is not None
    assert "at least 100 pictures" in card["measures"]["rms_calibration_error"]["reason"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Where it looks" in page
    assert ("The worst answers" in page) == (card["measures"]["clean_error"]["value"] > 0)
    before = (out / "scorecard.json").read_bytes()
    assert main(words(network, folder, "--out", out, *QUICK)) == 0  # all parts are there: only scored again
    assert (out / "scorecard.json").read_bytes() == before
    assert main(words(network, folder, "--out", out, "--seed", "1", *QUICK)) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_the_same(folder, network, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(words(network, folder, "--out", one, *QUICK)) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom ipmix import evaluate\nevaluate.PART = 7\n"
        "from ipmix.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [*command, str(script), *words(network, folder, "--out", two, *QUICK)],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list((two / "predictions").glob("part-*.npz"))) == 4
    assert done.stdout.count("Clean error") == 1
    first, second = (json.loads((out / "scorecard.json").read_text()) for out in (one, two))
    assert first["measures"]["clean_error"] == second["measures"]["clean_error"]
    assert first["corruptions"] == second["corruptions"]


def test_classes_are_matched_by_name(folder, tmp_path):
    torch.manual_seed(0)
    built = models.build("wrn-10-1", ("cat", "dark", "bright"))
    models.save(tmp_path / "wide.safetensors", built, {"size": 16})
    assert main(words(tmp_path / "wide.safetensors", folder, "--out", tmp_path / "r", *QUICK)) == 0
    assert json.loads((tmp_path / "r" / "scorecard.json").read_text())["run"]["columns"] == [2, 1]


def test_classes_the_model_does_not_know(folder, tmp_path, capsys):
    models.save(tmp_path / "other.safetensors", models.build("wrn-10-1", ("cat", "dog")), {"size": 16})
    assert main(words(tmp_path / "other.safetensors", folder, "--out", tmp_path / "r", *QUICK)) == 2
    assert "does not know 2 of the data's classes, such as 'bright'" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_broken_pictures(folder, network, tmp_path, capsys):
    (folder / "test" / "dark" / "99.png").write_bytes(b"")
    assert main(words(network, folder, "--out", tmp_path / "r", *QUICK)) == 2
    assert "99.png" in capsys.readouterr().err
    assert main(words(network, folder, "--out", tmp_path / "r", "--skip-broken", *QUICK)) == 0
    assert json.loads((tmp_path / "r" / "scorecard.json").read_text())["pictures"] == 24


def test_anomalies(folder, network, tmp_path):
    strange = tmp_path / "strange" / "anything"
    strange.mkdir(parents=True)
    for i in range(5):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
            strange / f"{i}.png"
        )
    words_ = words(network, folder, "--out", tmp_path / "r", "--anomalies", tmp_path / "strange", *QUICK)
    assert main(words_) == 0
    measures = json.loads((tmp_path / "r" / "scorecard.json").read_text())["measures"]
    assert 0 < measures["anomaly_aupr"]["value"] <= 1
    assert measures["anomaly_fpr95_logit"]["value"] is not None


def test_reports_of_several_runs(folder, network, tmp_path, capsys):
    assert main(words(network, folder, "--out", tmp_path / "a", "--name", "first <b>", *QUICK)) == 0
    results = [tmp_path / "a", tmp_path / "a" / "scorecard.json"]
    for name, part in (
        ("page.html", "first &lt;b&gt;"),
        ("table.md", "| Clean error |"),
        ("table.csv", "clean_error"),
        ("all.json", '"schema"'),
    ):
        assert main(["report", *map(str, results), "--out", str(tmp_path / name)]) == 0
        assert part in (tmp_path / name).read_text(encoding="utf-8")
    card = ["report", str(results[0]), "--out", str(tmp_path / "README.md"), "--format", "model-card"]
    assert main(card) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    assert "<b>" not in text.split("---\n", 2)[2]
    assert main(card) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 2
    assert main(["report", str(results[0]), "--out", str(tmp_path / "x.gif")]) == 2


def test_scoring_somebody_s_predictions(tmp_path, capsys):
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 150)
    np.savez(tmp_path / "theirs.npz", logits=random.normal(size=(150, 4)).astype(np.float32), labels=labels)
    assert main(["score", str(tmp_path / "theirs.npz"), "--out", str(tmp_path / "r")]) == 0
    assert "Calibration error" in capsys.readouterr().out
    assert (tmp_path / "r" / "report.html").is_file()
    assert main(["score", str(tmp_path / "theirs.npz"), "--out", str(tmp_path / "r")]) == 2
    np.savez(tmp_path / "bad.npz", logits=np.zeros((2, 4), np.float32), labels=np.array([0, 7]))
    assert main(["score", str(tmp_path / "bad.npz")]) == 2
    assert "outside 0..3" in capsys.readouterr().err


def test_groups_of_corruptions():
    plan = assessment.plan_of(("test", "bar"), (1,), "original", ("imagenet",), 0, 224, None)
    assert len(plan.corruptions) == 25
    assert "caustic_refraction" in plan.corruptions
    assert "snow" in plan.perturbations
    small = assessment.plan_of(("bar", "fog"), (1,), "original", ("cifar",), 0, 32, None)
    assert "ripple" in small.corruptions
    assert small.corruptions[-1] == "fog"
    with pytest.raises(InputError, match="unknown corruption"):
        assessment.plan_of(("barr",), (1,), "original", (), 0, 32, None)


def test_a_subset_of_imagenet(tmp_path):
    from ipmix.datasets import Pictures
    from ipmix.measures.subsets import subset
    from ipmix.sources import InMemory

    classes = tuple(f"n{i:08d}" for i in range(1000))
    labels = np.arange(0, 1000, 2, dtype=np.int64)
    source = InMemory(Pictures(np.zeros((500, 4, 4, 3), np.uint8), labels, classes, "sample"))
    request = assessment.Request(model="m", data="d", out=tmp_path, subset="imagenet-r")
    found, columns = assessment._matched(source, request, torch.nn.Identity())
    wanted = subset("imagenet-r")
    assert columns == wanted.tolist()
    assert len(found.classes) == 200
    assert wanted[found.labels].tolist() == [c for c in wanted.tolist() if c % 2 == 0]
    two = InMemory(Pictures(np.zeros((2, 4, 4, 3), np.uint8), labels[:2] // 2, ("a", "b"), "two"))
    with pytest.raises(InputError, match="200 classes"):
        assessment._matched(two, request, torch.nn.Identity())
