from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, Key, below
from ipmix.data import parts
from ipmix.data.datasets import FileDataset, scan
from ipmix.data.decoding import DecodeConfig
from ipmix.training import cropping
from ipmix.training.cropping import CROP_SALT, random_part, resized_crops


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FileDataset:
    """Six images of different sizes, each a ramp in two directions."""
    folder = tmp_path_factory.mktemp("pictures")
    for i, (height, width) in enumerate([(40, 60), (61, 33), (20, 20), (10, 200), (200, 10), (32, 48)]):
        (folder / "train" / f"class{i % 2}").mkdir(parents=True, exist_ok=True)
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([255 * x // width, 255 * y // height, np.full_like(x, 40 * i)], 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "train" / f"class{i % 2}" / f"{i}.png")
    return scan(folder, "train")


def drawn(index: int, size: tuple[int, int], *, seed: int, epoch: int) -> tuple[bool, tuple[int, int, int, int]]:
    """Whether an image is mirrored, and its part: left, top, width, height."""
    stream = Key(seed ^ CROP_SALT, epoch, index, SHARED_VIEW).stream()
    return below(stream, 2) == 1, random_part(stream, *size)


def test_crops_are_those_of_the_key(files: FileDataset) -> None:
    exact = replace(files, decoding=DecodeConfig(exact=True))
    got, near = (resized_crops(these, np.arange(6), size=12, seed=4, epoch=2, flip=True) for these in (exact, files))
    for index in range(6):
        image = Image.open(files.paths[index])
        mirrored, (left, top, width, height) = drawn(index, image.size, seed=4, epoch=2)
        part = image.resize((12, 12), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
        expected = np.asarray(part)[:, ::-1] if mirrored else np.asarray(part)
        assert np.array_equal(got[index], expected)
        cut = np.asarray(
            image.crop((left, top, left + width, top + height)).resize((12, 12), Image.Resampling.BILINEAR)
        )
        cut = (cut[:, ::-1] if mirrored else cut).astype(int)
        assert np.abs(near[index] - cut).max() <= 1
    assert not np.array_equal(got, near), "Pillow looks around the part, so the comparison can fail"


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_crops_of_jpeg_files_are_torchvisions(
    tmp_path: Path, subsampling: int, progressive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its RandomResizedCrop of the decoded bytes, whichever library decodes."""
    pytest.importorskip("simplejpeg")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    torch = pytest.importorskip("torch")
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for i, (height, width) in enumerate([(61, 90), (80, 33), (64, 64), (7, 45)]):
        low = Image.fromarray(draws.integers(0, 256, (1 + height // 5, 1 + width // 5, 3), dtype=np.uint8))
        image = low.resize((width, height), Image.Resampling.BICUBIC)
        image.save(folder / f"{i}.jpg", quality=85, subsampling=subsampling, progressive=progressive)
    files = scan(tmp_path, "train")
    got = resized_crops(files, np.arange(4), size=48, seed=2, epoch=1, flip=True)
    for index in range(4):
        whole = np.array(Image.open(files.paths[index]))
        mirrored, (left, top, width, height) = drawn(index, whole.shape[1::-1], seed=2, epoch=1)
        tensor = torch.from_numpy(whole).permute(2, 0, 1)
        part = functional.resized_crop(tensor, top, left, height, width, [48, 48], antialias=True)
        expected = part.permute(1, 2, 0).numpy()
        assert np.array_equal(got[index], expected[:, ::-1] if mirrored else expected)
    monkeypatch.setattr(parts, "_simplejpeg", lambda: None)
    assert np.array_equal(got, resized_crops(files, np.arange(4), size=48, seed=2, epoch=1, flip=True))
    monkeypatch.setattr(cropping, "_resizer", lambda: cropping._by_pillow)
    without_torch = resized_crops(files, np.arange(4), size=48, seed=2, epoch=1, flip=True).astype(int)
    assert np.abs(without_torch - got).max() <= 1


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("size", [8, 224])
def test_resizing_by_either_library_is_the_same_to_a_level(grey: bool, size: int) -> None:
    draws = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 7), (1500, 40), (900, 900), (225, 224), (33, 17)):
        for part in (draws.integers(0, 256, (height, width, 3), np.uint8), np.full((height, width, 3), 255, np.uint8)):
            part = part[:, :, :1].copy() if grey else part
            one, other = cropping._resizer()(part, size), cropping._by_pillow(part, size)
            assert one.shape == other.shape == (size, size, part.shape[2])
            assert np.abs(one.astype(int) - other).max() <= 1


def test_neither_order_nor_threads_matter(files: FileDataset) -> None:
    indices = np.array([5, 0, 3, 3, 1])
    alone = resized_crops(files, indices, size=9, seed=1, epoch=0, flip=True)
    with ThreadPoolExecutor(3) as pool:
        together = resized_crops(files, indices, size=9, seed=1, epoch=0, flip=True, pool=pool)
    assert np.array_equal(alone, together)
    assert np.array_equal(alone[::-1], resized_crops(files, indices[::-1], size=9, seed=1, epoch=0, flip=True))
    assert not np.array_equal(alone, resized_crops(files, indices, size=9, seed=1, epoch=1, flip=True))


def test_parts_lie_inside_and_cover_the_allowed_areas_and_ratios() -> None:
    areas, ratios = [], []
    for index in range(2000):
        left, top, width, height = random_part(Key(0, 0, index).stream(), 100, 80)
        assert left >= 0
        assert top >= 0
        assert left + width <= 100
        assert top + height <= 80
        areas.append(width * height / 8000)
        ratios.append(width / height)
    assert 0.07 < min(areas) < 0.1
    assert 0.9 < max(areas) <= 1.0
    assert 0.72 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 1.37
    # Up to 60% of this image every ratio fits: there areas are uniform.
    fitting = [area for area in areas if area < 0.6]
    assert np.mean(np.array(fitting) < 0.34) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("width", "height", "part"), [(1000, 10, (493, 0, 13, 10)), (10, 1000, (0, 493, 10, 13))])
def test_the_middle_of_a_strip_is_taken(width: int, height: int, part: tuple[int, ...]) -> None:
    assert random_part(Key(0, 0, 1).stream(), width, height) == part


def test_a_file_that_vanishes_is_named(files: FileDataset, tmp_path: Path) -> None:
    gone = FileDataset((tmp_path / "gone.jpg",), np.zeros(1, np.int64), ("a",), "gone")
    with pytest.raises(InputError, match=r"gone\.jpg does not exist"):
        resized_crops(gone, np.arange(1), size=8, seed=0, epoch=0, flip=False)


def test_crops_obey_the_decoding_of_the_set(tmp_path: Path) -> None:
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[:, :, 1] = np.arange(60)  # greener to the right; upright, greener downwards
    tag = Image.Exif()
    tag[0x0112] = 6
    (tmp_path / "test" / "a").mkdir(parents=True)
    Image.fromarray(stored).save(tmp_path / "test" / "a" / "photo.png", exif=tag)
    for exif, axis in ((True, 0), (False, 1)):
        files = scan(tmp_path, "test", DecodeConfig(exif=exif))
        crop = resized_crops(files, np.zeros(1, int), size=8, seed=0, epoch=0, flip=False)[0, :, :, 1].astype(int)
        assert np.diff(crop, axis=axis).min() >= 0
        assert not np.diff(crop, axis=1 - axis).any()
    grey = scan(tmp_path, "test", DecodeConfig(grey=True))
    assert resized_crops(grey, np.zeros(1, int), size=8, seed=0, epoch=0, flip=True).shape == (1, 8, 8, 1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> FileDataset:
    """Large smooth JPEG files: one upright, two whose tags turn them, one of odd sides, and a PNG."""
    folder = tmp_path_factory.mktemp("photos") / "train" / "one"
    folder.mkdir(parents=True)
    for name, (height, width), turn in (("a.jpg", (480, 640), 1), ("b.jpg", (480, 640), 6), ("c.jpg", (481, 643), 1),
                                        ("d.png", (480, 640), 1), ("e.jpg", (481, 643), 8)):  # fmt: skip
        y, x = np.mgrid[:height, :width]
        waves = [127 + 90 * np.sin(x / 37 + y / (23 + 9 * c)) for c in range(3)]
        exif = Image.Exif()
        exif[0x0112] = turn
        image = Image.fromarray(np.stack(waves, 2).astype(np.uint8))
        image.save(folder / name, quality=95, **({"exif": exif} if name != "d.png" else {}))
    return scan(folder.parents[1], "train")


def test_large_photos_are_decoded_at_a_part_of_their_size(photos: FileDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[int, int]] = []
    load = JpegImageFile.load

    def seen(self: JpegImageFile) -> object:
        loaded.append(self.size)
        return load(self)

    monkeypatch.setattr(JpegImageFile, "load", seen)
    exact = replace(photos, decoding=DecodeConfig(exact=True))
    for epoch in range(8):
        loaded.clear()
        near = resized_crops(photos, np.arange(5), size=24, seed=3, epoch=epoch, flip=True).astype(int)
        assert {size[0] for size in loaded} <= {640, 320, 160, 80, 643, 322, 161, 81}
        assert any(size[0] < 640 for size in loaded)
        loaded.clear()
        full = resized_crops(exact, np.arange(5), size=24, seed=3, epoch=epoch, flip=True).astype(int)
        assert {size[0] for size in loaded} == {640, 643}
        # Exactly, the pixels around the part count as well: the outermost differ most.
        assert np.abs(near - full).max() <= 20
        assert np.abs(near - full)[:, 1:-1, 1:-1].max() <= 6
        assert np.abs(near - full).mean() < 1
        # PNG files are never shrunk, and turned ones of odd sides not either.
        assert np.abs(near - full)[3:, 1:-1, 1:-1].max() <= 1
        moved = resized_crops(exact, np.arange(5), size=24, seed=4, epoch=epoch, flip=True)
        assert np.abs(near - moved).mean() > 5  # so the comparison can fail


def test_parts_of_less_than_twice_the_size_are_decoded_in_full(photos: FileDataset) -> None:
    exact = replace(photos, decoding=DecodeConfig(exact=True))
    for chosen in (photos, exact):
        assert chosen.decoding.mark() == ("" if chosen is photos else " exact")
    got = [resized_crops(files, np.arange(5), size=250, seed=1, epoch=0, flip=False) for files in (photos, exact)]
    near, full = (images[:, 1:-1, 1:-1].astype(int) for images in got)
    assert np.abs(near - full).max() <= 1
    assert not np.array_equal(near, full[::-1])
