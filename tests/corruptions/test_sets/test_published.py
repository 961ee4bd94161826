"""Readers of sets on disk, and what they refuse."""

import pickle

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.corruptions.test_sets.published import ArraySet, FolderSet, open_set
from ipmix.data.npy import read_array


@pytest.fixture
def arrays(tmp_path):
    images = np.arange(5 * 4 * 2 * 2 * 3, dtype=np.uint8).reshape(20, 2, 2, 3)
    np.save(tmp_path / "fog.npy", images)
    np.save(tmp_path / "snow.npy", images[::-1])
    np.save(tmp_path / "labels.npy", np.tile([3, 1, 0, 2], 5))
    return tmp_path, images


def test_arrays(arrays):
    folder, images = arrays
    opened = open_set(folder)
    assert isinstance(opened, ArraySet)
    assert opened.names == ("snow", "fog")
    np.testing.assert_array_equal(opened.labels, [3, 1, 0, 2])
    assert opened.labels.dtype == np.int64
    np.testing.assert_array_equal(opened.images("fog", 3), images[8:12])
    with pytest.raises(InputError, match="severity must be a whole number from 1 to 5"):
        opened.images("fog", 6)
    with pytest.raises(InputError, match="has no 'frost'; it has snow, fog"):
        opened.images("frost", 1)


def test_labels_of_one_severity(arrays):
    folder, images = arrays
    np.save(folder / "labels.npy", np.array([3, 1, 0, 2], np.uint8))
    opened = open_set(folder)
    np.testing.assert_array_equal(opened.images("fog", 5), images[16:])


def test_sequences(tmp_path):
    np.save(tmp_path / "tilt.npy", np.zeros((3, 7, 2, 2, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(3))
    assert open_set(tmp_path).sequences("tilt").shape == (3, 7, 2, 2, 3)
    np.save(tmp_path / "labels.npy", np.arange(4))
    with pytest.raises(InputError, match="holds 3 sequences"):
        open_set(tmp_path).sequences("tilt")


def test_a_wrong_length(arrays):
    folder, images = arrays
    np.save(folder / "snow.npy", images[:15])
    np.save(folder / "labels.npy", [3, 1, 0, 2])
    with pytest.raises(InputError, match="holds 15 images, expected 20"):
        open_set(folder).images("snow", 1)
    # The same where the labels are repeated for each severity, and the first file is the short one.
    np.save(folder / "labels.npy", [3, 1, 0, 2] * 5)
    for name in open_set(folder).names:
        np.save(folder / f"{name}.npy", images[:15])
    with pytest.raises(InputError, match="holds 15 images, expected 20"):
        open_set(folder).images("snow", 1)


def test_labels_that_differ_between_severities(arrays):
    folder, _ = arrays
    np.save(folder / "labels.npy", np.arange(20))
    with pytest.raises(InputError, match="does not repeat the same 4 labels"):
        open_set(folder)


def test_pickled_content_is_refused(arrays, tmp_path):
    folder, images = arrays
    np.save(folder / "fog.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="pickled objects"):
        open_set(folder).images("fog", 1)
    (folder / "fog.npy").write_bytes(pickle.dumps(images))
    with pytest.raises(InputError, match="pickled objects"):
        open_set(folder).images("fog", 1)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array at all"])
def test_damaged_files(tmp_path, content):
    (tmp_path / "fog.npy").write_bytes(content)
    with pytest.raises(InputError, match="can't be read as an array"):
        read_array(tmp_path / "fog.npy", axes=4)


def test_a_file_that_is_cut_short(arrays):
    folder, _ = arrays
    whole = (folder / "fog.npy").read_bytes()
    (folder / "fog.npy").write_bytes(whole[:-10])
    with pytest.raises(InputError, match="can't be read"):
        open_set(folder).images("fog", 1)


def test_other_kinds_of_numbers(tmp_path):
    np.save(tmp_path / "fog.npy", np.zeros((5, 2, 2, 3)))
    with pytest.raises(InputError, match=r"expected uint8 with 4 axes .* got float64\[5, 2, 2, 3\]"):
        read_array(tmp_path / "fog.npy", axes=4)
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    with pytest.raises(InputError, match=r"\.npz archive"):
        read_array(tmp_path / "many.npz", axes=4)


def test_folders(tmp_path):
    for severity in range(1, 6):
        for wnid in ("n02", "n01"):
            place = tmp_path / "fog" / str(severity) / wnid
            place.mkdir(parents=True)
            Image.new("RGB", (4, 3), (severity, 0, 0)).save(place / "a.png")
    opened = open_set(tmp_path)
    assert isinstance(opened, FolderSet)
    assert opened.classes == ("n01", "n02")
    found = list(opened.images("fog", 4))
    assert [label for _, label in found] == [0, 1]
    assert found[0][0].shape == (3, 4, 3)
    assert found[0][0][0, 0, 0] == 4
    with pytest.raises(InputError, match="no folder for severity 9"):
        opened.files("fog", 9)


def test_folders_named_by_levels(tmp_path):
    for level in ("9.15", "2.35", "3.20", "4.90", "6.60"):
        place = tmp_path / "caustic_refraction" / level / "n01"
        place.mkdir(parents=True)
        Image.new("L", (2, 2)).save(place / f"{level}.png")
    ((path, _),) = open_set(tmp_path).files("caustic_refraction", 5)
    assert path.stem == "9.15"


def test_neither_layout(tmp_path):
    with pytest.raises(InputError, match=r"neither <corruption>\.npy nor"):
        open_set(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        open_set(tmp_path / "missing")
    np.save(tmp_path / "fog.npy", np.zeros((5, 2, 2, 3), np.uint8))
    with pytest.raises(InputError, match=r"labels\.npy does not exist"):
        open_set(tmp_path)
