"""Frost from photographs and from the procedure."""

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.randomness import below, stream
from ipmix.corruptions import corrupt
from ipmix.corruptions.common import frost
from ipmix.corruptions.severities import CORRUPTIONS, constants
from ipmix.corruptions.task import VIEW


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of six stand-ins, each of one grey value and a gradient."""
    for k, name in enumerate(frost.FILES):
        photograph = np.zeros((300 + k, 320, 3), np.uint8)
        photograph[...] = np.arange(320)[None, :, None] // 8 + 30 * k
        Image.fromarray(photograph).save(tmp_path / name, quality=100)
    monkeypatch.setenv(frost.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def no_photographs(monkeypatch):
    monkeypatch.delenv(frost.VARIABLE, raising=False)
    monkeypatch.setattr(frost, "find_folder", lambda named: None)


@pytest.mark.parametrize("side", [32, 224])
def test_frost_is_laid_as_published(photographs, make_images, side):
    assert frost.comparable()
    image = make_images(1, side, side, seed=2)
    result = corrupt(image, "frost", 3, seed=4)[0]
    state = stream(4, CORRUPTIONS.index("frost") * 16 + 3, 0, VIEW)
    photograph = np.asarray(Image.open(photographs / frost.FILES[below(state, 5)]).convert("RGB"))
    if side == 32:
        photograph = photograph[2::5, 2::5]
    top, left = below(state, photograph.shape[0] - side), below(state, photograph.shape[1] - side)
    a, b = constants("frost", 3, side, side)
    expected = np.clip(a * image[0] + b * photograph[top : top + side, left : left + side], 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(result, expected)


def test_the_sixth_image_only_when_corrected(photographs):
    black = np.zeros((200, 32, 32, 3), np.uint8)
    darkest = 0.45 * 150  # the sixth stand-in's darkest value times its weight at severity 5
    original, corrected = (corrupt(black, "frost", 5, seed=0, form=form) for form in ("original", "corrected"))
    assert original.min(axis=(1, 2, 3)).max() < darkest - 1
    assert 0.08 < (corrected.min(axis=(1, 2, 3)) >= darkest - 1).mean() < 0.28


def test_without_photographs(no_photographs, make_images):
    assert not frost.comparable()
    images = make_images(3, 32, 32, seed=2)
    result = corrupt(images, "frost", 3, seed=4)
    np.testing.assert_array_equal(result, corrupt(images, "frost", 3, seed=4))
    assert (result != images).any()


def test_a_folder_that_lacks_images(photographs, make_images):
    (photographs / "frost4.jpg").unlink()
    with pytest.raises(InputError, match=r"frost4\.jpg can't be found"):
        corrupt(make_images(1, 32, 32), "frost", 1, seed=0)


@pytest.mark.parametrize("shape", [(16, 20), (64, 64), (500, 400), (32, 400)])
def test_images_are_larger_than_any_image(photographs, shape):
    for photograph in frost.images(photographs):
        scaled = frost.shrunk(photograph, *shape)
        assert scaled.shape[0] > shape[0]
        assert scaled.shape[1] > shape[1]


def test_grey_images_get_grey_frost(photographs, make_images):
    assert corrupt(make_images(1, 32, 32, channels=1), "frost", 2, seed=0).shape == (1, 32, 32, 1)
