from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.decoding import BrokenImage, decode, decode_square, is_image_file


def image(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_lossless_image_comes_back_exactly(tmp_path: Path) -> None:
    pixels = image(0, 33, 47)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(decode(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK"])
def test_every_eight_bit_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = ".tif" if mode == "CMYK" else ".png"
    Image.fromarray(image(1, 8, 9)).convert(mode).save(tmp_path / f"a{suffix}")
    assert decode(tmp_path / f"a{suffix}").shape == (8, 9, 3)


@pytest.mark.parametrize(("dtype", "word"), [(np.uint16, "16-bit"), (np.float32, "float")])
def test_deep_samples_are_refused_by_name(tmp_path: Path, dtype: type, word: str) -> None:
    Image.fromarray(np.ones((4, 4), dtype)).save(tmp_path / "deep.tif")
    with pytest.raises(InputError, match=rf"deep\.tif.*{word}"):
        decode(tmp_path / "deep.tif")


def test_an_empty_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(BrokenImage, match=r"empty\.jpg is empty"):
        decode(tmp_path / "empty.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp"])
def test_a_file_cut_short_is_broken(tmp_path: Path, suffix: str) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    Image.fromarray(image(2, 64, 64)).save(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    decode(whole)
    with pytest.raises(BrokenImage, match=rf"cut\.{suffix}"):
        decode(cut)


def test_text_is_broken_and_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(BrokenImage, match=r"text\.jpg is not an image"):
        decode(tmp_path / "text.jpg")
    with pytest.raises(InputError, match="does not exist"):
        decode(tmp_path / "none.jpg")


def test_the_centre_of_the_shorter_side_is_taken(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 255  # the centre square is white, what lies beside it black
    Image.fromarray(pixels).save(tmp_path / "a.png")
    square = decode_square(tmp_path / "a.png", 10)
    assert square.shape == (10, 10, 3)
    assert square[:, 1:-1].min() == 255


def test_a_image_of_the_right_size_is_untouched(tmp_path: Path) -> None:
    pixels = image(3, 32, 32)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(decode_square(tmp_path / "a.png", 32), pixels)


def test_names() -> None:
    assert is_image_file(Path("a.JPEG"))
    assert not is_image_file(Path("._a.jpg"))
    assert not is_image_file(Path("labels.txt"))
