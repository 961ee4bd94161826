"""The affine map equals Pillow's byte for byte; on processors where Pillow fuses products with sums, to one level."""

import platform

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipmix.corruptions.kernels.affine import map_all

MOST = 0 if platform.machine() in ("x86_64", "AMD64") else 1


def largest_difference(found, expected):
    return np.abs(found.astype(int) - expected).max()


def plain(image, matrix):
    """Pillow, one channel at a time."""
    height, width, channels = image.shape
    planes = [
        Image.fromarray(np.ascontiguousarray(image[..., c])).transform(
            (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        for c in range(channels)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 5])),
    st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4),
    st.lists(st.floats(-10.0, 40.0), min_size=2, max_size=2),
    st.integers(0, 2**32 - 1),
)
def test_equals_pillow(shape, factors, offsets, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, *shape), dtype=np.uint8)
    matrix = (factors[0], factors[1], offsets[0], factors[2], factors[3], offsets[1])
    expected = np.stack([plain(image, matrix) for image in images])
    assert largest_difference(map_all(images, matrix), expected) <= MOST


@pytest.mark.parametrize("matrix", [(1.0, 0.0, -0.5, 0.0, 1.0, 0.5), (0.9, 0.1, 1.0, -0.1, 0.9, 2.0)])
def test_usual_maps_equal_pillow(matrix):
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(i).transform((32, 32), 0, matrix, 2)) for i in images])
    assert largest_difference(map_all(images, matrix), expected) <= MOST


def test_the_identity_changes_nothing_and_what_is_outside_is_black():
    images = np.random.default_rng(0).integers(1, 256, (2, 9, 7, 3), dtype=np.uint8)
    assert np.array_equal(map_all(images, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)), images)
    moved = map_all(images, (1.0, 0.0, 2.0, 0.0, 1.0, 0.0))
    assert np.array_equal(moved[:, :, :5], images[:, :, 2:])
    assert not moved[:, :, 5:].any()
