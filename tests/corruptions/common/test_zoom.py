"""Zoom blur against SciPy's zoom."""

import numpy as np
import pytest
from scipy import ndimage

from ipmix.corruptions import corrupt
from ipmix.corruptions.common.zoom import zoom_line
from ipmix.corruptions.severities import constants


def clipped_zoom(image, factor):
    height, width = image.shape[:2]
    high, wide = int(np.ceil(height / factor)), int(np.ceil(width / factor))
    top, left = (height - high) // 2, (width - wide) // 2
    large = ndimage.zoom(image[top : top + high, left : left + wide], (factor, factor, 1), order=1)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return large[top : top + height, left : left + width]


@pytest.mark.parametrize("shape", [(32, 32), (45, 37)])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_zoom_blur_against_scipy(make_images, shape, severity):
    images = make_images(2, *shape, seed=3)
    end, step = constants("zoom_blur", severity, *shape)
    factors = np.arange(1, end, step)
    for image, result in zip(images, corrupt(images, "zoom_blur", severity, seed=0)):
        x = (image / 255.0).astype(np.float32)
        plain = (x + sum(clipped_zoom(x, factor) for factor in factors)) / (len(factors) + 1)
        assert np.abs((np.clip(plain, 0, 1) * 255).astype(np.uint8).astype(int) - result).max() <= 1


@pytest.mark.parametrize("factor", [1.0, 1.01, 1.27, 2.0, 4.5])
@pytest.mark.parametrize("size", [1, 2, 31, 224])
def test_lines_stay_inside(factor, size):
    left, keep, share = zoom_line(factor, size, True)
    assert left.min() >= 0
    assert (left + (share > 0)).max() <= size - 1
    np.testing.assert_allclose(keep + share, 1, atol=1e-6)
