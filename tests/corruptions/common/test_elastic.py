"""The affine map, the mirrored Gaussian and the displacement against SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from ipmix.core.randomness import stream, uniform
from ipmix.corruptions import corrupt
from ipmix.corruptions.common import elastic
from ipmix.corruptions.kernels.filtering import to_rows


@pytest.mark.parametrize(("size", "sigma"), [(32, 0.9), (50, 6.0), (20, 40.0), (1, 3.0)])
def test_gaussian_matrix_against_scipy(size, sigma):
    matrix, bounds = elastic.reflecting_gaussian(size, sigma)
    line = np.random.default_rng(0).normal(size=size)
    expected = ndimage.gaussian_filter1d(line, sigma, mode="reflect", truncate=3)
    np.testing.assert_allclose(line @ matrix, expected, atol=1e-6)
    for row, (first, last) in zip(matrix, bounds):
        assert not row[:first].any()
        assert not row[last:].any()


def test_smooth_uses_both_directions():
    field = np.random.default_rng(1).normal(size=(30, 41)).astype(np.float32)
    out = np.empty_like(field)
    matrices = *elastic.reflecting_gaussian(30, 4.0), *elastic.reflecting_gaussian(41, 4.0)
    elastic.smooth(field, out, *matrices)
    np.testing.assert_allclose(out, ndimage.gaussian_filter(field, 4.0, mode="reflect", truncate=3), atol=1e-5)


def test_the_affine_map_moves_three_points():
    state, copy = stream(1, 2, 3, 4), stream(1, 2, 3, 4)
    inverse = elastic.inverse_affine(state, 30, 40, 2.5)
    middle, third = np.array([20.0, 15.0]), 10.0
    points = middle + np.array([[third, third], [third, -third], [-third, -third]])
    moved = points + np.array([[2.5 * (2 * uniform(copy) - 1) for _ in range(2)] for _ in range(3)])
    back = moved @ inverse[:, :2].T + inverse[:, 2]
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_warp_against_scipy(make_images):
    image = make_images(1, 36, 28, seed=3)[0]
    inverse = elastic.inverse_affine(stream(1, 2, 3, 5), 36, 28, 3.0)
    rows = np.empty((36, 28 * 3), np.float32)
    to_rows(image, rows)
    out = np.empty_like(rows)
    elastic.warp_affine(rows, out, 3, inverse)
    y, x = np.mgrid[:36, :28]
    # Places to whole 1/32 pixels, as OpenCV has them.
    from_x = np.floor(
        (np.rint((inverse[0, 1] * y + inverse[0, 2]) * 1024) + 16 + np.rint(inverse[0, 0] * x * 1024)) / 32
    )
    from_y = np.floor(
        (np.rint((inverse[1, 1] * y + inverse[1, 2]) * 1024) + 16 + np.rint(inverse[1, 0] * x * 1024)) / 32
    )
    for c in range(3):
        plain = ndimage.map_coordinates(image[..., c].astype(float), (from_y / 32, from_x / 32), order=1, mode="mirror")
        np.testing.assert_allclose(out.reshape(36, 28, 3)[..., c], plain, atol=1e-3)


def test_displacement_against_scipy(make_images):
    image = make_images(1, 25, 33, seed=3)[0]
    rng = np.random.default_rng(0)
    shift_y, shift_x = rng.uniform(-9, 9, (2, 25, 33)).astype(np.float32)
    rows = np.empty((25, 33 * 3), np.float32)
    to_rows(image, rows)
    out = np.empty_like(rows)
    elastic.displace(rows, out, 3, shift_y, shift_x, 1.5)
    y, x = np.mgrid[:25, :33]
    for c in range(3):
        places = (y + shift_y * np.float32(1.5), x + shift_x * np.float32(1.5))
        plain = ndimage.map_coordinates(image[..., c].astype(float), places, order=1, mode="reflect")
        np.testing.assert_allclose(out.reshape(25, 33, 3)[..., c], plain, atol=2e-2)


def test_forms_differ_at_224_and_agree_at_32(make_images):
    for side, same in ((32, True), (224, False)):
        image = make_images(1, side, side, seed=1)
        original, corrected = (
            corrupt(image, "elastic_transform", 3, seed=0, form=f) for f in ("original", "corrected")
        )
        assert (original == corrected).all() == same
