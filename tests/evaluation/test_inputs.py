"""The form in which a model gets images, where nobody says it."""

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.words import source_of  # noqa: E402

from ipmix.evaluation import inputs  # noqa: E402
from ipmix.evaluation.request import EvaluationRequest  # noqa: E402
from ipmix.evaluation.shaping import Form  # noqa: E402


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
