from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data import datasets
from ipmix.data.datasets import load, scan
from ipmix.data.decoding import DecodeConfig
from ipmix.data.sources import InMemory, OnDisk, open_images, read_arrays


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            pixels = np.random.default_rng(i).integers(0, 256, (40, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_a_part_is_what_the_whole_holds(folder):
    files = datasets.scan(folder, "test")
    images, kept = OnDisk(files, size=16).read(2, 5)
    assert kept.tolist() == [2, 3, 4]
    assert np.array_equal(images, files.read(size=16, quiet=True).images[2:5])
    last, kept = OnDisk(files, size=16).read(4, 100)
    assert len(last) == len(kept) == 2


def test_cropped_as_imagenets_protocol_says(tmp_path):
    """Evaluating and corrupting see the same pixels: torchvision's, of photographs in 40 odd sizes."""
    transforms = pytest.importorskip("torchvision.transforms", reason="the outside oracle")
    draws = np.random.default_rng(0)
    for i in range(40):
        width, height = (int(side) for side in draws.integers(20, 300, 2))
        place = tmp_path / "val" / f"{i % 3}" / f"{i:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(place)
    files = datasets.scan(tmp_path, "val")
    images, _ = OnDisk(files, size=112, crop=0.875).read(0, 40)
    corrupted = open_images(tmp_path / "val", size=112)
    theirs = transforms.Compose([transforms.Resize(128), transforms.CenterCrop(112)])
    for place, path in enumerate(files.paths):
        with Image.open(path) as image:
            expected = np.asarray(theirs(image))
        assert np.array_equal(images[place], expected)
        assert np.array_equal(corrupted.image(place), expected)


def test_crop_and_trim_are_checked(folder):
    files = datasets.scan(folder, "test")
    for crop in (0.0, 1.5):
        with pytest.raises(InputError, match="crop"):
            OnDisk(files, size=16, crop=crop)
    with pytest.raises(InputError, match="nothing is left after --trim 15"):
        OnDisk(files, size=16, trim=15).image(0)
    trimmed = OnDisk(files, trim=2).image(0)
    assert np.array_equal(trimmed, files[0][2:-2, 2:-2])


def test_mapped_arrays_in_any_order(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", np.asfortranarray(images))
    np.save(tmp_path / "labels.npy", np.array([0, 3, 1, 1, 0], ">i4"))
    source = open_images(tmp_path / "a.npy")
    assert np.array_equal(source.read(1, 9)[0], images[1:])
    assert source.read(1, 9)[0].flags.c_contiguous
    assert np.array_equal(source.image(2), images[2])
    assert source.labels.tolist() == [0, 3, 1, 1, 0]
    assert [str(source.stem(place)) for place in (0, 1)] == ["0000/00000000", "0003/00000001"]
    (tmp_path / "labels.npy").unlink()
    unknown = open_images(tmp_path / "a.npy")
    assert not unknown.labelled
    assert str(unknown.stem(4)) == "unknown/00000004"


def test_broken_and_unequal_images(folder):
    (folder / "a" / "9.png").write_bytes(b"no image")
    Image.new("RGB", (5, 5)).save(folder / "b" / "8.png")
    files = datasets.scan(folder, "test")
    with pytest.raises(InputError, match=r"9\.png.*--skip-broken"):
        OnDisk(files, size=16).read(0, 8)
    _, kept = OnDisk(files, size=16, skip_broken=True).read(0, 8)
    assert kept.tolist() == [0, 1, 2, 4, 5, 6, 7]
    with pytest.raises(InputError, match="differ in size"):
        OnDisk(files, skip_broken=True).read(0, 8)


def test_fingerprints_tell_sets_apart(folder):
    files = datasets.scan(folder, "test")
    prints = {OnDisk(files, size=16).fingerprint(), OnDisk(files, size=17).fingerprint()}
    whole = files.read(size=16, quiet=True)
    prints.add(InMemory(whole).fingerprint())
    whole.images[0, 0, 0, 0] ^= 1
    prints.add(InMemory(whole).fingerprint())
    assert len(prints) == 4
    assert OnDisk(files, size=16).fingerprint() == OnDisk(files, size=16).fingerprint()


def test_arrays(tmp_path):
    images, labels = np.zeros((4, 6, 6, 3), np.uint8), np.array([0, 2, 1, 2], np.int32)
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    assert read_arrays(tmp_path / "set.npz").classes == ("0", "1", "2")
    np.savez(tmp_path / "named.npz", images=images, labels=labels, classes=np.array(["x", "y", "z"]))
    assert read_arrays(tmp_path / "named.npz").classes == ("x", "y", "z")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 4, 4, 3), np.uint8)}, "lacks labels"),
        ({"images": np.zeros((2, 4, 4, 3), np.float32), "labels": np.zeros(2, int)}, "uint8"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint16), "labels": np.zeros(2, int)}, "uint8"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.zeros(2)}, "integers"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.zeros(3, int)}, "labels"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.array([0, -1])}, "labels"),
    ],
)
def test_other_arrays_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_arrays(tmp_path / "set.npz")


def test_a_file_that_holds_no_arrays(tmp_path):
    (tmp_path / "set.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="can't be read"):
        read_arrays(tmp_path / "set.npz")


def test_the_decoding_of_a_set_reaches_every_reader(tmp_path: Path) -> None:
    """A photo stored lying on its side: upright by default, as stored where the set says so."""
    stored = np.zeros((20, 30, 3), np.uint8)
    stored[:, :10] = 255
    tag = Image.Exif()
    tag[0x0112] = 6
    for folder in ("a", "b"):
        (tmp_path / "test" / folder).mkdir(parents=True)
        Image.fromarray(stored).save(tmp_path / "test" / folder / "photo.png", exif=tag)
    upright, lying = scan(tmp_path, "test"), scan(tmp_path, "test", DecodeConfig(exif=False))
    expected = {30: np.rot90(stored, -1), 20: stored}
    for files, height in ((upright, 30), (lying, 20)):
        width = 50 - height
        assert files[0].shape == (height, width, 3)
        np.testing.assert_array_equal(files.whole(quiet=True)[0][0], expected[height])
        np.testing.assert_array_equal(files.read(quiet=True).images[1], expected[height])
        np.testing.assert_array_equal(OnDisk(files).read(0, 2)[0][0], expected[height])
        np.testing.assert_array_equal(OnDisk(files, trim=2).read(0, 1)[0][0], expected[height][2:-2, 2:-2])
    assert OnDisk(upright).fingerprint() != OnDisk(lying).fingerprint()
    assert load(tmp_path, "test", decoding=lying.decoding, quiet=True).images.shape == (2, 20, 30, 3)
    grey = scan(tmp_path, "test", DecodeConfig(grey=True))
    assert OnDisk(grey, size=8).read(0, 2)[0].shape == (2, 8, 8, 1)
