"""``ipmix evaluate`` and ``ipmix report`` from the words to the files."""

import json
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation import class_maps, inputs  # noqa: E402
from ipmix.evaluation.request import EvaluationRequest, MeasureRequest  # noqa: E402

QUICK = ["--corruptions", "brightness,contrast", "--severities", "1,5", "--steps", "2", "--device", "cpu", "--quiet"]


@pytest.fixture
def folder(tmp_path):
    """Bright and dark images in two classes, of two sizes."""
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
    assert "at least 100 images" in card["measures"]["rms_calibration_error"]["reason"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Where it looks" in page
    assert ("The worst answers" in page) == (card["measures"]["clean_error"]["value"] > 0)
    before = (out / "scorecard.json").read_bytes()
    assert main(words(network, folder, "--out", out, *QUICK)) == 0  # all shards are there: only scored again
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
        "import sys\nfrom ipmix.evaluation import plan, predicting\nplan.CHUNK = predicting.CHUNK = 7\n"
        "from ipmix.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
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


def test_broken_images(folder, network, tmp_path, capsys):
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
    plan = MeasureRequest(corruptions=("test", "bar"), severities=(1,), perturbations=("imagenet",), attack=None).plan(
        224
    )
    assert len(plan.corruptions) == 25
    assert "caustic_refraction" in plan.corruptions
    assert "snow" in plan.perturbations
    small = MeasureRequest(corruptions=("bar", "fog"), severities=(1,), perturbations=("cifar",), attack=None).plan(32)
    assert "ripple" in small.corruptions
    assert small.corruptions[-1] == "fog"
    with pytest.raises(InputError, match="unknown corruption"):
        MeasureRequest(corruptions=("barr",)).plan(32)


def test_a_subset_of_imagenet(tmp_path):
    from ipmix.data.datasets import ArrayDataset
    from ipmix.data.sources import InMemory
    from ipmix.measures.subsets import subset

    classes = tuple(f"n{i:08d}" for i in range(1000))
    labels = np.arange(0, 1000, 2, dtype=np.int64)
    source = InMemory(ArrayDataset(np.zeros((500, 4, 4, 3), np.uint8), labels, classes, "sample"))
    request = EvaluationRequest(model="m", data="d", out=tmp_path, subset="imagenet-r")
    found, class_outputs = class_maps.match_classes(source, request, torch.nn.Identity())
    wanted = subset("imagenet-r")
    assert class_outputs == wanted.tolist()
    assert len(found.classes) == 200
    assert wanted[found.labels].tolist() == [c for c in wanted.tolist() if c % 2 == 0]
    two = InMemory(ArrayDataset(np.zeros((2, 4, 4, 3), np.uint8), labels[:2] // 2, ("a", "b"), "two"))
    with pytest.raises(InputError, match="200 classes"):
        class_maps.match_classes(two, request, torch.nn.Identity())


def numbered(tmp_path, names):
    for place, name in enumerate(names):
        folder = tmp_path / "numbered" / name
        folder.mkdir(parents=True)
        Image.fromarray(np.full((16, 16, 3), 20 * place, np.uint8)).save(folder / "0.png")
    return tmp_path / "numbered"


def source_of(names, per_class=1):
    from ipmix.data.datasets import ArrayDataset
    from ipmix.data.sources import InMemory

    labels = np.repeat(np.arange(len(names)), per_class)
    return InMemory(ArrayDataset(np.zeros((len(labels), 4, 4, 3), np.uint8), labels, tuple(names), "sample"))


def matched(source, model=None, **options):
    request = EvaluationRequest(model="m", data="d", out=None, **options)
    return class_maps.match_classes(source, request, torch.nn.Identity() if model is None else model)


def test_folders_named_by_numbers_are_never_guessed(tmp_path, capsys):
    data = numbered(tmp_path, map(str, range(12)))
    torch.manual_seed(0)
    models.save(tmp_path / "n.safetensors", models.build("wrn-10-1", 12), {"size": 16})
    assert main(words(tmp_path / "n.safetensors", data, "--out", tmp_path / "r", *QUICK)) == 2
    assert "--class-map numbers" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    for name, class_outputs in (("numbers", [0, 1, 10, 11, *range(2, 10)]), ("sorted", None)):
        out = tmp_path / name
        assert main(words(tmp_path / "n.safetensors", data, "--out", out, "--class-map", name, *QUICK)) == 0
        assert json.loads((out / "scorecard.json").read_text())["run"]["columns"] == class_outputs


def test_a_class_map_leaves_out_what_it_does_not_name(capsys):
    found, class_outputs = matched(
        source_of(["air_freshener", "alarm_clock", "banana", "wok"], 2), class_map="objectnet"
    )
    assert class_outputs == [(409, 530), 954, 909]
    assert found.classes == ("alarm_clock", "banana", "wok")
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert "1 of the data's 4 folders" in capsys.readouterr().err
    with pytest.raises(InputError, match="leave out --class-map"):
        matched(source_of(["a", "b"]), class_map="objectnet", subset="imagenet-r")


def test_a_part_of_imagenet_is_found_by_its_folders():
    class Thousand(torch.nn.Identity):
        classes = tuple(map(str, range(1000)))

    source = source_of(["n01443537", "n15075141"])
    assert matched(source, Thousand())[1] == [1, 999]
    assert matched(source)[1] is None  # how many outputs there are is not known: nothing is assumed


def test_bar_needs_no_size(folder, network, tmp_path):
    words_ = words(network, folder, "--out", tmp_path / "r", "--severities", "1", "--corruptions", "bar", "--no-attack")
    assert main([*words_, "--device", "cpu", "--quiet"]) == 0
    assert "ripple" in json.loads((tmp_path / "r" / "scorecard.json").read_text())["corruptions"]


def test_the_set_of_bar_is_that_of_the_images_side():
    class Sized(torch.nn.Identity):
        size = 224

    request = EvaluationRequest(model="m.onnx", data="d", out=None)
    assert inputs.usual_form(request, Sized()) == inputs.Form(224, 1.0)
    assert inputs.usual_form(request, torch.nn.Identity()) == inputs.Form(None, 1.0)
    assert inputs.side_of(source_of(["a", "b"])) == 4


def test_published_networks_bring_their_form():
    pytest.importorskip("torchvision")
    request = EvaluationRequest(model="torchvision:resnet50", data="d", out=None)
    assert inputs.usual_form(request, torch.nn.Identity()) == inputs.Form(224, 224 / 232)
    other = EvaluationRequest(model="torchvision:resnet50", data="d", out=None, size=160, crop=0.5)
    assert inputs.usual_form(other, torch.nn.Identity()) == inputs.Form(160, 0.5)

    class Timm(torch.nn.Identity):
        pretrained_cfg: ClassVar = {"input_size": (3, 240, 240), "crop_pct": 0.9}

    timm = EvaluationRequest(model="timm:some_network", data="d", out=None)
    assert inputs.usual_form(timm, Timm()) == inputs.Form(240, 0.9)


def test_a_baseline_on_the_command_line(folder, network, tmp_path, capsys):
    assert main(words(network, folder, "--out", tmp_path / "a", *QUICK)) == 0
    other = json.loads((tmp_path / "a" / "scorecard.json").read_text())
    other["corruptions"] = {name: {"1": 0.5, "5": 0.7} for name in other["corruptions"]}
    (tmp_path / "other.json").write_text(json.dumps(other))
    baseline = ["--baseline", tmp_path / "other.json"]
    assert main(words(network, folder, "--out", tmp_path / "b", *baseline, *QUICK)) == 0
    card = json.loads((tmp_path / "b" / "scorecard.json").read_text())
    expected = card["measures"]["mean_corruption_error"]["value"] / 0.6
    assert card["measures"]["baseline_mean_corruption_error"]["value"] == pytest.approx(expected)
    assert "mCE against the baseline" in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")
    score = ["score", str(tmp_path / "b"), *map(str, baseline)]
    assert main(score) == 0
    assert main([*score[:3], str(tmp_path / "nowhere.json")]) == 2


def test_a_frame_is_trimmed_off(tmp_path):
    from ipmix.data import datasets
    from ipmix.data.sources import OnDisk

    target = tmp_path / "set" / "a"
    target.mkdir(parents=True)
    pixels = np.full((12, 16, 3), 200, np.uint8)
    pixels[:2] = pixels[-2:] = pixels[:, :2] = pixels[:, -2:] = (255, 0, 0)
    Image.fromarray(pixels).save(target / "0.png")
    files = datasets.scan(tmp_path / "set", "test")
    whole, bare = OnDisk(files, size=8), OnDisk(files, size=8, trim=2)
    assert whole.read(0, 1)[0].min() == 0
    assert (bare.read(0, 1)[0] == 200).all()
    assert whole.fingerprint() != bare.fingerprint()
    with pytest.raises(InputError, match="nothing is left"):
        OnDisk(files, size=8, trim=6).read(0, 1)
