import io

import numpy as np
import pytest
from PIL import Image

import ipmix
from ipmix.explore import uploads


def encoded(image, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_an_image_is_read_as_files_are(photo):
    assert np.array_equal(uploads.read_upload("a.png", encoded(photo), 224), photo)
    assert uploads.read_upload("A.JPG", encoded(photo, "JPEG"), 30).shape == (20, 30, 3)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", EPS, r"^a\.png is not an image of the kind"),
        ("a.eps", EPS, r"^a\.eps does not end like an image"),
        ("a.png", b"", r"^a\.png is empty"),
        ("../../a.png", b"none", r"^\.\./\.\./a\.png is not an image"),
        ("a", b"none", "^a does not end like an image"),
    ],
)
def test_what_is_no_image_is_refused_by_its_name(name, content, message):
    with pytest.raises(ipmix.InputError, match=message) as told:
        uploads.read_upload(name, content, 224)
    assert "ipmix-explore" not in str(told.value), "no temporary file is named"


def test_what_is_too_large_is_refused(photo, monkeypatch):
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "2399")
    with pytest.raises(ipmix.InputError, match=r"^a\.png is 60x40: 2,400 pixels; the limit is 2,399"):
        uploads.read_upload("a.png", encoded(photo), 224)
    monkeypatch.setattr(uploads, "UPLOAD_MOST", 100)
    with pytest.raises(ipmix.InputError, match=r"^a\.png has 0 MiB; an image is read up to"):
        uploads.read_upload("a.png", encoded(photo), 224)


def test_nothing_is_left_behind(photo, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    uploads.read_upload("a.png", encoded(photo), 224)
    with pytest.raises(ipmix.InputError):
        uploads.read_upload("a.png", b"none", 224)
    assert list(tmp_path.iterdir()) == []


def test_small_images_are_enlarged_in_whole_pixels_and_boxes_outlined(photo):
    small = photo[:28, :28]
    shown = uploads.as_shown(small)
    assert shown.shape == (168, 168, 3)
    assert np.array_equal(shown[::6, ::6], small)
    assert uploads.as_shown(small[:, :, :1]).shape == (168, 168, 3)
    boxed = uploads.as_shown(small, (7, 14, 21, 28))
    rows, columns = np.nonzero((boxed != shown).any(axis=2))
    around = 7  # clear of it by 3, a line of 3, a light one of 1; it is open where the box ends with the image
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (84 - around, 167, 42 - around, 125 + around)
    assert np.array_equal(boxed[81:, 39:129], shown[81:, 39:129]), "the patch and what lies next to it are as they were"
    patch = uploads.as_shown(np.zeros((224, 224, 3), np.uint8), (100, 100, 108, 102))
    assert (patch[98:104, 98:110] == 0).all()
    assert (patch[97, 97:111] == uploads.BOX).all()
    large = np.zeros((300, 200, 3), np.uint8)
    assert np.array_equal(uploads.as_shown(large), large)


@pytest.mark.parametrize("size", [32, 224])
def test_the_scene_to_begin_with_has_edges_and_colors(size):
    scene = uploads.sample_image(size)
    assert scene.shape == (size, size, 3)
    assert len(np.unique(scene.reshape(-1, 3), axis=0)) > 50
    assert scene.std(axis=(0, 1)).min() > 20
