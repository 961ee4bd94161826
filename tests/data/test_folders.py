"""The files that are found, against torchvision's ImageFolder."""

import os
from pathlib import Path

import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.datasets import scan
from ipmix.data.decoding import SUFFIXES
from ipmix.data.folders import class_folders, image_files

datasets = pytest.importorskip("torchvision.datasets", reason="the outside oracle")


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 3)).save(path)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Classes a, b and c (a link), with nested, linked, looping and hidden folders."""
    top = tmp_path / "data"
    for name in ("a/z.png", "a/x/p.png", "a/x/y/q.jpg", "a/x-1/r.png", "a/B.PNG", "b/p.png", "b/10.png", "b/9.gif"):
        put(top / name)
    (top / "a" / "notes.txt").write_text("no image")
    for name in ("one.png", "deep/two.png", "three.webp"):
        put(tmp_path / "elsewhere" / name)
    put(tmp_path / "more" / "m.png")
    (top / "a" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (top / "b" / "linked.png").symlink_to(tmp_path / "elsewhere" / "one.png")
    (top / "c").symlink_to(tmp_path / "more", target_is_directory=True)
    return top


def theirs(top: Path) -> list[tuple[Path, int]]:
    return [(Path(path), label) for path, label in datasets.ImageFolder(top, is_valid_file=is_known).samples]


def is_known(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def ours(top: Path) -> list[tuple[Path, int]]:
    found = scan(top, "test")
    return list(zip(found.paths, found.labels.tolist()))


def test_the_same_files_labels_and_order_as_imagefolder(tree: Path) -> None:
    assert ours(tree) == theirs(tree)
    assert len(ours(tree)) == 13
    assert scan(tree, "test").classes == tuple(datasets.ImageFolder(tree, is_valid_file=is_known).classes)
    assert scan(tree, "test").hidden == ()


def test_links_that_lead_back_are_not_followed(tree: Path) -> None:
    before = ours(tree)
    (tree / "a" / "x" / "loop").symlink_to(tree / "a", target_is_directory=True)
    round_and_round = theirs(tree)
    assert len(round_and_round) > 100  # until the system stops it
    assert [found for found in round_and_round if "loop" not in found[0].parts] == ours(tree) == before
    (tree / "b" / "self").symlink_to(tree / "b", target_is_directory=True)
    (tree / "b" / "top").symlink_to(tree, target_is_directory=True)
    assert ours(tree) == before


def test_a_link_that_leads_to_itself(tree: Path) -> None:
    before = ours(tree)
    (tree / "b" / "round").symlink_to("round")  # no image by its name
    assert ours(tree) == before
    (tree / "b" / "round.png").symlink_to("round.png")
    with pytest.raises(InputError, match=r"round\.png is a link to round\.png, which is not there"):
        ours(tree)


def test_two_links_to_one_folder_count_twice_as_in_imagefolder(tree: Path) -> None:
    (tree / "b" / "again").symlink_to(tree.parent / "elsewhere", target_is_directory=True)
    (tree / "b" / "once more").symlink_to(tree.parent / "elsewhere", target_is_directory=True)
    assert ours(tree) == theirs(tree)


def test_hidden_files_and_folders_are_left_out_and_counted(tree: Path) -> None:
    before = ours(tree)
    added = [put(tree / name) for name in ("a/.ipynb_checkpoints/z-checkpoint.png", "a/x/._p.png", ".trash/t.png")]
    (tree / "a" / ".DS_Store").write_bytes(b"")
    assert ours(tree) == before
    assert set(scan(tree, "test").hidden) == {tree / "a" / ".ipynb_checkpoints", added[1], tree / ".trash"}
    assert len(theirs(tree)) == len(before) + 3  # ImageFolder takes them, one even as a class


def test_folders_that_are_no_folders_or_closed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        image_files(tree / "a" / "z.png")
    real = os.scandir

    def scandir(folder: Path) -> object:
        if Path(folder).name == "x-1":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(InputError, match=r"x-1 can't be read \(Permission denied\)"):
        image_files(tree / "a")


def test_a_link_that_leads_nowhere_is_named(tree: Path) -> None:
    (tree / "b" / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png is a link to nowhere\.png, which is not there"):
        scan(tree, "test")


def test_class_folders(tree: Path) -> None:
    (tree / ".hidden").mkdir()
    put(tree / "loose.png")
    shown, hidden = class_folders(tree)
    assert [path.name for path in shown] == ["a", "b", "c"]
    assert hidden == (tree / ".hidden",)
