"""What holds for every corruption: determinism, shapes, forms, and clear refusals."""

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.corruptions import ALL_CORRUPTIONS, CORRUPTIONS, VALIDATION, corrupt
from ipmix.corruptions.registry import RUN
from ipmix.corruptions.severities import C_BAR

DETERMINISTIC = {
    "defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression", "gaussian_blur", "saturate",
    "circular_motion_blur",
}  # fmt: skip


def sample_images(count, height, width, channels=3, seed=0):
    """Smooth random images with a hard edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width][..., None]
    phase, wave = rng.uniform(0, 6, (2, count, 1, 1, channels))
    images = 128 + 90 * np.sin(phase + (x + 2 * y) * (1 + wave) / max(height, width))
    images[:, height // 3 :, width // 2 :] *= 0.4
    return np.clip(images, 0, 255).astype(np.uint8)


IMAGES = sample_images(5, 32, 32)


def test_every_name_is_made():
    assert set(RUN) == set(ALL_CORRUPTIONS)


@pytest.mark.parametrize("name", ALL_CORRUPTIONS)
def test_a_function_of_seed_severity_and_index_alone(name):
    whole = corrupt(IMAGES, name, 3, seed=7)
    assert whole.shape == IMAGES.shape
    assert whole.dtype == np.uint8
    np.testing.assert_array_equal(corrupt(IMAGES, name, 3, seed=7, threads=3), whole)
    some = [4, 0, 2]
    np.testing.assert_array_equal(corrupt(IMAGES[some], name, 3, seed=7, indices=some), whole[some])
    out = np.empty_like(whole)
    assert corrupt(IMAGES, name, 3, seed=7, out=out) is out
    np.testing.assert_array_equal(out, whole)


@pytest.mark.parametrize("name", ALL_CORRUPTIONS)
def test_seed_and_index_matter_where_there_is_chance(name):
    same = np.repeat(IMAGES[:1], 3, axis=0)
    first, second = corrupt(same, name, 5, seed=1), corrupt(same, name, 5, seed=2)
    if name in DETERMINISTIC:
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first[0], first[1])
    else:
        assert (first != second).any()
        assert (first[0] != first[1]).any() or (first[0] != first[2]).any()


def test_corruptions_and_severities_draw_different_numbers():
    # Equal laws at different severities: without the salt both would kill the same pixels.
    grey = np.full((1, 64, 64, 1), 128, np.uint8)
    a, b = (corrupt(grey, "impulse_noise", severity, seed=0) == 0 for severity in (4, 5))
    assert 0.2 < (a & b).sum() / max(a.sum() * b.mean(), 1e-9) < 5.0


@pytest.mark.parametrize("name", sorted({*CORRUPTIONS, *VALIDATION} - {"saturate", "elastic_transform", "glass_blur"}))
def test_severities_get_worse(name):
    # The three left out change in kind from severity to severity, not in strength alone.
    images = sample_images(20, 32, 32, seed=3)
    change = [np.abs(corrupt(images, name, s, seed=0).astype(int) - images).mean() for s in range(1, 6)]
    assert change[4] > change[0] > 0


@pytest.mark.parametrize("name", ALL_CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 5, 7, 4), (1, 40, 33, 1), (1, 1, 9, 3), (1, 64, 90, 2)])
def test_any_shape(name, shape):
    images = sample_images(*shape)
    before = images.copy()
    for form in ("original", "corrected"):
        assert corrupt(images, name, 5, seed=0, form=form).shape == shape
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", ["gaussian_blur", "motion_blur", "zoom_blur", "defocus_blur", "contrast", "pixelate"])
def test_channels_do_not_mix(name):
    images = sample_images(2, 33, 40, channels=4)
    whole = corrupt(images, name, 4, seed=0)
    for c in range(4):
        np.testing.assert_array_equal(corrupt(images[..., c : c + 1], name, 4, seed=0)[..., 0], whole[..., c])


@pytest.mark.parametrize("name", C_BAR)
def test_black_and_white_images_survive(name):
    for value in (0, 255):
        corrupt(np.full((1, 16, 16, 3), value, np.uint8), name, 5, seed=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "rain"}, "unknown corruption 'rain'; known are gaussian_noise"),
        ({"severity": 0}, "severity must be a whole number from 1 to 5, got 0"),
        ({"severity": 6}, "from 1 to 5, got 6"),
        ({"severity": 2.5}, "from 1 to 5"),
        ({"severity": True}, "from 1 to 5"),
        ({"seed": 2**63}, "64 bits"),
        ({"seed": 0.5}, "64 bits"),
        ({"form": "mended"}, "form must be one of original, corrected"),
        ({"threads": 0}, "threads"),
        ({"indices": [1, 2]}, "5 integers"),
        ({"indices": [0.5] * 5}, "a one-dimensional array of integers"),
        ({"indices": [[1], [2, 3]]}, "a one-dimensional array of integers"),
        ({"indices": np.full(5, 2**63, np.uint64)}, "fit 64 bits"),
        ({"images": IMAGES.astype(np.uint16)}, "uint16[5, 32, 32, 3]"),
        ({"images": IMAGES / 255.0}, "float64"),
        ({"images": IMAGES[0]}, "image[None]"),
        ({"images": [1, 2]}, "got list"),
        ({"images": IMAGES[:, :0]}, "none of H, W, C zero"),
        ({"out": np.empty((5, 32, 32, 3), np.float32)}, "out must be"),
        ({"out": IMAGES}, "not share memory"),
    ],
)
def test_refusals(change, words):
    arguments = {"images": IMAGES, "name": "fog", "severity": 1, "seed": 0} | change
    images, name, severity = (arguments.pop(key) for key in ("images", "name", "severity"))
    with pytest.raises(InputError) as caught:
        corrupt(images, name, severity, **arguments)
    assert words in str(caught.value)


def test_no_images_give_none():
    assert corrupt(IMAGES[:0], "snow", 1, seed=0).shape == (0, 32, 32, 3)


def test_read_only_and_mapped_images_compile_nothing_anew(tmp_path):
    from ipmix.corruptions.common.noise import resample

    expected = corrupt(IMAGES, "shot_noise", 2, seed=0)
    before = len(resample.signatures)
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    out = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype=np.uint8, shape=IMAGES.shape)
    np.testing.assert_array_equal(corrupt(mapped, "shot_noise", 2, seed=0, out=out), expected)
    np.testing.assert_array_equal(corrupt(mapped[::2], "shot_noise", 2, seed=0, indices=[0, 2, 4]), expected[::2])
    assert len(resample.signatures) == before


def test_views_are_taken():
    turned = IMAGES[:, ::-1, ::2]
    np.testing.assert_array_equal(
        corrupt(turned, "contrast", 1, seed=0), corrupt(np.ascontiguousarray(turned), "contrast", 1, seed=0)
    )
