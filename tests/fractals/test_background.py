"""Clouds: range, seams, roughness; the colors behind a fractal."""

import numpy as np
import pytest

from ipmix.core.randomness import Key
from ipmix.fractals import background


def height_field(key, side, decay):
    clouds = np.full(side * side, np.nan, np.float32)
    background.diamond_square(key.stream(), decay, clouds, np.full(2 * side * side, np.nan, np.float32))
    return clouds.reshape(side, side)


@pytest.mark.parametrize("side", [4, 8, 16, 64])
def test_clouds_fill_the_range_and_close_at_the_edges(side):
    clouds = height_field(Key(1), side, 0.6)
    assert clouds.min() == 0
    assert clouds.max() == pytest.approx(1)
    if side == 64:
        inside = np.abs(np.diff(clouds, axis=1)).mean()
        seam = np.abs(clouds[:, 0] - clouds[:, -1]).mean()
        assert seam < 2 * inside  # an image cut out of it would jump by several times that
        assert np.abs(clouds[:, 0] - clouds[:, 32]).mean() > 3 * inside


def test_a_larger_decay_is_smoother():
    steps = []
    for decay in (0.2, 0.6, 1.0):
        clouds = height_field(Key(2), 64, decay)
        steps.append(np.abs(np.diff(clouds, axis=0)).mean())
    assert steps[0] > steps[1] > steps[2]


def test_backgrounds_are_colored_and_differ():
    images = []
    spare = np.full(2 * 64 * 64, np.nan, np.float32)
    for seed in range(6):
        image = np.zeros((20, 33, 3), np.uint8)
        background.paint_background(Key(seed).stream(), image, np.empty(64 * 64, np.float32), spare)
        assert (image.max(axis=2) > 60).all()  # value is at least 0.4
        assert (image.max(axis=2).astype(int) - image.min(axis=2)).min() > 15  # saturation too
        images.append(image.tobytes())
    assert len(set(images)) == 6
