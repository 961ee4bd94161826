"""What a set holds: its bytes, labels and names count, where it lies and when it was touched do not."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data import contents
from ipmix.data.contents import content_hashes, digest_of
from ipmix.data.datasets import ArrayDataset, scan_classes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows tells no time of an inode's change")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A memory of the test's own, which remembers files at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "SETTLED_SECONDS", 0.0)
    return tmp_path / "cache" / "ipmix" / "contents"


@pytest.fixture
def folder(tmp_path):
    draws = np.random.default_rng(0)
    for name in ("cats/a.png", "cats/b.png", "dogs/a.png", "dogs/deep/c.png"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (6, 6, 3)).astype(np.uint8)).save(path, compress_level=0)
    return tmp_path / "data"


def digest(folder: Path) -> str:
    return digest_of(scan_classes(folder, "whatever"))


def invert(path: Path) -> None:
    """In place: size, name, inode and time of change stay."""
    before = path.stat()
    changed = Image.fromarray(255 - np.asarray(Image.open(path)))
    with path.open("r+b") as file:
        changed.save(file, "PNG", compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_ino, after.st_mtime_ns) == (before.st_size, before.st_ino, before.st_mtime_ns)


def test_an_image_inverted_in_place_is_noticed(folder):
    first = digest(folder)
    time.sleep(0.02)  # what was just hashed is remembered; a change within the clock's tick is what settling is for
    assert digest(folder) == first
    invert(folder / "dogs" / "a.png")
    assert digest(folder) != first
    invert(folder / "dogs" / "a.png")
    assert digest(folder) == first


def test_images_moved_between_classes_are_noticed(folder):
    first = digest(folder)
    (folder / "cats" / "a.png").rename(folder / "cats" / "x")
    (folder / "dogs" / "a.png").rename(folder / "cats" / "a.png")
    (folder / "cats" / "x").rename(folder / "dogs" / "a.png")
    assert digest(folder) != first


def test_labels_count(folder):
    files = scan_classes(folder, "whatever")
    assert digest_of(files) != digest_of(replace(files, labels=files.labels[::-1].copy()))


def test_a_renamed_copied_or_touched_folder_is_the_same(folder, tmp_path):
    first = digest(folder)
    for path in folder.rglob("*.png"):
        os.utime(path, (1, 1))
    assert digest(folder) == first
    folder.rename(tmp_path / "elsewhere")
    assert digest(tmp_path / "elsewhere") == first
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "copy")
    assert digest(tmp_path / "copy") == first


def test_unchanged_files_are_read_once(folder, monkeypatch, cache):
    read = []
    real = contents._content
    monkeypatch.setattr(contents, "_content", lambda path: (read.append(path.name), real(path))[1])
    paths = sorted(folder.rglob("*.png"))
    time.sleep(0.02)
    first = content_hashes(paths, folder)
    assert len(read) == 4
    assert content_hashes(paths, folder) == first
    assert len(read) == 4
    os.utime(paths[2], (1, 1))
    time.sleep(0.02)
    assert content_hashes(paths, folder) == first
    assert read[4:] == [paths[2].name]
    (memory,) = cache.iterdir()
    damaged = bytearray(memory.read_bytes())
    damaged[40] ^= 1
    memory.write_bytes(damaged)
    assert content_hashes(paths, folder) == first
    assert len(read) == 9


def test_a_file_that_was_just_changed_is_not_remembered(folder, monkeypatch, cache):
    """It could change again within the same tick of the clock."""
    monkeypatch.setattr(contents, "SETTLED_SECONDS", 60.0)
    digest(folder)
    assert not cache.exists()


def test_without_a_cache_folder(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    first = digest(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert digest(folder) == first


def test_a_file_that_is_gone_is_named(folder):
    files = scan_classes(folder, "whatever")
    (folder / "cats" / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png can't be read \(No such file"):
        digest_of(files)


def test_arrays_and_their_labels():
    images, labels = np.zeros((3, 4, 4, 3), np.uint8), np.arange(3)
    base = ArrayDataset(images, labels, ("a", "b", "c"), "one")
    assert digest_of(base) == digest_of(replace(base, name="two"))
    other = images.copy()
    other[2, 3, 3, 2] = 1
    assert (
        len(
            {
                digest_of(base),
                digest_of(replace(base, images=other)),
                digest_of(replace(base, labels=labels[::-1].copy())),
            }
        )
        == 3
    )
