import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.datasets import ArrayDataset, FileDataset, load, scan, splits
from ipmix.data.sources import OnDisk


def make_folder(top: Path, counts: dict[str, int], size: tuple[int, int] = (6, 5), seed: int = 0) -> Path:
    draws = np.random.default_rng(seed)
    for name, count in counts.items():
        (top / name).mkdir(parents=True)
        for i in range(count):
            pixels = draws.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(top / name / f"{i:03d}.png")
    return top


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"cat": 3, "ant": 2})
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not an image")
    dataset = load(tmp_path, "train", quiet=True)
    assert dataset.classes == ("ant", "cat")
    assert dataset.labels.tolist() == [0, 0, 1, 1, 1]
    assert dataset.images.shape == (5, 6, 5, 3)
    first_cat = np.asarray(Image.open(tmp_path / "train" / "cat" / "000.png"))
    assert np.array_equal(dataset.images[2], first_cat)


def test_size_brings_all_images_to_one(tmp_path: Path) -> None:
    make_folder(tmp_path / "test", {"a": 2}, (9, 14))
    make_folder(tmp_path / "test", {"b": 2}, (20, 8))
    with pytest.raises(InputError, match=r"differ in size: .*000\.png is 14x9, .*000\.png is 8x20; pass a size"):
        load(tmp_path, "test", quiet=True)
    assert load(tmp_path, "test", size=8, quiet=True).images.shape == (4, 8, 8, 3)


def test_class_folders_alone_do_for_testing_but_not_for_training(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a": 1, "b": 1})
    assert len(load(tmp_path, "test", quiet=True)) == 2
    assert splits(tmp_path) == ()
    with pytest.raises(InputError, match="no 'train' folder"):
        load(tmp_path, "train")


def test_a_class_called_train_is_no_split(tmp_path: Path) -> None:
    make_folder(tmp_path, {"train": 2, "bus": 1})
    assert splits(tmp_path) == ()
    dataset = load(tmp_path, "test", quiet=True)
    assert (dataset.classes, len(dataset)) == (("bus", "train"), 3)


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere is not a folder"):
        load(tmp_path / "nowhere", "train")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(InputError, match="hollow is empty"):
        load(tmp_path / "hollow", "test")
    (tmp_path / "hollow" / "train").mkdir()
    with pytest.raises(InputError, match="train has no class folders"):
        load(tmp_path / "hollow", "train")
    with pytest.raises(InputError, match="no 'test' folder; it has: train"):
        load(tmp_path / "hollow", "test")
    (tmp_path / "hollow" / "train" / "cat").mkdir()
    with pytest.raises(InputError, match=r"class folder .*cat holds no image"):
        load(tmp_path / "hollow", "train")


def test_a_broken_image_is_named_or_skipped_and_counted(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"a": 3, "b": 2})
    whole = load(tmp_path, "train", quiet=True)
    broken = tmp_path / "train" / "a" / "001.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(InputError, match=r"001\.png.*--skip-broken"):
        load(tmp_path, "train", quiet=True)
    dataset = load(tmp_path, "train", skip_broken=True, quiet=True)
    assert dataset.skipped == (broken,)
    assert dataset.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(dataset.images, whole.images[[0, 2, 3, 4]])
    (tmp_path / "train" / "b" / "000.png").write_bytes(b"")
    assert len(load(tmp_path, "train", skip_broken=True, quiet=True).skipped) == 2


def test_nothing_is_left_when_all_are_broken(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"a": 1})
    (tmp_path / "train" / "a" / "000.png").write_bytes(b"x")
    with pytest.raises(InputError, match="every one of the 1 images is broken"):
        load(tmp_path, "train", skip_broken=True, quiet=True)


def test_sixteen_bits_are_not_skipped_as_broken(tmp_path: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    Image.fromarray(np.ones((4, 4), np.uint16)).save(tmp_path / "train" / "a" / "deep.png")
    with pytest.raises(InputError, match=r"deep\.png holds 16-bit samples"):
        load(tmp_path, "train", skip_broken=True, quiet=True)


def test_files_decode_one_by_one(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"a": 2, "b": 1})
    files = scan(tmp_path, "train")
    assert isinstance(files, FileDataset)
    assert len(files) == 3
    assert np.array_equal(files[1], load(tmp_path, "train", quiet=True).images[1])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), np.zeros(2, np.int64), "float32"),
        (np.zeros((2, 4, 4, 3), np.uint16), np.zeros(2, np.int64), "uint16"),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64), r"uint8\[2, 4, 4\]"),
        (np.zeros((0, 4, 4, 3), np.uint8), np.zeros(0, np.int64), "no image"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3, np.int64), r"int64\[2\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(2, np.int32), "int32"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.array([0, -1]), "0 or more, got -1"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 2]), r"0\.\.1 \(2 classes\), got 0\.\.2"),
    ],
)
def test_arrays_are_checked_at_the_edge(images: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ArrayDataset(images, labels, ("a", "b"), "mine")


def test_unknown_splits_and_sizes() -> None:
    with pytest.raises(InputError, match="unknown split 'validation'"):
        load("digits", "validation")
    for size in (0, "x", 1.5, 2**20):
        with pytest.raises(InputError, match="size must be a whole number from 1 to 65536, got"):
            load("digits", "train", size=size)  # type: ignore[arg-type]
    for source in (None, 3, b"digits", ""):
        with pytest.raises(InputError, match="source must be the name of a file or folder, got"):
            load(source, "train")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown split 'tran'; did you mean 'train'"):
        scan("anywhere", "tran")
    with pytest.raises(InputError, match="unknown split None; known are train, test, val"):
        load("digits", None)  # type: ignore[arg-type]


def test_a_set_that_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipmix.data import datasets

    make_folder(tmp_path / "train", {"a": 2}, (300, 300))
    monkeypatch.setattr(datasets.os, "sysconf", lambda name: {"SC_PHYS_PAGES": 100, "SC_PAGE_SIZE": 4096}[name])
    with pytest.raises(InputError, match=r"need 0\.0 GiB, this machine has 0\.0; pass a smaller --size"):
        load(tmp_path, "train", quiet=True)
    assert len(load(tmp_path, "train", size=100, quiet=True)) == 2


def test_checking_files_finds_the_broken_ones(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"a": 3})
    (tmp_path / "train" / "a" / "001.png").write_bytes(b"x")
    files, broken = scan(tmp_path, "train").whole(quiet=True)
    assert [path.name for path in files.paths] == ["000.png", "002.png"]
    assert [path.name for path in broken] == ["001.png"]
    (tmp_path / "train" / "a" / "000.png").write_bytes(b"x")
    (tmp_path / "train" / "a" / "002.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"every one of the 3 images is broken \(.*000\.png and 2 more\)"):
        scan(tmp_path, "train").whole(quiet=True)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / "test" / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / os.fsdecode(b"\xe9.png"))
    files = scan(tmp_path, "test")
    assert files.classes == ("caf\udce9",)
    assert len(OnDisk(files).fingerprint()) == 64
