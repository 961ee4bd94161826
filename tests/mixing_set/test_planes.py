"""When planes of a size are made for all images of a set, and when only single images are resized."""

from pathlib import Path

import numpy as np
import pytest

import ipmix
from ipmix import Augmenter, MixingSet
from ipmix.mixing_set import planes as module

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 20, 20, 3), dtype=np.uint8)
SETTINGS = {"seed": 3}


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.npy") if path.parent.name == "planes")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, and planes of more than 13 x 13 pixels that are large."""
    monkeypatch.setenv("IPMIX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "AT_ONCE", 7 * 3 * 14**2)
    monkeypatch.setattr(module, "FIRST_AT_ONCE", 7 * 3 * 22**2)
    return tmp_path / "cache"


@pytest.fixture
def mixing(folder: Path, tmp_path: Path) -> MixingSet:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
    return MixingSet.folder(tmp_path / "images")


def test_single_images_are_those_of_the_planes(mixing: MixingSet) -> None:
    for height, width, channels in ((12, 9, 3), (33, 40, 3), (20, 20, 1)):
        some = mixing.resized([6, 0, -1, 3], height, width, channels)
        assert np.array_equal(some, mixing.planes(height, width, channels)[[6, 0, -1, 3]])
        assert some.flags.c_contiguous


def test_planes_are_made_where_they_pay(mixing: MixingSet, folder: Path) -> None:
    assert mixing.planes_if_worth(24, 24, used=6) is None  # the first size, and large
    assert not kept(folder)
    first = mixing.planes_if_worth(19, 5, used=0)  # the first size that is not
    assert first is not None
    assert first.shape == (7, 3, 21, 21)
    assert len(kept(folder)) == 1
    assert mixing.planes_if_worth(18, 18, used=6) is None  # another one
    assert mixing.planes_if_worth(12, 12, used=0) is not None  # a small one
    assert len(kept(folder)) == 2
    assert mixing.planes_if_worth(18, 18, used=7) is not None  # as many images as the set has
    assert mixing.planes_if_worth(18, 18, used=0) is not None  # they are there
    again = MixingSet.folder(mixing._source.root)  # type: ignore[attr-defined]
    assert again.planes_if_worth(24, 24, used=0) is None
    assert again.planes_if_worth(18, 18, used=0) is not None  # on the disk


def test_planes_for_which_there_is_no_room_are_not_made(mixing: MixingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Planes, "_free", lambda self: 2 * 7 * 3 * 27**2 - 1)
    assert mixing.planes_if_worth(24, 24, used=1000) is None
    monkeypatch.setattr(module.Planes, "_free", lambda self: 2 * 7 * 3 * 27**2)
    assert mixing.planes_if_worth(24, 24, used=1000) is not None


def test_images_of_many_sizes_leave_no_planes_of_each(mixing: MixingSet, folder: Path) -> None:
    augmenter = Augmenter(ipmix.IPMix(), mixing, **SETTINGS)
    other = MixingSet.array(IMAGES)
    draws = np.random.default_rng(1)
    for index in range(40):
        image = draws.integers(0, 256, (20 + index, 17, 3), dtype=np.uint8)
        expected = ipmix.augment(image[None], ipmix.IPMix(), other, seed=3, epoch=1, indices=[index])[0]
        assert np.array_equal(augmenter(image, index=index, epoch=1), expected)
    assert [name.split("-")[1] for name in kept(folder)] == ["7x3x22x22.npy"]  # the first size, which is not large


def test_planes_come_when_as_many_images_had_that_size_as_the_set_has(mixing: MixingSet, folder: Path) -> None:
    augmenter = Augmenter(ipmix.IPMix(), mixing, **SETTINGS)
    image = np.random.default_rng(1).integers(0, 256, (30, 24, 3), dtype=np.uint8)
    expected = ipmix.augment(np.stack([image] * 12), ipmix.IPMix(), MixingSet.array(IMAGES), seed=3)
    for index in range(12):
        assert len(kept(folder)) == (index > 7)
        assert np.array_equal(augmenter(image, index=index, epoch=0), expected[index])
    assert any(not np.array_equal(each, image) for each in expected)


def test_a_promised_shape_has_its_planes_at_once(mixing: MixingSet, folder: Path) -> None:
    Augmenter(ipmix.IPMix(), mixing, shape=(30, 24, 3), **SETTINGS)
    assert len(kept(folder)) == 1
