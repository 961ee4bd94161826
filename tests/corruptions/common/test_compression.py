"""Pixelate equals Pillow's box filter byte for byte; JPEG is Pillow's own."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from ipmix.corruptions import corrupt
from ipmix.corruptions.severities import constants


@pytest.mark.parametrize("shape", [(32, 32), (224, 224), (41, 87), (7, 300)])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_pixelate_is_pillows(make_images, shape, severity):
    images = make_images(2, *shape, seed=6)
    (share,) = constants("pixelate", severity, *shape)
    size = max(int(shape[1] * share), 1), max(int(shape[0] * share), 1)
    for image, result in zip(images, corrupt(images, "pixelate", severity, seed=0)):
        small = Image.fromarray(image).resize(size, Image.Resampling.BOX)
        large = small.resize((shape[1], shape[0]), Image.Resampling.BOX)
        np.testing.assert_array_equal(result, np.asarray(large))


def test_jpeg_is_pillows(make_images):
    images = make_images(2, 32, 48, seed=6)
    for severity, quality in enumerate((80, 65, 58, 50, 40), start=1):
        for image, result in zip(images, corrupt(images, "jpeg_compression", severity, seed=0)):
            file = BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=quality)
            np.testing.assert_array_equal(result, np.asarray(Image.open(file)))
