"""C-bar's sparkles, checkerboard and lines against plain loops with the same draws."""

import math

import numpy as np
import pytest

from ipmix.core.randomness import below, between, normal, stream, uniform
from ipmix.corruptions import ALL_CORRUPTIONS, corrupt
from ipmix.corruptions.bar.cover import trace_line
from ipmix.corruptions.severities import constants
from ipmix.corruptions.task import VIEW

SHAPES = [(32, 32), (29, 41)]


def draws(name, severity):
    return stream(3, ALL_CORRUPTIONS.index(name) * 16 + severity, 0, VIEW)


def star(shape, centre, rays, power):
    """The brightness of a star at every pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    dy, dx = y - centre[0], x - centre[1]
    place = (np.arctan2(dx, dy) + np.pi) / (2 * np.pi) * len(rays)
    ray = place.astype(int)
    along = place - ray
    rays = np.array(rays)
    here, after = rays[ray % len(rays)], rays[(ray + 1) % len(rays)]
    glow = ((here + along * (after - here)) ** 2 / (dy**2 + dx**2 + 1e-4)) ** power
    return np.clip((1 - (along - 0.5) ** 2) * glow, 0, 1)[..., None]


@pytest.mark.parametrize("shape", SHAPES)
def test_sparkles(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("sparkles", 4)
    radius = 0.01 * constants("sparkles", 4, *shape)[0] * min(shape)
    expected = image[0].astype(np.float32)
    for _ in range(5):
        centre = between(state, 0.0, shape[0]), between(state, 0.0, shape[1])
        rays = [max(1.0, radius + 0.25 * radius * normal(state)) for _ in range(50 + below(state, 150))]
        expected = (expected + star(shape, centre, rays, 1.0) * (255.0 - expected)).astype(np.float32)
    result = corrupt(image, "sparkles", 4, seed=3)[0]
    assert np.abs(result.astype(int) - np.clip(expected, 0, 255).astype(np.uint8)).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_sparkles(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("inverse_sparkles", 3)
    centre = between(state, 0.25, 0.75) * shape[0], between(state, 0.25, 0.75) * shape[1]
    radius = 0.25 * min(shape)
    rays = [radius + 0.25 * radius * normal(state) for _ in range(50 + below(state, 150))]
    power = 6.5 * constants("inverse_sparkles", 3, *shape)[0] / 50
    expected = np.clip(255 + star(shape, centre, rays, power) * (image[0] - 255.0), 0, 255).astype(np.uint8)
    assert np.abs(corrupt(image, "inverse_sparkles", 3, seed=3)[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_checkerboard(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("checkerboard_cutout", 5)
    angle, scale = between(state, 0.0, 2 * math.pi), max(between(state, 0.1, 0.25) * min(shape), 1.0)
    size = int(4 * max(shape) // scale)
    share = 0.1 * constants("checkerboard_cutout", 5, *shape)[0]
    chosen = np.array([[uniform(state) < share for _ in range(size)] for _ in range(size)])
    expected = image[0].copy()
    for y, x in np.ndindex(shape):
        row = (math.cos(angle) * y + math.sin(angle) * x) / scale
        column = (-math.sin(angle) * y + math.cos(angle) * x) / scale
        if int(row % 2) == int(column % 2) and chosen[int(row), int(column)]:
            expected[y, x] = 128
    np.testing.assert_array_equal(corrupt(image, "checkerboard_cutout", 5, seed=3)[0], expected)


def test_lines_by_hand():
    places, values = np.empty((400, 2), np.int64), np.empty(400)
    count = trace_line(2, 1, 2, 6, 10, 10, places, values)
    drawn = {tuple(place): value for place, value in zip(places[:count].tolist(), values[:count]) if value > 0}
    assert drawn == {(2, column): 1.0 for column in range(1, 7)}
    count = trace_line(1, 1, 5, 5, 10, 10, places, values)
    on = {tuple(place) for place, value in zip(places[:count].tolist(), values[:count]) if value > 0.99}
    assert on == {(k, k) for k in range(1, 6)}
    assert trace_line(-9, -9, -2, -5, 10, 10, places, values) == 0, "outside there is nothing"
    assert trace_line(3, 3, 3, 3, 10, 10, places, values) == 1


def test_a_line_is_one_pixel_wide_on_average():
    places, values = np.empty((400, 2), np.int64), np.empty(400)
    for end in ((29, 8), (5, 28), (17, 30)):
        count = trace_line(1, 1, *end, 32, 32, places, values)
        image = np.zeros((32, 32))
        for (row, column), value in zip(places[:count], values[:count]):
            image[row, column] = value
        long_side = max(abs(end[0] - 1), abs(end[1] - 1))
        across = image.sum(axis=0 if abs(end[1] - 1) == long_side else 1)
        assert across[3:20].min() > 0.5
        assert across.max() < 2.0


def test_lines_draw_towards_grey(make_images):
    image = make_images(1, 32, 32, seed=1)
    for severity in (1, 5):
        result = corrupt(image, "lines", severity, seed=0)[0]
        low, high = np.minimum(image[0], 128), np.maximum(image[0], 128)
        assert ((result.astype(int) + 5 >= low) & (result <= high)).all(), "cut off at each line"
        assert (result != image[0]).any(axis=2).mean() > 0.02 * severity
