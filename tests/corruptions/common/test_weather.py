"""Snow and fog against plain NumPy with the same random fields."""

import numpy as np
import pytest

from ipmix.core.randomness import between, stream
from ipmix.corruptions import corrupt
from ipmix.corruptions.common.weather import cloud, snow_layer
from ipmix.corruptions.common.zoom import zoom_line
from ipmix.corruptions.kernels.filtering import motion_weights, motion_width, smear
from ipmix.corruptions.kernels.sampling import normal_table
from ipmix.corruptions.severities import CORRUPTIONS, constants
from ipmix.corruptions.task import VIEW


def key(name, severity, seed=5, index=0):
    return stream(seed, CORRUPTIONS.index(name) * 16 + severity, index, VIEW)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_snow_is_laid_as_published(make_images, severity):
    image = make_images(1, 32, 32, seed=8)
    mean, deviation, zoom, threshold, radius, sigma, share = constants("snow", severity, 32, 32)
    state = key("snow", severity)
    layer, fallen = np.empty((32, 32), np.float32), np.empty((32, 32), np.float32)
    line = zoom_line(zoom, 32, False)
    snow_layer(state, layer, mean, deviation, threshold, normal_table(), line, line)
    assert ((layer == 0) | (layer >= int(threshold * 255))).all()
    smear(layer, fallen, 1, motion_weights(radius, sigma), between(state, -135.0, -45.0), motion_width(radius))
    flakes = np.floor(fallen + 0.5)[..., None] / 255
    x = image[0] / 255
    grey = (x @ [0.299, 0.587, 0.114])[..., None]
    pale = share * x + (1 - share) * np.maximum(x, grey * 1.5 + 0.5)
    expected = (np.clip(pale + flakes + flakes[::-1, ::-1], 0, 1) * 255).astype(np.uint8)
    result = corrupt(image, "snow", severity, seed=5)[0]
    assert np.abs(result.astype(int) - expected).max() <= 1


def plain_cloud(size, decay, uniform):
    """Diamond-square over whole grids; ``uniform`` gives each level's numbers for squares and both diamonds."""
    field = np.zeros((size, size))
    step, amplitude = size, 100.0
    while step >= 2:
        half = step // 2
        corners = field[::step, ::step]
        squares = corners + np.roll(corners, -1, 0)
        squares = (squares + np.roll(squares, -1, 1)) / 4
        a, b, c = uniform(size // step)
        centres = squares + amplitude**2 * a
        field[half::step, half::step] = centres
        across = centres + np.roll(centres, 1, 0) + corners + np.roll(corners, -1, 1)
        along = centres + np.roll(centres, 1, 1) + corners + np.roll(corners, -1, 0)
        field[::step, half::step] = across / 4 + amplitude**2 * b
        field[half::step, ::step] = along / 4 + amplitude**2 * c
        step, amplitude = half, amplitude / decay
    return (field - field.min()) / (field.max() - field.min())


def test_the_cloud_against_whole_grids():
    state, copy = stream(1, 2, 3, 4), stream(1, 2, 3, 4)
    field = np.zeros((16, 16))
    cloud(state, field, 1.7)

    def uniform(count):
        squares = np.array([between(copy, -1.0, 1.0) for _ in range(count * count)]).reshape(count, count)
        both = np.array([between(copy, -1.0, 1.0) for _ in range(2 * count * count)]).reshape(count, count, 2)
        return squares, both[..., 0], both[..., 1]

    np.testing.assert_allclose(field, plain_cloud(16, 1.7, uniform), atol=1e-12)


@pytest.mark.parametrize("severity", [1, 5])
def test_fog_is_added_as_published(make_images, severity):
    image = make_images(1, 32, 32, seed=9)
    amount, decay = constants("fog", severity, 32, 32)
    field = np.zeros((32, 32))
    cloud(key("fog", severity), field, decay)
    x = image[0] / 255
    expected = np.clip((x + amount * field[..., None]) * x.max() / (x.max() + amount), 0, 1) * 255
    result = corrupt(image, "fog", severity, seed=5)[0]
    assert np.abs(result.astype(int) - expected.astype(np.uint8)).max() <= 1


def test_fog_of_an_image_that_is_not_a_power_of_two(make_images):
    image = make_images(1, 40, 70, seed=9)
    assert corrupt(image, "fog", 3, seed=0).shape == (1, 40, 70, 3)
