"""Resizing and cropping against torchvision, byte for byte."""

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data import cropping
from ipmix.data.cropping import IMAGENET_CROP, outer_side, resize_and_crop

transforms = pytest.importorskip("torchvision.transforms", reason="the outside oracle")

SIZES = [(w, h) for w, h in np.random.default_rng(0).integers(1, 400, (36, 2)).tolist()]
SIZES += [(500, 375), (333, 500), (224, 224), (256, 256)]


def image(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def theirs(shown: Image.Image, outer: int, size: int, **options: object) -> np.ndarray:
    return np.asarray(transforms.CenterCrop(size)(transforms.Resize(outer, **options)(shown)))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_equal_to_torchvision(width: int, height: int) -> None:
    shown = image(width, height)
    ours = np.asarray(resize_and_crop(shown, 224, 0.875))
    assert ours.shape == (224, 224, 3)
    np.testing.assert_array_equal(ours, theirs(shown, 256, 224))
    for size in (31, 32):  # the whole of the shorter side, margins of either parity
        np.testing.assert_array_equal(np.asarray(resize_and_crop(shown, size)), theirs(shown, size, size))


def test_the_longer_side_is_cut_and_the_margin_rounded_to_the_even() -> None:
    # 100 x 149 to 50: 74.5 pixels become 74. Margins of 0.5, 1.5, 2.5 and 3.5 pixels become 0, 2, 2 and 4.
    assert transforms.Resize(50)(image(100, 149)).size == (50, 74)
    for odd in (51, 53, 55, 57):
        shown = image(50, odd)
        np.testing.assert_array_equal(np.asarray(resize_and_crop(shown, 50)), theirs(shown, 50, 50))
    rounded_up = np.asarray(image(50, 53))[1:51]
    assert not np.array_equal(np.asarray(resize_and_crop(image(50, 53), 50)), rounded_up)


@pytest.mark.parametrize("name", ["BILINEAR", "BICUBIC", "LANCZOS"])
def test_every_interpolation(name: str) -> None:
    shown = image(173, 95)
    ours = np.asarray(resize_and_crop(shown, 64, 0.9, Image.Resampling[name]))
    mode = getattr(transforms.InterpolationMode, name)
    np.testing.assert_array_equal(ours, theirs(shown, 71, 64, interpolation=mode))


def test_grey_and_unchanged_images() -> None:
    grey = image(90, 61).convert("L")
    np.testing.assert_array_equal(np.asarray(resize_and_crop(grey, 40, 0.875)), theirs(grey, 45, 40))
    shown = image(48, 48)
    assert resize_and_crop(shown, 48) is shown


def test_the_outer_side_is_that_of_the_published_weights() -> None:
    assert outer_side(224, IMAGENET_CROP) == 256
    assert outer_side(224, 0.9) == 248  # 248.9
    assert outer_side(17, 1.0) == 17
    for outer in range(224, 700):  # a share that was computed from the outer side finds it again
        assert outer_side(224, 224 / outer) == outer


def test_the_outer_side_is_timms() -> None:
    data = pytest.importorskip("timm.data")
    shown = image(300, 217)
    for size, crop in ((224, 0.9), (288, 0.95), (240, 0.882), (160, 0.875), (300, 0.904), (256, 1.0)):
        steps = data.create_transform((3, size, size), crop_pct=crop, interpolation="bicubic").transforms[:2]
        expected = shown
        for step in steps:
            expected = step(expected)
        ours = resize_and_crop(shown, size, crop, Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(expected))


def test_a_line_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="30000x1 pixels would become 6720000x224; crop it"):
        resize_and_crop(Image.new("RGB", (30_000, 1)), 224)
    monkeypatch.setattr(cropping, "PIXELS_MOST", 100)
    with pytest.raises(InputError, match="20x10"):
        resize_and_crop(Image.new("RGB", (4, 2)), 10)
