"""``ipmix evaluate`` and ``ipmix report`` from the words to the files."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation import class_maps, inputs, plan, predicting  # noqa: E402
from ipmix.evaluation.request import EvaluationRequest, MeasureRequest  # noqa: E402
from ipmix.evaluation.shaping import Form  # noqa: E402

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
    assert "Mean error over 2 corruptions, severities 1, 5" in printed
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
    card = json.loads((tmp_path / "r" / "scorecard.json").read_text())
    assert card["run"]["columns"] is None  # all three outputs compete
    assert card["among"] == {"classes": 3, "outputs": 3, "all": True}
    assert {entry["label"] for entry in card["worst"]} <= {1, 2}


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


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--limit", "-5"], "limit is at least 1, got -5"),
        (["--attack-images", "0"], "attack.images is at least 1, got 0"),
        (["--steps", "-1"], "attack.steps is at least 1, got -1"),
        (["--epsilon", "nan"], "attack.epsilon is a number of at least 0 and at most 1000, got nan"),
        (["--step-size", "inf"], "attack.step_size is a number above 0 and at most 1000, got inf"),
        (["--step-size", "0"], "attack.step_size is a number above 0 and at most 1000, got 0.0"),
        (["--autoattack-epsilon", "nan"], "autoattack.epsilon is a number of at least 0 and at most 1000, got nan"),
        (["--device", "cpu:9"], "device 'cpu:9' can't be used (a machine's processors are one device); say cpu"),
        (["--size", "1"], "size is at least 8, got 1"),
        (["--limit", "²"], "'²' is not a whole number"),
        (["--limit", "1_0"], "'1_0' is not a whole number"),
        (["--restarts", "0"], "attack.restarts is at least 1, got 0"),
        (["--seed", str(2**63)], "seed is at most 9223372036854775807"),
        (["--seed", "-1"], "seed is at least 0, got -1"),
        (["--threads", "0"], "threads must be a whole number from 1 to 1024, got 0"),
        (["--batch-size", "0"], "batch_size must be a whole number from 1 to 16777216, got 0"),
        (["--corruptions", ""], "--corruptions: '' is empty: give at least one"),
        (["--severities", "9"], "each of the severities is at most 5, got 9"),
        (["--severities", ""], "--severities: '' is empty: give at least one"),
        (["--device", "foo"], "device 'foo' can't be used"),
        (["--anomalies", "missing"], "there is no missing"),
        (["--size", "-5"], "size is at least 8, got -5"),
        (["--crop", "2"], "crop is a share of the side"),
        (["--interpolation", "cubic"], "cubic"),
        (["--mean", "0.4,0.4,0.4", "--std", "0.2,0.2,0.2"], "normalises images itself"),
        (["--mean", "0.5,0.5,0.5", "--std", "0,0,0"], "std is a finite number above 0"),
        (["--mean", "0.5,0.5,0.5"], "given together"),
    ],
)
def test_options_are_refused_before_anything_is_written(folder, network, tmp_path, capsys, option, message):
    assert main(words(network, folder, "--out", tmp_path / "r", "--quiet", *option)) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert len(complaint.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_anomalies_that_can_not_be_read_leave_nothing_behind(folder, network, tmp_path, capsys):
    (tmp_path / "strange" / "empty").mkdir(parents=True)
    assert main(words(network, folder, "--out", tmp_path / "r", "--anomalies", tmp_path / "strange", *QUICK)) == 2
    assert "holds no image" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_network_of_nan_is_never_right(folder, tmp_path, monkeypatch):
    """Its answers are class 0 to argmax, and half of the images are of class 0."""
    network = models.build("wrn-10-1", ("bright", "dark"))
    with torch.no_grad():
        network.network.head.bias.fill_(torch.nan)
    monkeypatch.setattr(inputs, "open_model", lambda *_, **__: network.eval())  # files of such weights are refused
    more = ["--perturbations", "brightness", "--size", "16"]
    assert main(words("n.safetensors", folder, "--out", tmp_path / "r", *more, *QUICK)) == 0
    measures = json.loads((tmp_path / "r" / "scorecard.json").read_text())["measures"]
    for name in ("clean_error", "chosen_corruption_error", "attack_error", "chosen_flip_probability"):
        assert measures[name]["value"] == 1.0, name
    assert measures["brier_score"]["value"] is None


def test_a_grey_model_from_words_to_page(folder, tmp_path):
    torch.manual_seed(0)
    models.save(tmp_path / "g.safetensors", models.build("wrn-10-1", ("bright", "dark"), channels=1), {"size": 16})
    assert main(words(tmp_path / "g.safetensors", folder, "--out", tmp_path / "r", *QUICK)) == 0
    card = json.loads((tmp_path / "r" / "scorecard.json").read_text())
    assert card["run"]["form"]["channels"] == 1
    assert "Where it looks" in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


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
    found, class_outputs = class_maps.match_classes(source, request, None, 1000)
    wanted = subset("imagenet-r")
    assert list(class_outputs) == wanted.tolist()
    assert class_outputs.total == 1000
    assert len(found.classes) == 200
    assert wanted[found.labels].tolist() == [c for c in wanted.tolist() if c % 2 == 0]
    two = InMemory(ArrayDataset(np.zeros((2, 4, 4, 3), np.uint8), labels[:2] // 2, ("a", "b"), "two"))
    with pytest.raises(InputError, match="200 classes"):
        class_maps.match_classes(two, request, None, 1000)
    with pytest.raises(InputError, match="models of ImageNet's 1,000 classes; this one has 10"):
        class_maps.match_classes(source, request, None, 10)
    goldfish, strange = source_of(["n01443537", "n01440764"]), source_of(["n01440764"])
    found, class_outputs = class_maps.match_classes(goldfish, request, None, 1000)  # -R's first class; none of -R's
    assert (found.labels.tolist(), len(found.classes), found.classes[0]) == ([0], 200, "n01443537")
    with pytest.raises(InputError, match="no image of the subset's classes"):
        class_maps.match_classes(strange, request, None, 1000)


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


def matched(source, total, names=None, data="d", **options):
    request = EvaluationRequest(model="m", data=data, out=None, **options)
    return class_maps.match_classes(source, request, names, total)


def test_folders_named_by_numbers_are_never_guessed(tmp_path, capsys):
    data = numbered(tmp_path, map(str, range(12)))
    torch.manual_seed(0)
    models.save(tmp_path / "n.safetensors", models.build("wrn-10-1", 12), {"size": 16})
    assert main(words(tmp_path / "n.safetensors", data, "--out", tmp_path / "r", *QUICK)) == 2
    assert "--class-map numbers" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    for name, third in (("numbers", 10), ("sorted", 2)):  # the third folder in sorted order is called "10"
        out = tmp_path / name
        assert main(words(tmp_path / "n.safetensors", data, "--out", out, "--class-map", name, *QUICK)) == 0
        assert json.loads((out / "scorecard.json").read_text())["run"]["columns"] is None
        with np.load(next((out / "predictions").glob("part-*.npz"))) as shard:
            assert shard["labels"][2] == third


def test_a_class_map_leaves_out_what_it_does_not_name(capsys):
    source = source_of(["air_freshener", "alarm_clock", "banana", "wok"], 2)
    found, class_outputs = matched(source, 1000, class_map="objectnet", restrict=True)
    assert class_outputs == ((409, 530), 954, 909)
    assert found.classes == ("alarm_clock", "banana", "wok")
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert "1 of the data's 4 folders" in capsys.readouterr().err
    found, class_outputs = matched(source, 1000, class_map="objectnet")  # all 1,000 compete; two of them as one
    assert (len(class_outputs), class_outputs[409], class_outputs[530]) == (999, (409, 530), 531)
    assert found.labels.tolist() == [409, 409, 953, 953, 908, 908]
    assert [found.classes[label] for label in (409, 953, 908, 0)] == ["alarm_clock", "banana", "wok", "0"]
    with pytest.raises(InputError, match="leave out --class-map"):
        matched(source_of(["a", "b"]), 1000, class_map="objectnet", subset="imagenet-r")
    with pytest.raises(InputError, match="'banana' needs output 954 of the model, which has 900"):
        matched(source, 900, class_map="objectnet")


def test_a_part_of_imagenet_is_found_by_its_folders():
    source = source_of(["n01443537", "n15075141"])
    for names in (None, tuple(map(str, range(1000)))):
        found, class_outputs = matched(source, 1000, names)
        assert class_outputs is None
        assert found.labels.tolist() == [1, 999]
    with pytest.raises(InputError, match=r"900 outputs without names .* --class-map sorted, numbers or FILE"):
        matched(source, 900)
    assert matched(source, 2)[0] is source  # as many classes as outputs: in sorted order


def test_labels_in_a_file_are_the_model_s_outputs():
    """Also those of a file that has some of the classes only, for models with names and without."""
    source = source_of(["0", "1", "2"])
    for names in (None, tuple("abcdef"), tuple("012345")):
        found, class_outputs = matched(source, 6, names, data="theirs.npz")
        assert class_outputs is None
        assert found.labels.tolist() == [0, 1, 2]
        assert len(found.classes) == 6
    with pytest.raises(InputError, match=r"theirs.npz: the label 2 is none of the model's outputs, which are 0 to 1"):
        matched(source, 2, data="theirs.npz")
    named = source_of(["c", "a"])
    assert matched(named, 4, tuple("abcd"), data="theirs.npz")[0].labels.tolist() == [2, 0]
    with pytest.raises(InputError, match="does not know 1 of the data's classes, such as 'z'"):
        matched(source_of(["a", "z"]), 4, tuple("abcd"), data="theirs.npz")


def test_restricted_to_the_data_s_classes():
    found, class_outputs = matched(source_of(["c", "a"]), 4, tuple("abcd"), restrict=True)
    assert (class_outputs, class_outputs.total, found.labels.tolist()) == ((2, 0), 4, [0, 1])
    with pytest.raises(InputError, match="leaves one class, 'a'"):
        matched(source_of(["a"]), 4, tuple("abcd"), restrict=True)
    assert matched(source_of(["a"]), 4, tuple("abcd"))[0].labels.tolist() == [0]  # one class is a test set
    with pytest.raises(InputError, match="two of the data's classes are called 'a'"):
        matched(source_of(["a", "a"]), 4, tuple("abcd"))


def test_all_outputs_compete_unless_asked_otherwise(tmp_path, capsys):
    """A network that always answers "cat" is right on none of the two others' images, or on one where only they count.

    The error in full, the network's outputs being known, is what must come out.
    """
    scores = np.random.default_rng(0).normal(size=4)
    names, order = ("cat", "dog", "bird", "fish"), np.argsort(-scores)
    missing, data = names[order[0]], tmp_path / "data"
    for name in set(names) - {missing}:
        (data / name).mkdir(parents=True)
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(data / name / "0.png")
    network = models.build("wrn-10-1", names)
    with torch.no_grad():
        network.network.head.weight.zero_()
        network.network.head.bias.copy_(torch.from_numpy(scores))
    models.save(tmp_path / "n.safetensors", network, {"size": 16})
    for restrict, error in ((False, 1.0), (True, 2 / 3)):
        out = tmp_path / str(restrict)
        assert main(words(tmp_path / "n.safetensors", data, "--out", out, *QUICK, *["--restrict"] * restrict)) == 0
        printed, card = capsys.readouterr().out, json.loads((out / "scorecard.json").read_text())
        assert card["measures"]["clean_error"]["value"] == pytest.approx(error)
        assert ("among 3 of 4 classes" in printed) is restrict
        assert ("among 3 of 4 classes" in (out / "report.html").read_text(encoding="utf-8")) is restrict
        assert card["among"] == {"classes": 3 if restrict else 4, "outputs": 4, "all": not restrict}
        assert main(["score", str(out), "--samples", "0"]) == 0  # the predictions alone say the same
        assert ("among 3 of 4 classes" in capsys.readouterr().out) is restrict


def test_bar_needs_no_size(folder, network, tmp_path):
    words_ = words(network, folder, "--out", tmp_path / "r", "--severities", "1", "--corruptions", "bar", "--no-attack")
    assert main([*words_, "--device", "cpu", "--quiet"]) == 0
    assert "ripple" in json.loads((tmp_path / "r" / "scorecard.json").read_text())["corruptions"]


def test_the_set_of_bar_is_that_of_the_images_side():
    class Sized(torch.nn.Identity):
        size = 224

    request = EvaluationRequest(model="m.onnx", data="d", out=None)
    assert inputs.usual_form(request, Sized()) == Form(224, 1.0)
    assert inputs.usual_form(request, torch.nn.Identity()) == Form(None, 1.0)
    assert inputs.side_of(source_of(["a", "b"])) == 4


def test_published_networks_bring_their_form():
    pytest.importorskip("torchvision")
    request = EvaluationRequest(model="torchvision:resnet50", data="d", out=None)
    mean = (0.485, 0.456, 0.406)
    assert inputs.usual_form(request, torch.nn.Identity()) == Form(224, 224 / 232, "bilinear", "center", mean)
    other = EvaluationRequest(model="torchvision:resnet50", data="d", out=None, size=160, crop=0.5)
    assert inputs.usual_form(other, torch.nn.Identity()) == Form(160, 0.5, "bilinear", "center", mean)
    pytest.importorskip("timm")
    timm = EvaluationRequest(model="timm:resnet50.a1_in1k", data="d", out=None)
    assert inputs.usual_form(timm, torch.nn.Identity()) == Form(224, 0.95, "bicubic", "center", mean)
    asked = EvaluationRequest(model="timm:resnet50.a1_in1k", data="d", out=None, interpolation="bilinear")
    assert inputs.usual_form(asked, torch.nn.Identity()).interpolation == "bilinear"


def test_a_baseline_on_the_command_line(folder, network, tmp_path, capsys):
    assert main(words(network, folder, "--out", tmp_path / "a", *QUICK)) == 0
    other = json.loads((tmp_path / "a" / "scorecard.json").read_text())
    other["corruptions"] = {name: {"1": 0.5, "5": 0.7} for name in other["corruptions"]}
    (tmp_path / "other.json").write_text(json.dumps(other))
    baseline = ["--baseline", tmp_path / "other.json"]
    assert main(words(network, folder, "--out", tmp_path / "b", *baseline, *QUICK)) == 0
    card = json.loads((tmp_path / "b" / "scorecard.json").read_text())
    expected = card["measures"]["chosen_corruption_error"]["value"] / 0.6
    assert card["measures"]["baseline_chosen_corruption_error"]["value"] == pytest.approx(expected)
    assert "Chosen corruptions against the baseline" in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")
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


BRIEF = ["--corruptions", "brightness", "--severities", "1", "--no-attack", "--device", "cpu", "--quiet"]


@pytest.fixture
def small_chunks(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    for module in (plan, predicting):
        monkeypatch.setattr(module, "CHUNK", 7)


def measures(out):
    return json.loads((out / "scorecard.json").read_text())["measures"]


def test_changed_images_are_not_given_the_old_answers(folder, network, tmp_path, capsys, small_chunks):
    out = tmp_path / "out"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    old = measures(out)
    path = folder / "test" / "dark" / "03.png"
    before = path.stat()
    changed = 255 - np.asarray(Image.open(path))
    path.write_bytes(b"")
    Image.fromarray(changed).save(path)
    with path.open("r+b") as file:
        file.truncate(before.st_size)  # as long as it was, whatever the compression
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2
    assert "(data)" in capsys.readouterr().err
    assert measures(out) == old
    for name in ("03", "04"):
        (folder / "test" / "dark" / f"{name}.png").rename(folder / "test" / "bright" / f"dark-{name}.png")
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2


def test_a_renamed_folder_is_the_same_data(folder, network, tmp_path, small_chunks):
    assert main(words(network, folder, "--out", tmp_path / "out", *BRIEF)) == 0
    old = (tmp_path / "out" / "scorecard.json").read_bytes()
    shards = {path: path.stat().st_ino for path in (tmp_path / "out" / "predictions").glob("part-*")}
    assert len(shards) == 4
    folder.rename(tmp_path / "moved")
    for path in (tmp_path / "moved").rglob("*.png"):
        path.touch()
    assert main(words(network, tmp_path / "moved", "--out", tmp_path / "out", *BRIEF)) == 0
    assert (tmp_path / "out" / "scorecard.json").read_bytes() == old
    assert {path: path.stat().st_ino for path in (tmp_path / "out" / "predictions").glob("part-*")} == shards


def test_an_interrupted_evaluation_is_scored_in_part_only_when_asked(folder, network, tmp_path, capsys, small_chunks):
    out = tmp_path / "out"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    whole = (out / "scorecard.json").read_bytes()
    sorted((out / "predictions").glob("part-*"))[3].unlink()
    (out / "scorecard.json").unlink()
    assert main(["score", str(out)]) == 2
    assert "holds 21 of 24 images: run the same ipmix evaluate again to finish it" in capsys.readouterr().err
    assert main(["score", str(out), "--partial", "--out", str(tmp_path / "scored")]) == 0
    assert capsys.readouterr().out.startswith("Not finished: only 21 of 24 images are scored.\n")
    card = json.loads((tmp_path / "scored" / "scorecard.json").read_text())
    assert card["partial"] == {"images": 21, "of": 24}
    assert "Not finished: 21 of 24 images" in (tmp_path / "scored" / "report.html").read_text(encoding="utf-8")
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    assert (out / "scorecard.json").read_bytes() == whole


def test_broken_images_are_named_and_counted(folder, network, tmp_path, capsys, small_chunks):
    for name in ("bright/02.png", "dark/05.png"):
        (folder / "test" / name).write_bytes(b"no image")
    out = tmp_path / "out"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2
    assert "bright/02.png" in capsys.readouterr().err
    assert main(words(network, folder, "--out", out, *BRIEF, "--skip-broken")) == 0
    assert "passed over 2 broken images" in capsys.readouterr().err
    listed = (out / "broken.txt").read_text().splitlines()
    assert listed == [str(folder / "test" / name) for name in ("bright/02.png", "dark/05.png")]
    card = json.loads((out / "scorecard.json").read_text())
    assert (card["pictures"], card["broken"]) == (22, 2)
    assert main(["score", str(out), "--out", str(tmp_path / "scored")]) == 0, "what is broken is not missing"
    assert json.loads((tmp_path / "scored" / "scorecard.json").read_text())["broken"] == 2


def test_killed_in_its_first_write_it_goes_on(folder, network, tmp_path, small_chunks):
    """And at any other moment: what is whole is kept, the rest swept away."""
    fresh, out = tmp_path / "fresh", tmp_path / "out"
    assert main(words(network, folder, "--out", fresh, *BRIEF)) == 0
    script = (
        "import os, signal, sys\nfrom ipmix.core import files\nfrom ipmix.evaluation import plan, predicting\n"
        "plan.CHUNK = predicting.CHUNK = 7\nreal, left = os.fsync, [int(sys.argv[1])]\n"
        "def dies(descriptor):\n    left[0] -= 1\n    real(descriptor)\n"
        "    if left[0] < 0 and 'out' in os.readlink(f'/proc/self/fd/{descriptor}'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.fsync = dies\nfrom ipmix.cli.main import main\nsys.exit(main(sys.argv[2:]))\n"
    )
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not tell what a descriptor is of")
    for writes in (0, 2):
        run = [sys.executable, "-c", script, str(writes), *words(network, folder, "--out", out, *BRIEF)]
        done = subprocess.run(run, capture_output=True, timeout=300, check=False)
        assert done.returncode == -9, done.stderr
        assert list((out / "predictions").glob(".*.part")), "it left something half written"
        assert (out / "predictions" / "run.json").exists() == (writes > 0)
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    assert measures(out) == measures(fresh)
    assert sorted(p.name for p in out.rglob("*")) == sorted(p.name for p in fresh.rglob("*")), "nothing is left"


def test_two_evaluations_in_one_folder(folder, network, tmp_path, capsys, small_chunks):
    from ipmix.core.files import alone

    with alone(tmp_path / "out"):
        assert main(words(network, folder, "--out", tmp_path / "out", *BRIEF, "--force")) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "another process is writing to" in line
    assert not (tmp_path / "out").exists()
    with alone(tmp_path / "out" / "predictions"):
        assert main(words(network, folder, "--out", tmp_path / "out", *BRIEF)) == 2


def test_a_model_that_refuses_the_images_leaves_nothing(network, tmp_path, capsys):
    data, out = tmp_path / "four.npz", tmp_path / "r"
    np.savez(data, images=np.zeros((6, 16, 16, 4), np.uint8), labels=np.arange(6) % 2)
    assert main(words(network, data, "--out", out, *QUICK)) == 2
    assert "channels" in capsys.readouterr().err
    assert not out.exists()
    assert main(words(network, data, "--out", out, "--device", "meta", "--corruptions", "none", "--no-attack")) == 2
    assert not out.exists()
    assert main(["evaluate", "sys:exit", str(data), "--out", str(out)]) == 2
    assert "sys:exit" in capsys.readouterr().err
