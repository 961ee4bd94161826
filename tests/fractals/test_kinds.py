"""Every kind: pure functions of the key, not dull; the composition of a set."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.fractals import dull
from ipmix.fractals.kinds import KINDS, paint
from ipmix.mixing_set.composition import ALIASES, EXTERNAL, compose


@pytest.mark.parametrize("kind", KINDS)
def test_a_image_is_a_function_of_seed_kind_and_index(kind):
    first = paint(kind, 3, 5, 64)
    for other in range(3):
        paint(kind, 1, other, 64)
    again = paint(kind, 3, 5, 64)
    assert first.pixels.dtype == np.uint8
    assert first.pixels.shape == (64, 64, 3)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.parameters == again.parameters
    assert not np.array_equal(first.pixels, paint(kind, 4, 5, 64).pixels)
    assert not np.array_equal(first.pixels, paint(kind, 3, 6, 64).pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_all_different_and_none_is_dull(kind):
    images = [paint(kind, 0, index, 64) for index in range(24)]
    assert len({hashlib.sha256(p.pixels.tobytes()).digest() for p in images}) == 24
    assert not any(dull.is_dull(p.pixels, dull.MOST_PARALLEL) for p in images)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [8, 9, 33])
def test_small_and_odd_sizes(kind, size):
    image = paint(kind, 0, 0, size)
    assert image.pixels.shape == (size, size, 3)
    assert image.pixels.std() > 5


@pytest.mark.parametrize("kind", KINDS)
def test_double_precision_paints_large_images(kind):
    assert paint(kind, 0, 1, 520).pixels.std() > 5


def test_kinds_have_salts_of_their_own():
    assert len({kind.salt for kind in KINDS.values()}) == len(KINDS)


def test_dull_images_are_recognised():
    grey = np.full((64, 64, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:] = (128 + 100 * np.sin(np.arange(64) / 3))[:, None].astype(np.uint8)
    dark = (noise // 8).astype(np.uint8)
    for image in (grey, noise, stripes, dark):
        assert dull.is_dull(image, dull.MOST_PARALLEL)
    assert not dull.is_dull(paint("julia", 0, 0, 64).pixels, dull.MOST_PARALLEL)


@given(st.integers(1, 20_000), st.dictionaries(st.sampled_from([*KINDS, *ALIASES, *EXTERNAL]), st.integers(1, 5000)))
def test_compositions_sum_to_the_count(count, mix):
    if not mix:
        return
    counts = compose(count, mix)
    assert sum(counts.values()) == count
    assert set(counts) <= {*KINDS, *EXTERNAL}


def test_a_mix_that_sums_to_the_count_is_kept():
    assert compose(10, {"ifs": 3, "escape": 4, "flame": 3}) == {"ifs": 3, "mandelbrot": 2, "julia": 2, "flame": 3}
    assert list(compose(10, {"ifs": 3, "feature": 7})) == ["feature", "ifs"]


@pytest.mark.parametrize(
    ("count", "mix", "words"),
    [
        (0, None, "count must be a whole number from 1"),
        (5, {"fern": 5}, "unknown kind of image 'fern'"),
        (5, {"ifs": -1}, "whole number >= 0"),
        (5, {"ifs": 0}, "holds no images"),
        (5, {"ifs": 1.5}, "whole number >= 0"),
    ],
)
def test_bad_compositions(count, mix, words):
    with pytest.raises(InputError, match=words):
        compose(count, mix)
