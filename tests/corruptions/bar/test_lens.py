"""C-bar's lens faults against SciPy's zoom and rotate."""

import numpy as np
import pytest
from scipy import ndimage

from ipmix.core.randomness import below, stream
from ipmix.corruptions import ALL_CORRUPTIONS, corrupt
from ipmix.corruptions.severities import constants
from ipmix.corruptions.task import VIEW

SHAPES = [(32, 32), (30, 41)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("severity", [1, 5])
def test_chromatic_aberration(make_images, shape, severity):
    name = "transverse_chromatic_abberation"
    image = make_images(1, *shape, seed=1)
    state = stream(3, ALL_CORRUPTIONS.index(name) * 16 + severity, 0, VIEW)
    order = [0, 1, 2]
    for k in (2, 1):
        other = below(state, k + 1)
        order[k], order[other] = order[other], order[k]
    (level,) = constants(name, severity, *shape)
    result = corrupt(image, name, severity, seed=3)[0]
    for c in range(3):
        large = ndimage.zoom(image[0, ..., c], (1, 1 + 0.025 * level, 1 + 0.05 * level)[order[c]], prefilter=False)
        top, left = (large.shape[0] - shape[0]) // 2, (large.shape[1] - shape[1]) // 2
        plain = large[top : top + shape[0], left : left + shape[1]]
        assert np.abs(result[..., c].astype(int) - plain).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_circular_motion_blur(make_images, shape):
    image = make_images(1, *shape, channels=5, seed=1)
    (level,) = constants("circular_motion_blur", 4, *shape)
    share = np.linspace(-1, 1, 21)
    weights = np.exp(-2 * share**2)
    turned = [ndimage.rotate(image[0] / 255.0, s * 1.5 * level, reshape=False) for s in share]
    plain = np.tensordot(weights / weights.sum(), turned, 1)
    expected = (np.clip(plain, 0, 1) * 255).astype(np.uint8)
    result = corrupt(image, "circular_motion_blur", 4, seed=0)[0]
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_images_that_are_turned_together_do_not_meet(make_images):
    images = make_images(35, 32, 32, seed=2)
    together = corrupt(images, "circular_motion_blur", 3, seed=0)
    alone = np.concatenate([corrupt(image[None], "circular_motion_blur", 3, seed=0) for image in images])
    assert np.array_equal(together, alone)
