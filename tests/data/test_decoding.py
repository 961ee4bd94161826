import errno
import io
import os
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from image_bytes import EPS, png, tiff
from PIL import EpsImagePlugin, Image, ImageFile, PngImagePlugin

from ipmix.core.errors import InputError
from ipmix.data.decoding import BrokenImage, DecodeConfig, decode, decode_square, is_grey, is_image_file


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


def grey_ramp(dtype: type = np.uint8, channels: int = 1) -> np.ndarray:
    step = 1000 if dtype is np.uint16 else 5
    return (np.arange(6 * channels).reshape(2, 3, channels) * step).astype(dtype)


RGB = grey_ramp(channels=3)
RIGHT: dict[str, tuple[str, bytes, np.ndarray]] = {
    "grey PNG": ("png", png(grey_ramp()), grey_ramp().repeat(3, 2)),
    "grey PNG with alpha": ("png", png(grey_ramp(channels=2)), grey_ramp(channels=2)[:, :, :1].repeat(3, 2)),
    "RGB PNG": ("png", png(RGB), RGB),
    # What is stored under transparent pixels is what is read, as torchvision reads it.
    "RGBA PNG": ("png", png(grey_ramp(channels=4)), grey_ramp(channels=4)[:, :, :3]),
    "PPM": ("ppm", b"P6 3 2 255\n" + RGB.tobytes(), RGB),
    "PPM of 16 levels": ("ppm", b"P6 3 2 15\n" + bytes(range(16)) + b"\0\0", [*range(0, 256, 17), 0, 0]),
    "PGM of 16 levels": ("pgm", b"P5 3 2 15\n" + bytes([0, 1, 2, 3, 14, 15]), np.repeat([0, 17, 34, 51, 238, 255], 3)),
    "PPM in words": ("ppm", b"P3 1 1 255\n1 2 3\n", [1, 2, 3]),
    "bitmap in a PPM": ("ppm", b"P4 3 2\n\x40\xa0", np.repeat([255, 0, 255, 0, 255, 0], 3)),
    "grey TIFF": ("tif", tiff(grey_ramp(), 1), grey_ramp().repeat(3, 2)),
    "RGB TIFF": ("tif", tiff(RGB, 2), RGB),
    "CMYK TIFF": ("tif", tiff(np.uint8([[[0, 255, 0, 0], [0, 0, 0, 255]]]), 5), [255, 0, 255, 0, 0, 0]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_mode_has_the_right_value(tmp_path: Path, name: str) -> None:
    suffix, content, expected = RIGHT[name]
    (tmp_path / f"a.{suffix}").write_bytes(content)
    np.testing.assert_array_equal(decode(tmp_path / f"a.{suffix}").ravel(), np.ravel(expected))


DEEP: dict[str, tuple[str, bytes, str]] = {
    "grey PNG": ("png", png(grey_ramp(np.uint16)), "16-bit"),
    "grey PNG with alpha": ("png", png(grey_ramp(np.uint16, 2)), "16-bit"),
    "RGB PNG": ("png", png(grey_ramp(np.uint16, 3)), "16-bit"),
    "RGBA PNG": ("png", png(grey_ramp(np.uint16, 4)), "16-bit"),
    "grey TIFF": ("tif", tiff(grey_ramp(np.uint16), 1), "16-bit"),
    "RGB TIFF": ("tif", tiff(grey_ramp(np.uint16, 3), 2), "16-bit"),
    "RGBA TIFF": ("tiff", tiff(grey_ramp(np.uint16, 4), 2, tag_338=2), "16-bit"),
    "CMYK TIFF": ("tif", tiff(grey_ramp(np.uint16, 4), 5), "16-bit"),
    "RGB PPM": ("ppm", b"P6 3 2 65535\n" + bytes(36), "16-bit"),
    "RGB PPM of 12 bits": ("ppm", b"P6 3 2 4095\n" + bytes(36), "12-bit"),
    "RGB PPM in words": ("ppm", b"P3 1 1 1023\n1 2 3\n", "10-bit"),
    "PGM": ("pgm", b"P5 3 2 65535\n" + bytes(12), "32-bit"),
    "float PFM": ("ppm", b"Pf 3 2 -1.0\n" + bytes(24), "float"),
    "L*a*b* TIFF": ("tif", tiff(RGB, 8), "L[*]a[*]b[*]"),
}


@pytest.mark.parametrize("name", DEEP)
def test_what_pillow_would_cut_to_eight_bits_is_refused(tmp_path: Path, name: str) -> None:
    suffix, content, word = DEEP[name]
    path = tmp_path / f"deep.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"deep\.{suffix} holds .*{word}.*Convert it first") as caught:
        decode(path)
    assert not isinstance(caught.value, BrokenImage)


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate"])
def test_deep_tiffs_are_refused_however_they_are_compressed(tmp_path: Path, mode: str, compression: str) -> None:
    Image.new(mode, (4, 4), 7).save(tmp_path / "deep.tif", compression=compression)
    with pytest.raises(InputError, match=r"deep\.tif holds (32-bit|float|16-bit) "):
        decode(tmp_path / "deep.tif")


def test_a_jpeg_of_twelve_bits_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(image(0, 8, 8)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    content[content.index(b"\xff\xc0") + 4] = 12  # the frame header's precision
    (tmp_path / "deep.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"deep\.jpg holds 12-bit samples"):
        decode(tmp_path / "deep.jpg")


def test_an_inverted_cmyk_jpeg_is_read_as_its_colors(tmp_path: Path) -> None:
    """Adobe stores CMYK inverted, and says so in a marker; 22 of ImageNet's training images are such."""
    pure = np.zeros((16, 16, 4), np.uint8)
    pure[:, :, 1] = 255  # magenta ink only
    Image.fromarray(pure, "CMYK").save(tmp_path / "a.jpg", quality=95)
    assert b"Adobe" in (tmp_path / "a.jpg").read_bytes()[:40]
    np.testing.assert_allclose(decode(tmp_path / "a.jpg")[8, 8], [255, 0, 255], atol=3)


def test_a_palette_with_transparency_keeps_its_colors(tmp_path: Path) -> None:
    pixels = np.array([[0, 1, 2]], np.uint8)
    indexed = Image.fromarray(pixels, "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for name, transparency in (("one", 1), ("each", bytes([0, 128, 255]))):
        indexed.save(tmp_path / f"{name}.png", transparency=transparency)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert decode(tmp_path / f"{name}.png").ravel().tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    indexed.save(tmp_path / "one.gif", transparency=1)
    assert decode(tmp_path / "one.gif").ravel().tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "ppm", "gif", "bmp", "webp", "avif"])
def test_ghostscript_is_never_started(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *what, **_: started.append(what) or Image.new("RGB", (8, 8)).im
    )
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(EPS)
    with pytest.raises(BrokenImage, match=rf"x\.{suffix} is not an image of the kind"):
        decode(path)
    assert not started
    with Image.open(path) as opened:  # what Pillow does by itself: the case in which this test would fail
        opened.load()
    assert started


OTHERS = {"png": "TIFF", "tif": "PNG", "avif": "JPEG", "ppm": "GIF"}


@pytest.mark.parametrize("suffix", OTHERS)
def test_a_format_that_the_ending_does_not_stand_for_is_refused(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(RGB).save(tmp_path / f"x.{suffix}", OTHERS[suffix])
    with pytest.raises(BrokenImage, match=rf"is not an image of the kind .* but {OTHERS[suffix]}"):
        decode(tmp_path / f"x.{suffix}")


def test_formats_of_the_web_may_be_mixed_up(tmp_path: Path) -> None:
    """n02105855_2933.JPEG of ImageNet is a PNG."""
    (tmp_path / "n02105855_2933.JPEG").write_bytes(png(RGB))
    np.testing.assert_array_equal(decode(tmp_path / "n02105855_2933.JPEG"), RGB)


@pytest.mark.parametrize("suffix", ["jfif", "avif"])
def test_less_usual_endings_count(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(path)
    assert is_image_file(path)
    np.testing.assert_allclose(decode(path), 200, atol=2)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.eps").write_bytes(EPS)
    with pytest.raises(InputError, match="does not end like an image"):
        decode(tmp_path / "a.eps")


UPRIGHT = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
STORED = {
    1: UPRIGHT, 2: UPRIGHT[:, ::-1], 3: UPRIGHT[::-1, ::-1], 4: UPRIGHT[::-1], 5: UPRIGHT.T,
    6: np.rot90(UPRIGHT), 7: UPRIGHT[::-1, ::-1].T, 8: np.rot90(UPRIGHT, -1),
}  # fmt: skip
"""What a camera stores of one and the same scene in each orientation."""


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "tif", "avif"])
@pytest.mark.parametrize("orientation", STORED)
def test_images_are_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = np.kron(STORED[orientation], np.ones((16, 16), np.uint8))[:, :, None].repeat(3, 2)
    tag = Image.Exif()
    tag[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    kwargs = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix in ("jpg", "avif") else {}
    Image.fromarray(stored).save(path, exif=tag, **kwargs)
    np.testing.assert_allclose(decode(path)[8::16, 8::16, 0], UPRIGHT, atol=4)
    as_stored = decode(path, DecodeConfig(exif=False))[8::16, 8::16, 0]
    # Pillow turns TIFF files in any case, and so does whatever reads through it.
    np.testing.assert_allclose(as_stored, UPRIGHT if suffix == "tif" else STORED[orientation], atol=4)


def test_without_the_tag_nothing_turns_and_a_damaged_or_unknown_tag_is_none(tmp_path: Path) -> None:
    for name, tag in (("none", b""), ("damaged", b"Exif\0\0II*\0\xff\xff\xff\xff"), ("text", b"Exif\0\0nonsense")):
        Image.fromarray(RGB).save(tmp_path / f"{name}.png", exif=tag)
        np.testing.assert_array_equal(decode(tmp_path / f"{name}.png"), RGB)
    unknown = Image.Exif()
    unknown[0x0112] = 9
    Image.fromarray(RGB).save(tmp_path / "unknown.png", exif=unknown)
    np.testing.assert_array_equal(decode(tmp_path / "unknown.png"), RGB)


def test_an_image_above_the_limit_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(image(4, 40, 50)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 999)
    with pytest.raises(
        InputError, match=r"large\.png is 50x40: 2,000 pixels; the limit is 1,998.*IPMIX_MAX_PIXELS"
    ) as caught:
        decode(path)
    assert not isinstance(caught.value, BrokenImage)
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "2000")
    assert decode(path).shape == (40, 50, 3)
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "1999")
    with pytest.raises(InputError, match="the limit is 1,999"):
        decode(path)
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "many")
    with pytest.raises(InputError, match="IPMIX_MAX_PIXELS is a whole number of pixels"):
        decode(path)


def test_between_pillows_warning_and_its_error_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)  # it warns above 1,500 pixels and refuses above 3,000
    for suffix in ("png", "jpg", "webp", "gif", "bmp", "ppm"):  # its TIFF reader warns by itself
        Image.fromarray(image(4, 40, 50)).save(tmp_path / f"a.{suffix}")
        assert decode(tmp_path / f"a.{suffix}").shape == (40, 50, 3)


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_readers_that_check_the_size_themselves_obey_the_variable(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(image(4, 40, 50)).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"a\.(webp|gif) is .*(limit is|exceeds limit of) 200"):
        decode(tmp_path / f"a.{suffix}")
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "2000")
    assert decode(tmp_path / f"a.{suffix}").shape == (40, 50, 3)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "ppm", "tif", "avif"])
def test_files_cut_anywhere_or_with_wrong_bytes_are_broken_or_read(tmp_path: Path, suffix: str) -> None:
    """Whatever a decoder raises, the file is named; that some would raise otherwise is seen by the counts."""
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(image(2, 24, 24)).save(whole)
    content, bent = whole.read_bytes(), tmp_path / f"bent.{suffix}"
    random = np.random.default_rng(0)
    broken = 0
    for turn in range(120):
        changed = bytearray(content)
        if turn % 3 == 0:
            del changed[int(random.integers(1, len(changed))) :]
        else:
            for place in random.integers(0, len(changed) if turn % 3 == 1 else 60, 4):
                changed[place % len(changed)] = int(random.integers(256))
        bent.write_bytes(changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                decode(bent)
        except InputError as error:
            broken += f"bent.{suffix}" in str(error)
    assert broken > 30


@pytest.mark.parametrize("kind", [RuntimeError, struct.error, KeyError, TypeError, AttributeError, OSError])
def test_whatever_a_decoder_raises_the_file_is_broken(
    tmp_path: Path, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise kind("inside a decoder")

    (tmp_path / "a.png").write_bytes(png(RGB))
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(BrokenImage, match=r"a\.png can't be decoded .*inside a decoder"):
        decode(tmp_path / "a.png")


@pytest.mark.parametrize(("number", "words"), [(errno.EACCES, "permission denied"), (errno.EIO, "can't be opened")])
def test_what_the_system_refuses_is_not_called_damaged(
    tmp_path: Path, number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(RGB))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=rf"a\.png.*{words}") as caught:
        decode(tmp_path / "a.png")
    assert not isinstance(caught.value, BrokenImage)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_a_folder_and_an_impossible_name_are_bad_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for a writer
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(InputError, match=rf"{name} is not a file"):
            decode(tmp_path / name)
    with pytest.raises(InputError, match="can't be opened"):
        decode(tmp_path / "a\0b.png")


def test_pillows_switch_for_truncated_files_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.fromarray(image(2, 64, 64)).save(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with Image.open(cut) as opened:  # the switch does work: Pillow by itself reads it, in part
        opened.load()

    def attempt(path: Path) -> bool:
        try:
            decode(path)
        except BrokenImage:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, [whole, cut] * 100)) == [True, False] * 100
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    try:
        path.write_bytes(png(RGB))
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    np.testing.assert_array_equal(decode(path), RGB)


def test_one_channel_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(png(grey_ramp()))
    (tmp_path / "color.png").write_bytes(png(RGB))
    np.testing.assert_array_equal(decode(tmp_path / "grey.png", DecodeConfig(grey=True)), grey_ramp())
    luma = np.asarray(Image.fromarray(RGB).convert("L"))[:, :, None]
    np.testing.assert_array_equal(decode(tmp_path / "color.png", DecodeConfig(grey=True)), luma)
    assert is_grey(tmp_path / "grey.png")
    assert not is_grey(tmp_path / "color.png")
