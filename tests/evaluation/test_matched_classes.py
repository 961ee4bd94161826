"""Which of the model's outputs stand for the data's classes, and which compete."""

import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.words import QUICK, matched, source_of, words  # noqa: E402

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation import class_maps  # noqa: E402
from ipmix.evaluation.request import EvaluationRequest  # noqa: E402


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
    with pytest.raises(InputError, match=r"theirs.npz: labels\[2\] is 2, none of the model's outputs, which are 0 to"):
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
