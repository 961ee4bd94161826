import importlib
import math

import pytest

from ipmix.core.errors import InputError
from ipmix.models import InputForm, form_of

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

TIMM = [
    ("resnet50.a1_in1k", InputForm(224, 0.95, "bicubic", "center", *IMAGENET)),
    ("resnet18.tv_in1k", InputForm(224, 0.875, "bilinear", "center", *IMAGENET)),
    ("vit_base_patch16_224.augreg_in21k_ft_in1k", InputForm(224, 0.9, "bicubic", "center", (0.5,) * 3, (0.5,) * 3)),
    ("coat_lite_medium_384.in1k", InputForm(384, 1.0, "bicubic", "squash", *IMAGENET)),
    ("tf_efficientnet_lite0.in1k", InputForm(224, 0.875, "bicubic", "center", (0.5,) * 3, (0.5,) * 3)),
]
TORCHVISION = [
    ("resnet50", InputForm(224, 224 / 232, "bilinear", "center", *IMAGENET), 232),
    ("vgg11", InputForm(224, 0.875, "bilinear", "center", *IMAGENET), 256),
    ("swin_t", InputForm(224, 224 / 232, "bicubic", "center", *IMAGENET), 232),
    ("efficientnet_v2_l", InputForm(480, 1.0, "bicubic", "center", (0.5,) * 3, (0.5,) * 3), 480),
    ("inception_v3", InputForm(299, 299 / 342, "bilinear", "center", *IMAGENET), 342),
]


@pytest.mark.parametrize(("name", "form"), TIMM)
def test_timm_s_published_forms(name: str, form: InputForm) -> None:
    pytest.importorskip("timm", reason="timm is not installed")
    assert form_of(f"timm:{name}") == form
    assert form_of(f"timm:{name.split('.')[0]}") is not None


@pytest.mark.parametrize(("name", "form", "resized"), TORCHVISION)
def test_torchvision_s_published_forms(name: str, form: InputForm, resized: int) -> None:
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    found = form_of(f"torchvision:{name}")
    assert found == form
    assert found.resize == resized


def test_every_published_model_of_torchvision_is_resized_as_its_transforms_say() -> None:
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    for name in models.list_models(module=models):
        form = form_of(f"torchvision:{name}")
        transforms = models.get_model_weights(name).DEFAULT.transforms()
        assert form is not None
        assert [form.resize] == transforms.resize_size
        assert form.interpolation == transforms.interpolation.value


def test_every_published_model_of_timm_is_resized_as_timm_does() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    bicubic = total = 0
    modes = set()
    for name in timm.list_pretrained():
        if "sapiens2" in name:
            continue  # not square
        form = form_of(f"timm:{name}")
        assert form is not None
        assert form.resize == math.floor(form.size / form.crop)
        total += 1
        bicubic += form.interpolation == "bicubic"
        modes.add(form.mode)
        assert form.mode == timm.models.get_pretrained_cfg(name).crop_mode
    assert bicubic > total * 0.85
    assert modes <= {"center", "squash", "border"}
    assert len(modes) > 1


def test_other_models_have_no_published_form() -> None:
    for spec in ("wrn-40-4:weights.pt", "timm:resnet18:weights.pt", "model.onnx", "a:b", "timm:"):
        assert form_of(spec) is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("timm:no_such_network", "timm has no model 'no_such_network'"),
        ("timm:resnet50.no_such_tag", "no_such_tag"),
        ("torchvision:no_such_network", "torchvision has no model"),
        ("timm:vit_base_patch16_sapiens2.fb", "768x1024"),
    ],
)
def test_models_that_there_are_not(spec: str, message: str) -> None:
    pytest.importorskip(spec.partition(":")[0], reason="not installed")
    if "x" in message and not importlib.import_module("timm").is_model(spec.partition(":")[2].partition(".")[0]):
        pytest.skip("this timm has no network of images that aren't square")
    with pytest.raises(InputError, match=message):
        form_of(spec)
