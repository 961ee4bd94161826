import base64
import io

import numpy as np
import pytest
from PIL import Image

from ipmix.report.data_uris import SIDE, data_uri


def decoded(uri):
    head, body = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_keep_every_byte(channels):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    assert np.array_equal(decoded(data_uri(image)).reshape(image.shape), image)


def test_more_channels_show_the_first_three():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 8), dtype=np.uint8)
    assert np.array_equal(decoded(data_uri(image)), image[:, :, :3])


def test_large_images_become_smaller():
    assert max(decoded(data_uri(np.zeros((600, 300, 3), np.uint8))).shape) == SIDE
