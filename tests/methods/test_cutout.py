"""CutOut against a loop over pixels."""

from typing import Any

import numpy as np
import pytest

from ipmix import CutOut, augment, draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import Key, below
from ipmix.methods import METHODS


def cut_out(image: np.ndarray, key: Key, size: int, fill: tuple[int, ...]) -> np.ndarray:
    stream = key.stream()
    height, width, channels = image.shape
    y, x = below(stream, height), below(stream, width)
    result = image.copy()
    for row in range(y - size // 2, y - size // 2 + size):
        for column in range(x - size // 2, x - size // 2 + size):
            for channel in range(channels):
                if 0 <= row < height and 0 <= column < width:
                    result[row, column, channel] = fill[min(channel, 2)]
    return result


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(("size", "channels", "fill"), [(8, 3, (125, 123, 114)), (5, 1, (0, 0, 0)), (40, 5, (9, 8, 7))])
def test_images_are_those_of_the_loop(size: int, channels: int, fill: Any, engine: str, make_images: Any) -> None:
    images = make_images(30, 24, 19, channels)
    got = augment(images, CutOut(size=size, fill=fill), seed=3, epoch=1, engine=engine)
    expected = np.stack([cut_out(image, Key(3, 1, i), size, fill) for i, image in enumerate(images)])
    assert np.array_equal(got, expected)
    assert not np.array_equal(got[0], cut_out(images[0], Key(4, 1, 0), size, fill)) or size > 30


def test_every_pixel_can_be_the_centre_and_most_of_the_square_fall_outside() -> None:
    steps = draw(CutOut(size=16), (20_000, 32, 32, 3), seed=0).steps[:, 0, 0]
    across = steps["right"] - steps["left"]
    assert across.min() == 8
    assert across.max() == 16
    # Centre c: min(c + 8, 32) - max(c - 8, 0); the mean over c in 0..31 is 14.
    assert abs(across.mean() - 14) < 0.1


def test_sizes_by_default() -> None:
    for side, size in ((32, 16), (64, 32), (224, 56)):
        steps = draw(CutOut(), (500, side, side, 3), seed=0).steps[:, 0, 0]
        assert (steps["right"] - steps["left"]).max() == size


def test_presets_and_names() -> None:
    assert [CutOut.preset(name).size for name in ("cifar-10", "cifar-100", "imagenet")] == [16, 8, 56]
    assert METHODS["cutout"] is CutOut
    assert not CutOut().mixes_labels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be a whole number from 1 to 65536, got 0"),
        ({"fill": 256}, "fill must be in 0 .. 255, got 256"),
        ({"fill": (1, 2)}, "fill must be one byte, or three"),
        ({"fill": (1, 2, -3)}, "fill must be a whole number of at least 0, got -3"),
        ({"fill": 0.5}, "fill must be one byte, or three, got 0.5"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CutOut(**options)
    with pytest.raises(InputError, match="CutOut has no preset 'big'"):
        CutOut.preset("big")
