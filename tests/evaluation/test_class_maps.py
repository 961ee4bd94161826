import json

import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.class_maps import is_numbered_out_of_order, is_wordnet, outputs_of
from ipmix.measures.subsets import subset


def test_wordnet_identifiers_are_counted_in_sorted_order():
    found = outputs_of("imagenet", ["n01440764", "n01443537", "n15075141"])
    assert found == {"n01440764": 0, "n01443537": 1, "n15075141": 999}
    assert is_wordnet(["n01440764"])
    assert not is_wordnet(["n01440764", "n99999999"])
    with pytest.raises(InputError, match="WordNet identifiers, got 'tench'"):
        outputs_of("imagenet", ["n01440764", "tench"])


def test_numbers_are_numbers_and_not_words():
    folders = sorted(map(str, range(1000)))  # as ImageNet-V2's folders lie on the disk
    assert is_numbered_out_of_order(folders)
    assert not is_numbered_out_of_order([str(i) for i in range(10)])
    assert not is_numbered_out_of_order(["a", "b"])
    found = outputs_of("numbers", folders)
    assert [found[folder] for folder in folders[:4]] == [0, 1, 10, 100]
    assert found["999"] == 999
    with pytest.raises(InputError, match="named by a number, got 'x'"):
        outputs_of("numbers", ["0", "x"])


def test_objectnet_has_113_classes_of_125_outputs():
    folders = ["air_freshener", "alarm_clock", "banana", "bicycle", "chair", "t-shirt", "wheel", "zucchini"]
    found = outputs_of("objectnet", folders)
    assert found == {
        "alarm_clock": (409, 530), "banana": 954, "bicycle": (444, 671), "chair": (423, 559, 765),
        "t-shirt": 610, "wheel": (479, 694),
    }  # fmt: skip
    from ipmix.evaluation import class_maps

    table = class_maps._objectnet()
    outputs = [o for value in table.values() for o in ((value,) if isinstance(value, int) else value)]
    assert len(table) == 113
    assert len(outputs) == len(set(outputs)) == 125
    assert max(outputs) == 999
    assert len(class_maps._places()) == 1000
    with pytest.raises(InputError, match="knows none of the data's folders"):
        outputs_of("objectnet", ["cat"])


def test_the_objectnet_map_speaks_of_the_right_things():
    categories = pytest.importorskip("torchvision.models._meta", reason="the train extra is not installed")
    names = categories._IMAGENET_CATEGORIES
    found = outputs_of("objectnet", ["banana", "lemon", "teapot", "umbrella", "wok", "bicycle", "tie"])
    assert {folder: names[o] for folder, o in found.items() if isinstance(o, int)} == {
        folder: folder for folder in ("banana", "lemon", "teapot", "umbrella", "wok")
    }
    assert [names[o] for o in found["bicycle"]] == ["bicycle-built-for-two", "mountain bike"]
    assert [names[o] for o in found["tie"]] == ["bow tie", "Windsor tie"]


def test_the_subsets_agree_with_the_order_of_classes():
    from ipmix.evaluation import class_maps

    order = list(class_maps._places())
    assert order == sorted(order)
    assert order[subset("imagenet-r")[0]] == "n01443537"  # goldfish, ImageNet-R's first


def test_a_file_of_one_s_own(tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"cats": [281, 282], "dogs": 207, "unused": [3]}))
    assert outputs_of(str(path), ["birds", "cats", "dogs"]) == {"cats": (281, 282), "dogs": 207}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "holds no class map"),
        ("{}", "holds no class map"),
        ("{", "is not JSON"),
        ('{"a": "tench"}', "'a' stands for 'tench'"),
        ('{"a": -1}', "'a' stands for -1"),
        ('{"a": true}', "'a' stands for True"),
        ('{"a": []}', r"'a' stands for \[\]"),
        ('{"a": 1, "b": [1, 2]}', "output 1 to two folders, 'a' and 'b'"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        outputs_of(str(path), ["a", "b"])


def test_an_unknown_map():
    with pytest.raises(InputError, match="there is no class map 'imagnet'"):
        outputs_of("imagnet", ["a"])


def test_sorted_is_the_order_of_the_folders():
    assert outputs_of("sorted", ["0", "1", "10"]) == {"0": 0, "1": 1, "10": 2}
