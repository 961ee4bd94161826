"""The fast PNG encoder and the lossy formats, read back by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from ipmix.fractals import formats
from ipmix.fractals.kinds import paint


@pytest.mark.parametrize("files", ["jpeg", "webp"])
def test_lossy_formats_come_close(files):
    pixels = paint("ifs", 0, 0, 64).pixels
    with Image.open(io.BytesIO(formats.encode(pixels, files))) as picture:
        got = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(got - pixels).mean() < 12
    assert not np.array_equal(got, pixels)


def test_digest_is_of_the_pixels_in_c_order():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert formats.digest(pixels) == formats.digest(np.asfortranarray(pixels))
    assert formats.digest(pixels) != formats.digest(pixels[:, ::-1])
