"""Blurs against SciPy and plain loops."""

import math

import numpy as np
import pytest
from scipy import ndimage

from ipmix.core.randomness import between, bits, stream
from ipmix.corruptions import corrupt
from ipmix.corruptions.common import blur
from ipmix.corruptions.kernels.filtering import (
    gaussian_weights,
    motion_weights,
    motion_width,
    scipy_weights,
    smear,
    to_rows,
)
from ipmix.corruptions.severities import CORRUPTIONS, constants


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


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize("name", ["glass_blur", "gaussian_blur"])
def test_the_original_form_is_scipys_to_the_byte(make_images, name, side, severity):
    images = make_images(4, side, side, seed=severity)
    images[3, side // 2 :] = 200  # flat: sums of whole numbers, just short of them
    sigma = constants(name, severity, side, side)[0]
    plain = np.stack([ndimage.gaussian_filter(i / 255.0, (sigma, sigma, 0), mode="nearest") for i in images])
    out = np.empty_like(images)
    blur.soften_all(images, out, sigma, 4.0, corrected=False)
    np.testing.assert_array_equal(out, cut_off(plain))
    if name == "gaussian_blur":
        np.testing.assert_array_equal(corrupt(images, name, severity, seed=0), out)
        assert (corrupt(images, name, severity, seed=0, form="corrected") >= out).all()


def test_the_corrected_blur_keeps_flat_levels():
    flat = np.repeat(np.arange(256, dtype=np.uint8), 48).reshape(256, 4, 4, 3)
    kept, lowered = np.empty_like(flat), np.empty_like(flat)
    blur.soften_all(flat, kept, 1.1, 4.0, corrected=True)
    blur.soften_all(flat, lowered, 1.1, 4.0, corrected=False)
    np.testing.assert_array_equal(kept, flat)
    cut = (flat - lowered)[:, 0, 0, 0]
    assert set(cut) == {0, 1}  # glass blur 4 at 224: many flat levels become the one below
    assert cut.sum() > 50


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
    smear(rows, out, channels, motion_weights(radius, sigma), degrees, motion_width(radius))
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    angle, plain = math.radians(degrees), np.zeros(image.shape)
    y, x = np.mgrid[:height, :width]
    for i, weight in enumerate(weights):
        from_y = np.clip(y + math.ceil(i * math.sin(angle) - 0.5), 0, height - 1)
        from_x = np.clip(x + math.ceil(i * math.cos(angle) - 0.5), 0, width - 1)
        plain += weight / sum(weights) * image[from_y, from_x]
    np.testing.assert_allclose(out.reshape(image.shape), plain, atol=1e-3)


def imagemagick_offsets(degrees, width):
    """ImageMagick's arithmetic in Python, whose trigonometry and hypot are the C library's."""
    turn = math.pi * degrees / 180.0
    x, y = width * math.sin(turn), width * math.cos(turn)
    return [
        (math.ceil(i * y / math.hypot(x, y) - 0.5), math.ceil(i * x / math.hypot(x, y) - 0.5)) for i in range(width)
    ]


@pytest.mark.parametrize("radius", [6, 8, 9, 10, 12, 14, 15, 20])
def test_ties_of_motion_are_imagemagicks(radius):
    width, ties = motion_width(radius), 0
    dot, out = np.zeros((4 * width, 4 * width), np.float32), np.empty((4 * width, 4 * width), np.float32)
    middle = 2 * width
    dot[middle, middle] = 1
    weights = np.arange(1, width + 1, dtype=np.float32)  # they tell the steps apart
    angles = {4 * i - 150 for i in range(31)} | {(i - 20) * 9 for i in range(21)} | {(i - 30) * 4 for i in range(31)}
    for degrees in sorted(angles):
        smear(dot, out, 1, weights, float(degrees), width)
        expected = np.zeros_like(dot)
        for weight, (right, below) in zip(weights, imagemagick_offsets(degrees, width)):
            expected[middle - below, middle - right] += weight
        np.testing.assert_array_equal(out, expected)
        sine = math.sin(math.radians(degrees))
        ties += any(math.ceil(i * sine - 0.5) != y for i, (_, y) in enumerate(imagemagick_offsets(degrees, width)))
    assert ties == (2 if radius in (8, 9, 10, 15, 20) else 0)  # -30 and -150: where the plain sine rounds otherwise


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


def test_the_original_glass_blur_is_the_public_loops_to_the_byte(photos):
    out = np.empty_like(photos[:1])
    key = np.zeros(1, np.int64), np.int64(1), np.int64(2)
    blur.shatter_as_published(photos[:1], out, *key, scipy_weights(0.7), 2, 2)
    expected = plain_glass(photos[0], stream(1, 2, 0, blur.VIEW), 0.7, 2, 2, False)
    np.testing.assert_array_equal(out[0], expected)


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
    state = stream(9, CORRUPTIONS.index("motion_blur") * 16 + 3, 0, blur.VIEW)
    out = np.empty_like(image)
    radius, sigma = constants("motion_blur", 3, 32, 32)
    blur.smear_to(image, out, motion_weights(radius, sigma), between(state, -45.0, 45.0), motion_width(radius))
    np.testing.assert_array_equal(out[0], found)
