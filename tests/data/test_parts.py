"""Parts of image files: the same pixels and the same errors, whichever library decodes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data import parts
from ipmix.data.decoding import DEFAULT, DecodeConfig
from ipmix.data.parts import open_part

pytest.importorskip("simplejpeg")

MIDDLE = (5, 3, 20, 16)


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    draws = np.random.default_rng(seed)
    low = Image.fromarray(draws.integers(0, 256, (1 + height // 6, 1 + width // 6, 3), dtype=np.uint8))
    return low.resize((width, height), Image.Resampling.BICUBIC)


def outcome(path: Path, config: DecodeConfig) -> str | bytes:
    """The pixels, or what the error says."""
    try:
        image, box = open_part(path, config, 16, lambda width, height: MIDDLE)
    except InputError as error:
        return f"{type(error).__name__}: {error}"
    assert box == (5, 3, 25, 19)
    pixels = np.asarray(image)
    return repr(pixels.shape[:2]).encode() + pixels.tobytes()


def both(path: Path, monkeypatch: pytest.MonkeyPatch, config: DecodeConfig) -> tuple[str | bytes, str | bytes]:
    """By simplejpeg and by Pillow alone."""
    one = outcome(path, config)
    with monkeypatch.context() as patch:
        patch.setattr(parts, "_simplejpeg", lambda: None)
        return one, outcome(path, config)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 20},
                                     {"restart_marker_blocks": 2}, {"keep_rgb": True}])  # fmt: skip
def test_both_decode_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, options: dict[str, int], grey: bool
) -> None:
    if "keep_rgb" in options and mode != "RGB":
        pytest.skip("only RGB can be kept as it is")
    for number, (height, width) in enumerate([(40, 56), (19, 25), (129, 77)]):
        path = tmp_path / f"{number}.jpg"
        photo(height, width, number).convert(mode).save(path, **options)
        one, other = both(path, monkeypatch, DecodeConfig(grey=grey))
        assert isinstance(one, bytes)
        assert one == other
        # A choice of another image would be seen.
        photo(height, width, number + 9).convert(mode).save(path, **options)
        assert outcome(path, DecodeConfig(grey=grey)) != one


def test_only_plain_jpeg_files_come_as_arrays(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    photo(40, 56).save(tmp_path / "plain.jpg")
    photo(40, 56).save(tmp_path / "turned.jpg", exif=turned)
    photo(40, 56).save(tmp_path / "other.png")

    def is_array(name: str, config: DecodeConfig = DEFAULT, size: int = 16) -> bool:
        return isinstance(open_part(tmp_path / name, config, size, lambda width, height: MIDDLE)[0], np.ndarray)

    assert is_array("plain.jpg")
    assert not is_array("plain.jpg", DecodeConfig(exact=True))
    assert not is_array("plain.jpg", size=8)  # decoded at half of its sides
    assert not is_array("plain.jpg", DecodeConfig(grey=True))
    assert not is_array("turned.jpg")
    assert is_array("turned.jpg", DecodeConfig(exif=False))
    assert not is_array("other.png")


def test_damaged_files_end_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow says what is wrong, and whether anything is: a file that it refuses is not trained on."""
    draws = np.random.default_rng(0)
    path = tmp_path / "damaged.jpg"
    ends = {"pixels": 0, "error": 0}
    for number in range(400):
        photo(60, 80, number % 5).save(path, progressive=bool(number % 2), quality=80)
        content = bytearray(path.read_bytes())
        kind = number % 4
        if kind == 0:
            content = content[: draws.integers(2, len(content))]
        elif kind == 1:
            for place in draws.integers(0, len(content), 3):
                content[place] = draws.integers(256)
        elif kind == 2:
            begin = int(draws.integers(len(content)))
            del content[begin : begin + int(draws.integers(1, 40))]
        else:
            content += draws.integers(0, 256, 50, dtype=np.uint8).tobytes()
        path.write_bytes(content)
        one, other = both(path, monkeypatch, DecodeConfig())
        assert type(one) is type(other), (number, one if isinstance(one, str) else other)
        assert isinstance(one, bytes) or one == other
        ends["pixels" if isinstance(one, bytes) else "error"] += 1
        if isinstance(one, bytes) and kind == 3:
            assert one == other
    assert min(ends.values()) > 50
