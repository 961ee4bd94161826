"""The PNG encoder, read back by Pillow and by zlib."""

import importlib
import io
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipmix.fractals.kinds import paint
from ipmix.mixing_set import png as module
from ipmix.mixing_set.png import png


def read(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()  # reads to the end: checks the sums of the chunks
        assert image.mode == "RGB"
        return np.asarray(image)


def compressed(content):
    start = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[start - 4 : start])
    return content[start + 4 : start + 4 + length]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_png_is_lossless(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    pixels[: height // 2] = 7
    np.testing.assert_array_equal(read(png(pixels)), pixels)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_one_color_only(value):
    pixels = np.full((9, 5, 3), value, np.uint8)
    np.testing.assert_array_equal(read(png(pixels)), pixels)


def test_arrays_that_are_not_contiguous():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8).transpose(1, 2, 0)
    np.testing.assert_array_equal(read(png(pixels)), pixels)


def test_zlib_agrees_and_sees_damage():
    data = compressed(png(paint("ifs", 0, 0, 64).pixels))
    assert len(zlib.decompress(data)) == 64 * (1 + 3 * 64)
    with pytest.raises(zlib.error):
        zlib.decompress(data[:200] + bytes([data[200] ^ 16]) + data[201:])


def test_files_are_no_larger_than_zlibs_at_its_fastest():
    for kind in ("ifs", "mandelbrot", "flame"):
        content = png(paint(kind, 0, 0, 128).pixels)
        lines = zlib.decompress(compressed(content))
        assert len(compressed(content)) < 1.05 * len(zlib.compress(lines, 1))


def test_without_isal_zlib_writes_the_same_images(monkeypatch):
    pixels = paint("ifs", 0, 0, 64).pixels
    fast = compressed(png(pixels))
    monkeypatch.setitem(sys.modules, "isal", None)
    try:
        importlib.reload(module)
        assert module.deflating is zlib
        slow = compressed(module.png(pixels))
        assert zlib.decompress(slow) == zlib.decompress(fast)
        assert slow != fast  # it was another encoder
    finally:
        monkeypatch.undo()
        importlib.reload(module)
    assert module.deflating is not zlib
