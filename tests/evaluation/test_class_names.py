import numpy as np
import pytest

from ipmix.data.datasets import ArrayDataset
from ipmix.data.sources import InMemory
from ipmix.evaluation.class_maps import identifiers, match_classes
from ipmix.evaluation.class_names import imagenet_names, readable
from ipmix.evaluation.evidence import worst_panel
from ipmix.evaluation.request import EvaluationRequest


def test_the_names_are_torchvision_s() -> None:
    meta = pytest.importorskip("torchvision.models._meta", reason="the train extra is not installed")
    assert [readable(wnid) for wnid in identifiers()] == meta._IMAGENET_CATEGORIES


def test_no_two_classes_have_one_name_and_others_stay() -> None:
    assert len(set(imagenet_names().values())) == 1000
    assert readable("cat") == "cat"
    assert readable("n99999999") == "n99999999"


def subset() -> InMemory:
    wnids = ("n01443537", "n04263257")
    return InMemory(ArrayDataset(np.zeros((2, 4, 4, 3), np.uint8), np.arange(2), wnids, "a part"))


@pytest.mark.parametrize("names", [None, tuple(map(str, range(1000))), tuple(f"class {n}" for n in range(1000))])
def test_wordnet_folders_map_themselves(names: tuple[str, ...] | None, tmp_path) -> None:
    """Whatever the model calls its 1,000 outputs, and for a part of the classes too."""
    request = EvaluationRequest("model", "data", tmp_path)
    source, outputs = match_classes(subset(), request, names, 1000)
    assert outputs is None
    assert source.labels.tolist() == [1, identifiers().index("n04263257")]


def test_the_page_shows_names(tmp_path) -> None:
    source, _ = match_classes(subset(), EvaluationRequest("model", "data", tmp_path), None, 1000)
    card = {"worst": [{"index": 1, "label": int(source.labels[1]), "predicted": 417, "confidence": 0.9}]}
    ((_, (figure,)),) = worst_panel(card, source)[0].rows
    assert figure.caption == "predicted balloon 90%; is soup bowl"
