"""When planes of a size are made for all images of a set, and when only single images are resized."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.mixing_set.small_sets import MIX, made, write_images

import ipmix
from ipmix import Augmenter, MixingSet
from ipmix.mixing_set import planes as module
from ipmix.mixing_set.planes import Planes

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


def test_planes_too_large_for_memory_are_mapped(tmp_path, monkeypatch):
    write_images(tmp_path / "set", [(50, 40), (40, 50), (64, 64)])
    in_memory = MixingSet.folder(tmp_path / "set").planes(32, 32)
    monkeypatch.setattr("ipmix.mixing_set.planes.MEMORY_MOST", 1000)
    mapped = MixingSet.folder(tmp_path / "set", cache=tmp_path / "cache").planes(32, 32)
    assert isinstance(mapped, np.memmap)
    assert not isinstance(in_memory, np.memmap)
    np.testing.assert_array_equal(mapped, in_memory)
    (file,) = (tmp_path / "cache" / "planes").iterdir()
    written = file.stat().st_mtime_ns
    again = MixingSet.folder(tmp_path / "set", cache=tmp_path / "cache").planes(32, 32)
    np.testing.assert_array_equal(again, in_memory)
    assert file.stat().st_mtime_ns == written


def test_planes_in_the_cache_are_of_these_very_images(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("ipmix.mixing_set.planes.MEMORY_MOST", 0)
    write_images(tmp_path / "own", [(9, 9)])
    path = tmp_path / "own" / "class" / "0.png"
    pixels = np.zeros((9, 9, 3), np.uint8)
    for fill in (10, 200):
        before = path.stat()
        Image.fromarray(pixels + np.uint8(fill)).save(path, compress_level=0)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert MixingSet.folder(tmp_path / "own", cache=tmp_path / "planes").planes(8, 8).max() == fill


def test_planes_are_made_once_for_all_processes(tmp_path, monkeypatch):
    mixing = MixingSet.generate(20, 36, 0, mix=MIX, cache=tmp_path)
    right = mixing.planes(40, 40)
    monkeypatch.setattr(Planes, "_blocks", lambda *_: 1 / 0)
    again = MixingSet.generate(20, 36, 0, mix=MIX, cache=tmp_path)
    np.testing.assert_array_equal(again.planes(40, 40), right)
    assert not isinstance(again.planes(40, 40), np.memmap), "read where it lies, not image by image"
    with pytest.raises(ZeroDivisionError):
        again.planes(41, 41)


def test_without_a_place_for_planes_they_stay_in_memory(tmp_path):
    made(tmp_path / "set", "png")
    (tmp_path / "file").write_text("")
    mixing = MixingSet.open(tmp_path / "set", cache=tmp_path / "file")
    mapped = MixingSet.open(tmp_path / "set", cache=tmp_path)
    np.testing.assert_array_equal(mixing.planes(20, 20), mapped.planes(20, 20))
