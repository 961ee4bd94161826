"""The sequences: determinism, frames by hand, and plain forms."""

import numpy as np
import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.corruptions import PERTURBATIONS, PERTURBATIONS_CIFAR, corrupt, perturb
from ipmix.corruptions.perturbations.sequences import run_down
from ipmix.corruptions.perturbations.tilting import tilt_all, tilt_map

NOISES = ("gaussian_noise", "shot_noise", "speckle_noise")


@pytest.fixture(scope="module")
def images(make_images):
    return make_images(4, 32, 32, seed=1)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_function_of_seed_and_index_alone(images, name):
    whole = perturb(images, name, seed=3)
    frames = {"motion_blur": 21, "translate": 16}.get(name, 31)
    assert whole.shape == (4, frames, 32, 32, 3)
    np.testing.assert_array_equal(perturb(images, name, seed=3, threads=2), whole)
    np.testing.assert_array_equal(perturb(images[[2, 0]], name, seed=3, indices=[2, 0]), whole[[2, 0]])
    random = name in (*NOISES, "snow", "spatter")
    assert (perturb(images, name, seed=4) != whole).any() == random


@pytest.mark.parametrize("name", NOISES)
def test_noise_begins_clean_and_is_new_in_each_frame(images, name):
    frames = perturb(images, name, seed=0)
    np.testing.assert_array_equal(frames[:, 0], images)
    change = frames.astype(float) - images[:, None]
    a, b = change[:, 3].ravel(), change[:, 4].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.06
    louder = [
        np.abs(perturb(images, name, seed=0, difficulty=d).astype(int) - images[:, None]).mean() for d in (1, 2, 3)
    ]
    assert louder[0] < louder[1] < louder[2]


def test_difficulty_is_a_stride_for_the_others(images):
    np.testing.assert_array_equal(
        perturb(images, "rotate", seed=0, difficulty=3), perturb(images, "rotate", seed=0)[:, ::3]
    )
    assert perturb(images, "translate", seed=0, difficulty=2).shape[1] == 8


def test_the_unchanged_frames(images):
    for name in ("brightness", "rotate", "shear"):
        difference = perturb(images, name, seed=0)[:, 15].astype(int) - images
        assert np.abs(difference).max() <= 1, name
    np.testing.assert_array_equal(perturb(images, "translate", seed=0)[:, 7], images)
    np.testing.assert_array_equal(perturb(images, "scale", seed=0)[:, 15], images)
    np.testing.assert_array_equal(perturb(images, "zoom_blur", seed=0)[:, 0], images)


def test_translate_by_hand(images):
    frames = perturb(images, "translate", seed=0)
    np.testing.assert_array_equal(frames[:, 10, :, 3:], images[:, :, :-3])
    assert not frames[:, 10, :, :3].any()
    np.testing.assert_array_equal(frames[:, 0, :, :-7], images[:, :, 7:])
    assert not frames[:, 0, :, -7:].any()


def test_rotate_is_pillows(images):
    # "corrected" turns about the true centre, as Pillow's own rotate does.
    frames = perturb(images, "rotate", seed=0, form="corrected")
    for degrees, frame in ((-15, 0), (6, 21)):
        # torchvision counts the angle clockwise.
        turned = Image.fromarray(images[1]).rotate(-degrees, Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(turned).astype(int) - frames[1, frame]).max() <= 1
    assert (perturb(images, "rotate", seed=0) != frames).any()


def test_zoom_blur_is_a_running_mean(images):
    frames = perturb(images, "zoom_blur", seed=0, form="corrected").astype(int)
    # The sum of k + 1 parts minus the sum of k parts is one enlargement: its middle pixels hardly move.
    middle = frames[:, :, 15:17, 15:17].mean(axis=(2, 3))
    assert np.abs(middle - middle[:, :1]).max() < 40
    assert (np.abs(frames[:, 30] - frames[:, 0]).mean() > np.abs(frames[:, 2] - frames[:, 0]).mean()).all()


def test_tilt_against_a_homography(make_images):
    image = make_images(1, 40, 30, seed=5)
    inverse = tilt_map(40, 30, 9.0)
    out = np.empty_like(image)
    tilt_all(image, out, inverse)
    from scipy import ndimage

    y, x = np.mgrid[:40, :30]
    places = np.tensordot(inverse, np.stack([x, y, np.ones_like(x)]), 1)
    places = np.rint(places[:2] / places[2] * 32) / 32
    padded = np.pad(image[0].astype(float), ((2, 2), (2, 2), (0, 0)))
    clipped = [np.clip(p, -2, n + 1) + 2 for p, n in zip(places[::-1], (40, 30))]
    plain = np.stack([ndimage.map_coordinates(padded[..., c], clipped, order=1) for c in range(3)], axis=2)
    assert np.abs(np.floor(plain + 0.5) - out[0]).max() <= 1


def test_running_down_is_numpys_convolve():
    liquids = np.random.default_rng(0).random((2, 9, 5)).astype(np.float32)
    for trail in ([0.2, 0.8], [0.05, 0.1, 0.15, 0.7]):
        expected = np.apply_along_axis(lambda column, t=trail: np.convolve(column, t, "same"), 1, liquids)
        np.testing.assert_allclose(run_down(liquids, np.array(trail)), expected, atol=1e-6)


def test_frames_without_water_are_black_in_the_original_form(make_images):
    images = make_images(30, 32, 32, seed=4)
    original, corrected = (perturb(images, "spatter", seed=0, form=form) for form in ("original", "corrected"))
    black = (original == 0).all(axis=(2, 3, 4))
    assert black.any()
    assert not black[:, 0].all()
    np.testing.assert_array_equal(corrected[black], np.repeat(images[:, None], 31, axis=1)[black])
    np.testing.assert_array_equal(corrected[~black], original[~black])


def test_crop_takes_the_middle_after_the_motion(make_images):
    images = make_images(2, 40, 48, seed=2)
    # The shift happens on the whole image: what comes into the crop is image, not black.
    frames = perturb(images, "translate", seed=0, crop=32)
    np.testing.assert_array_equal(frames[:, 10], images[:, 4:36, 5:37])
    np.testing.assert_array_equal(perturb(images, "brightness", seed=0, crop=32)[:, 15], images[:, 4:36, 8:40])


def test_sizes_and_channels(make_images):
    for shape in ((1, 1, 1, 3), (1, 9, 14, 1), (1, 20, 12, 5)):
        images = make_images(*shape)
        for name in PERTURBATIONS:
            assert perturb(images, name, seed=0).shape[2:] == shape[1:]
    large = make_images(1, 128, 130)
    assert perturb(large, "translate", seed=0).shape[1] == 41
    assert perturb(large, "motion_blur", seed=0).shape[1] == 31


def test_sequences_and_corruptions_draw_different_numbers(images):
    noisy = corrupt(images, "gaussian_noise", 1, seed=0).astype(float) - images
    frame = perturb(images, "gaussian_noise", seed=0)[:, 1].astype(float) - images
    assert abs(np.corrcoef(noisy.ravel(), frame.ravel())[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "wobble"}, "unknown perturbation 'wobble'; known are gaussian_noise"),
        ({"difficulty": 4}, "difficulty must be a whole number from 1 to 3"),
        ({"crop": 33}, "crop must be a whole number from 1 to 32"),
        ({"form": "new"}, "form must be one of original, corrected, got 'new'"),
        ({"seed": "x"}, "seed"),
    ],
)
def test_refusals(images, change, words):
    arguments = {"name": PERTURBATIONS_CIFAR[0], "seed": 0} | change
    with pytest.raises(InputError, match=words):
        perturb(images, arguments.pop("name"), **arguments)
