"""The form that images are brought to for published weights, and the channels."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.data import datasets  # noqa: E402
from ipmix.data.sources import OnDisk  # noqa: E402
from ipmix.evaluation import inputs  # noqa: E402
from ipmix.evaluation.request import EvaluationRequest  # noqa: E402
from ipmix.evaluation.shaping import ShapedFiles, in_channels, with_channels  # noqa: E402


@pytest.fixture
def files(tmp_path):
    random = np.random.default_rng(0)
    for name, shape in (("a", (60, 90, 3)), ("b", (75, 50, 3))):
        (tmp_path / "data" / name).mkdir(parents=True)
        image = Image.fromarray(random.integers(0, 256, (9, 9, 3)).astype(np.uint8)).resize((shape[1], shape[0]))
        image.save(tmp_path / "data" / name / "0.png")
    return datasets.scan(tmp_path / "data", "test")


def test_the_usual_form_is_that_of_other_readers(files):
    usual, shaped = OnDisk(files, size=32, crop=0.875), ShapedFiles(files, size=32, crop=0.875)
    np.testing.assert_array_equal(usual.read(0, 2)[0], shaped.read(0, 2)[0])
    assert usual.fingerprint() == shaped.fingerprint()


def test_bicubic_is_torchvision_s(files):
    transforms = pytest.importorskip("torchvision.transforms")
    made = ShapedFiles(files, size=32, crop=32 / 37, interpolation="bicubic")
    theirs = transforms.Compose([transforms.Resize(37, Image.Resampling.BICUBIC), transforms.CenterCrop(32)])
    for place, path in enumerate(files.paths):
        np.testing.assert_array_equal(made.image(place), np.asarray(theirs(Image.open(path))))
    assert made.fingerprint() != ShapedFiles(files, size=32, crop=32 / 37).fingerprint()


def test_squash_resizes_both_sides_and_keeps_the_middle(files):
    made = ShapedFiles(files, size=32, crop=0.8, mode="squash", interpolation="bicubic").image(0)
    whole = Image.open(files.paths[0]).resize((40, 40), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(made, np.asarray(whole)[4:36, 4:36])


def test_border_fills_up_the_shorter_side(files):
    made = ShapedFiles(files, size=30, mode="border", filling=(1.0, 0.0, 0.2)).image(0)  # 90 x 60 becomes 30 x 20
    small = np.asarray(Image.open(files.paths[0]).resize((30, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(made[5:25], small)
    assert (made[:5] == (255, 0, 51)).all()
    assert (made[25:] == (255, 0, 51)).all()


def test_grey_is_luma_and_color_from_grey_is_three_times_it(files):
    grey = with_channels(ShapedFiles(files, size=16), 1)
    np.testing.assert_array_equal(
        grey.image(0)[:, :, 0], np.asarray(Image.fromarray(ShapedFiles(files, size=16).image(0)).convert("L"))
    )
    colors = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3)).astype(np.uint8)
    one = in_channels(colors, 1)
    assert one.shape == (3, 4, 5, 1)
    assert (in_channels(one, 3) == one).all()
    assert with_channels(ShapedFiles(files, size=16), None).channels == 3


def test_published_weights_tell_their_form(files, monkeypatch):
    pytest.importorskip("timm")
    built = models.build("timm:resnet18.a1_in1k", 1000)
    monkeypatch.setattr(inputs, "open_model", lambda *_, **__: built)
    folder = str(files.root)
    request = EvaluationRequest(model="timm:resnet18.a1_in1k", data=folder, out=None, class_map="sorted")
    model, source, _, _ = inputs.model_and_source(request, True)
    assert inputs.told_form(request, model, source) == (
        "224 px, crop 0.95, bicubic, mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225, "
        "as timm says of resnet18.a1_in1k"
    )
    asked = EvaluationRequest(
        model="timm:resnet18.a1_in1k", data=folder, out=None, class_map="sorted", size=64, interpolation="bilinear"
    )
    model, source, _, _ = inputs.model_and_source(asked, True)
    assert inputs.told_form(asked, model, source).startswith("64 px, crop 1, bilinear")
    assert inputs.told_form(asked, model, source).endswith("but for --size, --interpolation")


def test_a_one_channel_model_is_given_grey_images(files):
    class Grey(torch.nn.Module):  # nothing tells that it takes one channel but that it fails on three
        def forward(self, images):
            if images.shape[1] != 1:
                raise RuntimeError("expected 1 channel")
            return images.mean(dim=(1, 2, 3))[:, None] * torch.tensor([1.0, -1.0])

    source, total = inputs._tried(Grey(), ShapedFiles(files, size=16))
    assert (source.channels, total) == (1, 2)

    class Neither(torch.nn.Module):
        def forward(self, images):
            raise RuntimeError("nothing is right")

    with pytest.raises(InputError, match="can't take an image of 16x16 with 3 channels"):
        inputs._tried(Neither(), ShapedFiles(files, size=16))
    assert inputs._channels_of(models.build("wrn-10-1", 2, channels=1)) == 1
