"""The fast PNG encoder and the lossy formats, read back by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from ipmix.fractals.kinds import paint
from ipmix.mixing_set import image_files


@pytest.mark.parametrize("files", ["jpeg", "webp"])
def test_lossy_formats_come_close(files):
    pixels = paint("ifs", 0, 0, 64).pixels
    with Image.open(io.BytesIO(image_files.encode(pixels, files))) as image:
        got = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(got - pixels).mean() < 12
    assert not np.array_equal(got, pixels)


def test_digest_is_of_the_pixels_in_c_order():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert image_files.digest(pixels) == image_files.digest(np.asfortranarray(pixels))
    assert image_files.digest(pixels) != image_files.digest(pixels[:, ::-1])
