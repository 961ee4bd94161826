"""Brightness and saturation against the standard library's colorsys, contrast against NumPy."""

import colorsys

import numpy as np
import pytest

from ipmix.corruptions import corrupt
from ipmix.corruptions.common.color import brighten, brightness_tables
from ipmix.corruptions.severities import constants


def through_hsv(image, change):
    out = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        hsv = colorsys.rgb_to_hsv(*(image[place] / 255.0))
        out[place] = (np.clip(colorsys.hsv_to_rgb(*change(*hsv)), 0, 1) * 255).astype(np.uint8)
    return out


def clip(value):
    return min(max(value, 0.0), 1.0)


@pytest.fixture(scope="module")
def colors():
    """Every corner case: random colors, greys, black, white, two equal channels."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 24, 24, 3), dtype=np.uint8)
    image[0, 0] = np.linspace(0, 255, 24).astype(np.uint8)[:, None]
    image[0, 1, :, 1] = image[0, 1, :, 0]
    image[0, 2, :, 2] = 0
    return image


@pytest.mark.parametrize("severity", range(1, 6))
def test_brightness(colors, severity):
    (c,) = constants("brightness", severity, 24, 24)
    expected = through_hsv(colors[0], lambda h, s, v: (h, s, clip(v + c)))
    result = corrupt(colors, "brightness", severity, seed=0)[0]
    assert np.abs(result.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("severity", range(1, 6))
def test_saturate(colors, severity):
    a, b = constants("saturate", severity, 24, 24)
    expected = through_hsv(colors[0], lambda h, s, v: (h, clip(s * a + b), v))
    result = corrupt(colors, "saturate", severity, seed=0)[0]
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_darkening_for_sequences(colors):
    out = np.empty((24 * 24, 3), np.uint8)
    brighten(colors.reshape(-1, 3), out, *brightness_tables(-0.3))
    expected = through_hsv(colors[0], lambda h, s, v: (h, s, clip(v - 0.3)))
    assert np.abs(out.reshape(24, 24, 3).astype(int) - expected).max() <= 1


def test_contrast(colors):
    (c,) = constants("contrast", 4, 24, 24)
    x = colors[0] / 255.0
    mean = x.mean(axis=(0, 1))
    expected = (np.clip((x - mean) * c + mean, 0, 1) * 255).astype(np.uint8)
    result = corrupt(colors, "contrast", 4, seed=0)[0]
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert (result != expected).mean() < 0.01


def test_grey_brightens_by_the_constant():
    grey = np.full((1, 24, 24, 1), 100, np.uint8)
    (c,) = constants("brightness", 3, 24, 24)
    assert (corrupt(grey, "brightness", 3, seed=0) == int(100 + 255 * c)).all()
