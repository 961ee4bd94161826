"""Blurs against SciPy and plain loops."""

import math

import numpy as np
import pytest
from scipy import ndimage

from ipmix.core.randomness import between, bits, stream
from ipmix.corruptions import corrupt
from ipmix.corruptions.common import blur
from ipmix.corruptions.kernels.filtering import gaussian_weights, motion_weights, smear, to_rows


@pytest.fixture(scope="module")
def photos(make_images):
    return make_images(3, 40, 51, seed=4)


def cut_off(values):
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def at_most_one_level(a, b):
    assert np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.0, 3.3])
def test_gaussian_blur_against_scipy(photos, sigma):
    out = np.empty_like(photos)
    blur.blur_all(photos, out, gaussian_weights(sigma))
    for image, result in zip(photos, out):
        plain = [ndimage.gaussian_filter(image[..., c] / 255, sigma, mode="nearest") for c in range(3)]
        at_most_one_level(result, cut_off(np.stack(plain, axis=2)))


@pytest.mark.parametrize(("radius", "softness"), [(0.3, 0.4), (1.5, 0.1), (4, 0.5), (8, 0.5), (10, 0.5)])
def test_defocus_against_scipy(photos, radius, softness):
    kernel = blur.disk(radius, softness)
    # A disk that touches the kernel's edge gains a little when it is softened, as in the public code.
    assert kernel.sum() == pytest.approx({8: 1.01298, 10: 1.01079}.get(radius, 1), abs=1e-5)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1].T)
    out = np.empty_like(photos)
    blur.defocus_all(photos, out, *blur.steps_of(kernel))
    for image, result in zip(photos, out):
        plain = [ndimage.correlate(image[..., c] / 255, kernel, mode="mirror") for c in range(3)]
        at_most_one_level(result, cut_off(np.stack(plain, axis=2)))


def test_the_disk_by_hand():
    # Radius 1.5 holds the nine pixels about the centre; a softness of 0.1 leaves it as it is.
    np.testing.assert_allclose(blur.disk(1.5, 0.1), np.full((3, 3), 1 / 9), atol=1e-9)
    np.testing.assert_allclose(blur.disk(1.0, 0.1) * 5, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], atol=1e-9)


@pytest.mark.parametrize("degrees", [-45.0, -13.7, 0.0, 30.0, -90.0, 170.0])
def test_motion_blur_against_plain_sums(photos, degrees):
    image, radius, sigma = photos[0], 6, 2.0
    height, width, channels = image.shape
    rows = np.empty((height, width * channels), np.float32)
    out = np.empty_like(rows)
    to_rows(image, rows)
    smear(rows, out, channels, motion_weights(radius, sigma), degrees)
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    angle, plain = math.radians(degrees), np.zeros(image.shape)
    y, x = np.mgrid[:height, :width]
    for i, weight in enumerate(weights):
        from_y = np.clip(y + math.ceil(i * math.sin(angle) - 0.5), 0, height - 1)
        from_x = np.clip(x + math.ceil(i * math.cos(angle) - 0.5), 0, width - 1)
        plain += weight / sum(weights) * image[from_y, from_x]
    np.testing.assert_allclose(out.reshape(image.shape), plain, atol=1e-3)


def plain_glass(image, state, sigma, reach, rounds, exchange):
    """The public loops, with our stream."""

    def soften(blurred):
        return cut_off(
            np.stack([ndimage.gaussian_filter(blurred[..., c] / 255, sigma, mode="nearest") for c in range(3)], 2)
        )

    blurred = soften(image)
    height, width, _ = blurred.shape
    for _ in range(rounds):
        for y in range(height - reach, reach, -1):
            for x in range(width - reach, reach, -1):
                word = int(bits(state))
                right = ((word & 0xFFFFFFFF) * 2 * reach >> 32) - reach
                below = ((word >> 32) * 2 * reach >> 32) - reach
                here = blurred[y, x].copy()
                blurred[y, x] = blurred[y + below, x + right]
                if exchange:
                    blurred[y + below, x + right] = here
    return soften(blurred)


@pytest.mark.parametrize("exchange", [False, True])
def test_glass_blur_against_plain_loops(photos, exchange):
    image = photos[:1]
    out = np.empty_like(image)
    weights = gaussian_weights(0.7)
    blur.shatter_all(image, out, np.zeros(1, np.int64), np.int64(1), np.int64(2), weights, 2, 2, exchange)
    expected = plain_glass(image[0], stream(1, 2, 0, blur.VIEW), 0.7, 2, 2, exchange)
    # A level more or less before the pixels move is one afterwards.
    assert np.abs(out[0].astype(int) - expected).max() <= 2
    assert (out[0] != expected).mean() < 0.02


def test_the_two_forms_of_glass_blur_differ(photos):
    original, corrected = (corrupt(photos, "glass_blur", 5, seed=0, form=f) for f in ("original", "corrected"))
    assert (original != corrected).any()


def test_exchanging_loses_no_pixel(make_images):
    image = make_images(1, 20, 20, seed=1)[0]
    moved = image.copy()
    blur.displace(moved, stream(1, 1, 1, 1), 3, 2, True)
    np.testing.assert_array_equal(np.sort(moved.reshape(-1, 3), axis=0), np.sort(image.reshape(-1, 3), axis=0))
    copied = image.copy()
    blur.displace(copied, stream(1, 1, 1, 1), 3, 2, False)
    assert (np.sort(copied.reshape(-1, 3), axis=0) != np.sort(image.reshape(-1, 3), axis=0)).any()


def test_motion_blur_angle_lies_within_45_degrees(make_images):
    image = make_images(1, 32, 32, seed=2)
    found = corrupt(image, "motion_blur", 3, seed=9)[0]
    from ipmix.corruptions.severities import CORRUPTIONS, constants

    state = stream(9, CORRUPTIONS.index("motion_blur") * 16 + 3, 0, blur.VIEW)
    out = np.empty_like(image)
    radius, sigma = constants("motion_blur", 3, 32, 32)
    blur.smear_to(image, out, motion_weights(radius, sigma), between(state, -45.0, 45.0))
    np.testing.assert_array_equal(out[0], found)
