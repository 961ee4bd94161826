"""``ipmix augment``: sheets of one method, of all methods, and of one version taken apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipmix.augmentation.batches import augment as augment_batch
from ipmix.augmentation.batches import draw
from ipmix.cli import method_figure
from ipmix.cli.commands.augment import augment as command
from ipmix.cli.commands.choosing import MethodWords
from ipmix.cli.method_figure import compare, methods_named, numbered, partner_of, versions
from ipmix.cli.sheet import SheetRow
from ipmix.cli.words import Assignment
from ipmix.core.errors import InputError
from ipmix.methods import METHODS, IPMix, MixUp, Vanilla
from ipmix.mixing_set.mixing_set import MixingSet

QUICK: dict[str, Any] = {"mixing_count": 2, "size": 32, "cell": 32}
WHERE: dict[str, Any] = {"seed": 3, "epoch": 1, "index": 0, "engine": "compiled"}


@pytest.fixture
def files(tmp_path: Path, make_images: Any) -> list[Path]:
    paths = []
    for i, (height, width) in enumerate([(40, 30), (25, 50)]):
        paths.append(tmp_path / f"image{i}.png")
        Image.fromarray(make_images(1, height, width, seed=i)[0]).save(paths[-1])
    return paths


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_one_method(files: list[Path], tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "sheet.png"
    command(files, out=out, method=MethodWords("augmix"), count=3, **QUICK)
    assert "wrote" in capsys.readouterr().out
    width, height = size_of(out)
    assert width >= 4 * 32
    with pytest.raises(InputError, match="exist"):
        command(files, out=out, method=MethodWords("augmix"), **QUICK)
    command(files, out=out, method=MethodWords("augmix"), force=True, count=1, **QUICK)
    assert size_of(out)[0] <= width
    assert height > 64


@pytest.mark.parametrize("method", sorted(METHODS))
def test_any_method_by_its_name(method: str, files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "sheet.jpg"
    command(files[:1], out=out, method=MethodWords(method), count=2, **QUICK)
    with Image.open(out) as image:
        assert image.format == "JPEG"


def test_all_methods_on_one_sheet(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def kept(heading: str, cells: Any) -> SheetRow:
        drawn.append(cells)
        return SheetRow(heading, cells)

    monkeypatch.setattr(method_figure, "SheetRow", kept)
    command(files, out=tmp_path / "all.png", methods=("all",), **QUICK)
    labels = [label for cells in drawn for label, _ in cells]
    for name, kind in METHODS.items():
        assert sum(kind.__name__ in label for label in labels) == 2, name  # one for each image
    assert sum("mixing image" in label for label in labels) == 2
    assert sum("partner, for" in label for label in labels) == 2
    assert len({len(cells) for cells in drawn}) <= 2


def test_several_versions_have_a_line_for_each_method(make_images: Any) -> None:
    pair = make_images(2, 20, 20)
    methods = methods_named(("mixup", "ipmix", "vanilla"))
    mixing = MixingSet.array(make_images(3, 24, 24))
    lines = compare(methods, "a name", pair, mixing, 4, **WHERE)
    assert [line.heading for line in lines] == ["a name", "MixUp", "IPMix"]
    assert [len(line.cells) for line in lines] == [3, 4, 4]
    assert [label for label, _ in lines[2].cells] == ["version 1", "version 2", "version 3", "version 4"]


def test_versions_are_those_of_augment(make_images: Any) -> None:
    pair, mixing = make_images(2, 20, 20), make_images(3, 20, 20)
    shown = list(versions(IPMix(), pair, mixing, 3, **WHERE))
    for view, (note, image) in enumerate(shown):
        wanted = augment_batch(pair[:1], IPMix(), mixing, seed=3, epoch=1, indices=[0], view=view)[0]
        assert note == ""
        assert np.array_equal(image, wanted)


def test_versions_are_numbered_before_what_is_said_of_them(make_images: Any) -> None:
    image = make_images(1, 8, 8)[0]
    told = numbered(iter([("", image), ("30% of the label is the partner's", image)]))
    assert [label for label, _ in told] == ["version 1", "version 2: 30% of the label is the partner's"]


def test_versions_that_mix_labels_show_their_partner(make_images: Any) -> None:
    pair = make_images(2, 20, 20)
    shown = list(versions(MixUp(), pair, None, 5, **WHERE))
    assert len(shown) == 5
    for note, image in shown:
        share = int(note.split("%")[0])
        assert 20 <= share <= 60
        blend = pair[0] * (1 - share / 100) + pair[1] * (share / 100)
        assert np.abs(image - blend).max() < 2.5
    with pytest.raises(InputError, match="mix too rarely"):
        list(versions(METHODS["cutmix"](probability=0.0), pair, None, 1, **WHERE))


def test_the_partner_is_the_next_image_or_a_generated_one(make_images: Any) -> None:
    first, second = make_images(1, 30, 20, seed=1)[0], make_images(1, 10, 40, seed=2)[0]
    assert partner_of(0, [first, second], 0).shape == first.shape
    assert partner_of(1, [first, second], 0).shape == second.shape
    alone = partner_of(0, [first], 0)
    assert alone.shape == first.shape
    assert np.array_equal(alone, partner_of(0, [first], 0))
    assert np.array_equal(partner_of(0, [first, first[::-1]], 0), first[::-1])


def test_the_mixing_image_shown_is_the_one_used(make_images: Any) -> None:
    """A version that is nothing but the mixing image is equal to the cell that shows it."""
    pair = make_images(2, 20, 20)
    mixing = MixingSet.array(make_images(4, 24, 24, seed=9))
    cells = compare({"ipmix": IPMix()}, "", pair, mixing, 1, **WHERE)[0].cells
    ((_, shown),) = [cell for cell in cells if "mixing image" in cell[0]]
    recipe: Any = draw(IPMix(), (1, 20, 20, 3), 4, seed=3, epoch=1, indices=[0])[0]
    plane = mixing.planes(20, 20)[recipe.mixing_image]
    top, left = (crop * (plane.shape[1] - 20 + 1) >> 32 for crop in (recipe.crop_y, recipe.crop_x))
    assert np.array_equal(shown, plane[:, top : top + 20, left : left + 20].transpose(1, 2, 0))


def test_taken_apart(files: list[Path], tmp_path: Path, capsys: Any) -> None:
    command(files[:1], out=tmp_path / "a.png", explain=True, **QUICK)
    assert "clean" in capsys.readouterr().out
    command(
        files[:1],
        out=tmp_path / "b.png",
        explain=True,
        method=MethodWords(method_option=(Assignment("framework", "fed_back"),)),
        **QUICK,
    )
    assert capsys.readouterr().out.count("24x32 image") == 3  # k rounds, each with a recipe of its own
    command(
        files[:1], out=tmp_path / "c.png", explain=True, method=MethodWords("randaugment"), count=1, seed=4, **QUICK
    )
    assert "filled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"methods": ("all",), "explain": True}, "leave out --method"),
        ({"methods": ("ipmix",), "method": MethodWords(preset="paper-cifar")}, "leave out --method"),
        ({"methods": ("ipmix", "mixop")}, "there is no method 'mixop'; did you mean mixup"),
        ({"method": MethodWords("none")}, "choose a method"),
        ({"method": MethodWords("vanilla", "paper")}, "has no presets"),
        ({"method": MethodWords("mixup"), "explain": True}, "mixes those of a batch"),
        ({"count": 0}, "--count must be"),
        ({"out": Path("sheet.txt")}, "ends in"),
    ],
)
def test_refusals(options: dict[str, Any], text: str, files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=text):
        command(files[:1], **{"out": tmp_path / "x.png", **QUICK, **options})
    assert not (tmp_path / "x.png").exists()


def test_methods_by_their_names() -> None:
    assert list(methods_named(("vanilla",)).values()) == [Vanilla()]
    assert list(methods_named(("all",))) == list(METHODS)


def test_what_was_done_is_said_in_lines_and_a_name_breaks_none(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = files[0].rename(tmp_path / "two\nlines.png")
    command([odd], out=tmp_path / "a.png", explain=True, seed=4, **QUICK)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("two\\nlines.png: 24x32 image, mixing image ")
    assert said[1].endswith("%  clean")
    assert len(said) > 3
    assert said[-1].startswith("wrote ")
    assert not any("\\n" in line for line in said[1:-1])
