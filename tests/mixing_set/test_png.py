"""The PNG encoder, read back by Pillow and by zlib."""

import heapq
import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipmix.fractals.kinds import paint
from ipmix.mixing_set.png import LONGEST, SYMBOLS, code_lengths, png


def read(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()  # reads to the end: checks the sums of the chunks
        assert image.mode == "RGB"
        return np.asarray(image)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_png_is_lossless(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    pixels[: height // 2] = 7
    np.testing.assert_array_equal(read(png(pixels)), pixels)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_one_color_only(value):
    pixels = np.full((9, 5, 3), value, np.uint8)
    np.testing.assert_array_equal(read(png(pixels)), pixels)


def test_zlib_agrees_and_sees_damage():
    content = png(paint("ifs", 0, 0, 64).pixels)
    start = content.index(b"IDAT")
    length = int.from_bytes(content[start - 4 : start], "big")
    data = content[start + 4 : start + 4 + length]
    assert len(zlib.decompress(data)) == 64 * (1 + 3 * 64)
    with pytest.raises(zlib.error):
        zlib.decompress(data[:200] + bytes([data[200] ^ 16]) + data[201:])


def fibonacci_counts():
    counts = np.zeros(SYMBOLS, np.int64)
    counts[:2] = 1
    for k in range(2, 30):
        counts[k] = counts[k - 1] + counts[k - 2]
    return counts


def plain_cost(counts):
    """The bits that Huffman's code takes, by the book."""
    heap = [int(c) for c in counts if c]
    heapq.heapify(heap)
    bits = 0
    while len(heap) > 1:
        together = heapq.heappop(heap) + heapq.heappop(heap)
        bits += together
        heapq.heappush(heap, together)
    return bits


def test_words_are_short_enough_and_fill_the_code_space():
    rng = np.random.default_rng(0)
    many = [fibonacci_counts(), *(rng.geometric(p, SYMBOLS).astype(np.int64) for p in (0.5, 0.01))]
    many.append(np.where(rng.uniform(size=SYMBOLS) < 0.02, 1, 0) + np.eye(SYMBOLS, dtype=np.int64)[256])
    for counts in many:
        lengths = np.zeros(SYMBOLS, np.int64)
        code_lengths(counts, lengths)
        assert ((lengths > 0) == (counts > 0)).all()
        assert lengths.max() <= LONGEST
        assert sum(2.0**-k for k in lengths if k) == 1.0


def test_the_code_is_huffmans_where_no_count_had_to_be_raised():
    counts = np.random.default_rng(1).integers(50, 400, SYMBOLS)
    lengths = np.zeros(SYMBOLS, np.int64)
    code_lengths(counts, lengths)
    assert (lengths * counts).sum() == plain_cost(counts)
    # Raised counts cost a little, and only a little, even for the worst.
    worst = fibonacci_counts()
    code_lengths(worst, lengths)
    assert plain_cost(worst) < (lengths * worst).sum() < 1.01 * plain_cost(worst)
