"""Spatter's steps against plain forms; OpenCV's rounding was checked against OpenCV itself (docs/corruptions.md)."""

import numpy as np
import pytest
from scipy import ndimage

from ipmix.corruptions import corrupt
from ipmix.corruptions.common import spatter
from ipmix.corruptions.kernels.filtering import gaussian_weights


def test_distances_are_near_the_true_ones():
    rng = np.random.default_rng(0)
    marks = (rng.random((40, 50)) < 0.01).astype(np.uint8) * 2
    marks[3, 3] = 1  # a weak edge is none
    out = np.empty((40, 50), np.float32)
    spatter.distances(marks, out)
    true = np.minimum(ndimage.distance_transform_edt(marks != 2), 20)
    np.testing.assert_allclose(out, true, rtol=0.03, atol=1e-6)


def test_distances_by_hand():
    marks = np.zeros((5, 7), np.uint8)
    marks[2, 1] = 2
    out = np.empty((5, 7), np.float32)
    spatter.distances(marks, out)
    np.testing.assert_allclose(out[2], [1, 0, 1, 2, 3, 4, 5])
    np.testing.assert_allclose(out[1], [1.4, 1, 1.4, 2.1969, 3.1969, 4.1969, 5.1969], atol=1e-5)


def test_no_mark_is_far():
    out = np.empty((3, 3), np.float32)
    spatter.distances(np.zeros((3, 3), np.uint8), out)
    assert (out == 20).all()


def test_edges_of_a_bright_square():
    image = np.zeros((12, 12), np.uint8)
    image[4:8, 4:8] = 200
    marks = np.empty((12, 12), np.uint8)
    spatter.edges(image, marks)
    edge = marks == 2
    assert not edge[5:7, 5:7].any(), "nothing happens inside"
    assert not edge[:3].any()
    assert edge[5, 3] ^ edge[5, 4], "one side of the step, thinned to one pixel"
    weak = np.zeros((12, 12), np.uint8)
    weak[:, 6:] = 10
    spatter.edges(weak, marks)
    assert not marks.any(), "a step of 10 is below the lower threshold of 50"


def test_a_weak_edge_counts_beside_a_strong_one():
    image = np.zeros((20, 20), np.uint8)
    image[:10, 10:] = 80
    image[10:, 10:] = 20  # 4 * 20 = 80: between 50 and 150
    marks = np.empty((20, 20), np.uint8)
    spatter.edges(image, marks)
    assert (marks[15:19] == 2).any()
    spatter.edges(image[12:], np.empty((8, 20), np.uint8))
    alone = np.empty((8, 20), np.uint8)
    spatter.edges(np.ascontiguousarray(image[12:]), alone)
    assert not (alone == 2).any()


def test_mud_by_hand():
    liquid = np.zeros((20, 20), np.float32)
    liquid[5:15, 5:15] = 0.9
    mask, image = np.empty((20, 20), np.float32), np.full((20, 20, 3), 200, np.uint8)
    spatter.mud_mask(liquid, mask, 0.7, gaussian_weights(0.6))
    expected = ndimage.gaussian_filter((liquid > 0.7).astype(float), 0.6, mode="nearest")
    np.testing.assert_allclose(mask, np.where(expected < 0.8, 0, expected), atol=1e-6)
    out = np.empty_like(image)
    spatter.lay(image, out, mask, spatter.MUD, True)
    assert out[10, 10].tolist() == [63, 42, 20]
    assert out[0, 0].tolist() == [200, 200, 200]


@pytest.mark.parametrize("severity", range(1, 6))
def test_water_brightens_and_mud_browns(make_images, severity):
    images = make_images(8, 64, 64, seed=1)
    changed = corrupt(images, "spatter", severity, seed=0).astype(int) - images
    if severity <= 3:
        assert changed.min() >= 0
        assert changed.max() > 30
    else:
        assert changed.min() < -30


def test_no_liquid_leaves_the_image():
    mask = np.empty((8, 8), np.float32)
    assert not spatter.water_mask(np.zeros((8, 8), np.float32), mask, 0.5)
    assert (mask == 0).all()
    drop = np.zeros((8, 8), np.float32)
    drop[2:5, 3:6] = 0.8
    assert spatter.water_mask(drop, mask, 0.5)
    assert mask.max() == pytest.approx(0.5)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_image_without_a_drop_is_black_in_the_original_form(make_images):
    images = make_images(1, 4, 4, seed=2).repeat(60, axis=0)  # so small that many get no drop
    original, corrected = (corrupt(images, "spatter", 1, seed=0, form=form) for form in ("original", "corrected"))
    dry = (corrected == images).all(axis=(1, 2, 3))
    assert 0 < dry.sum() < len(images)
    # The public code: a mask of zeros, divided by its largest value.
    none = np.zeros((4, 4, 1), np.float32)
    public = np.clip(images[0] / 255 + none / none.max() * 0.5, 0, 1) * 255
    np.testing.assert_array_equal(
        original[dry], np.nan_to_num(public, nan=0).astype(np.uint8)[None].repeat(dry.sum(), 0)
    )
    assert (original[dry] == 0).all()
    np.testing.assert_array_equal(original[~dry], corrected[~dry])
