"""C-bar's patterns against plain NumPy forms with the same draws."""

import math

import numpy as np
import pytest

from ipmix.core.randomness import below, between, stream
from ipmix.corruptions import ALL_CORRUPTIONS, corrupt
from ipmix.corruptions.bar.patterns import draw_lattice, gradient_noise
from ipmix.corruptions.severities import constants
from ipmix.corruptions.task import VIEW

SHAPES = [(32, 32), (40, 27)]


def draws(name, severity):
    return stream(3, ALL_CORRUPTIONS.index(name) * 16 + severity, 0, VIEW)


def same(image, name, severity, expected):
    result = corrupt(image, name, severity, seed=3)[0]
    expected = np.clip(expected, 0, 255).astype(np.uint8)
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert (result != expected).mean() < 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_single_frequency(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("single_frequency_greyscale", 4)
    first = between(state, -math.pi, math.pi)
    second = between(state, -abs(first), abs(first))
    if below(state, 2) == 1:
        first, second = second, first
    phase = between(state, 0.0, 2 * math.pi)
    y, x = np.mgrid[: shape[0], : shape[1]]
    (level,) = constants("single_frequency_greyscale", 4, *shape)
    wave = np.sin(x * first + y * second + phase)
    same(image, "single_frequency_greyscale", 4, image[0] + 19.6 * level * wave[..., None])


@pytest.mark.parametrize("shape", SHAPES)
def test_rings(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("cocentric_sine_waves", 4)
    x0, y0 = between(state, 0.0, shape[1]), between(state, 0.0, shape[0])
    frequency = between(state, 0.0, 10.0)
    amplitude, ring = between(state, 0.0, min(shape) / 10), between(state, 0.0, min(shape) / 10)
    y, x = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot(x - x0, y - y0) + np.sin(np.arctan2(x - x0, y - y0) * frequency) * amplitude
    (level,) = constants("cocentric_sine_waves", 4, *shape)
    same(image, "cocentric_sine_waves", 4, image[0] + 12.8 * level * ((radius % ring) / ring - 0.5)[..., None])


@pytest.mark.parametrize("shape", SHAPES)
def test_plasma(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("plasma_noise", 2)
    time, rounds = between(state, 0.0, 6 * math.pi), 4 + below(state, 3)
    sharpness, scale = between(state, 0.5, 1.0), between(state, 0.075, 0.2) * min(shape)
    y, x = np.mgrid[: shape[0], : shape[1]] / scale
    i = np.array([1.0, 1.0, 1.0])
    for _ in range(rounds):
        r = np.stack([np.cos(y * i[0] + time / i[1]), np.sin(x * i[0] + time / i[1])]) / i[2]
        r = r + 0.3 * np.stack([-r[1], r[0]])
        x, y = x + r[0], y + r[1]
        i = i * [1.93, 1.15, 2.25 - sharpness]
    noise = np.stack([np.sin(x - time), np.sin((x + y + math.sin(time)) / 2), np.sin(y + time)], axis=2)
    intensity = 6.4 * constants("plasma_noise", 2, *shape)[0]
    same(image, "plasma_noise", 2, (1 - intensity / 255) * image[0] + intensity * noise)


def test_perlin_is_laid_as_published(make_images):
    image, state = make_images(1, 40, 27, seed=1), draws("perlin_noise", 3)
    order, gradients = np.empty(512, np.int64), np.empty((256, 2))
    draw_lattice(state, order, gradients)
    turbulence = np.zeros((40, 27))
    for octave in (1, 2, 4, 8, 16):
        for y, x in np.ndindex(40, 27):
            turbulence[y, x] += abs(gradient_noise(octave * y * 7 / 27, octave * x * 7 / 27, order, gradients)) / octave
    share = 0.05 * constants("perlin_noise", 3, 40, 27)[0]
    noise = np.clip(0.5 * turbulence + 0.5, 0, 1)[..., None]
    same(image, "perlin_noise", 3, (1 - share) * image[0] + 255 * share * noise)


def test_perlin_noise_itself():
    order, gradients = np.empty(512, np.int64), np.empty((256, 2))
    draw_lattice(stream(1, 2, 3, 4), order, gradients)
    np.testing.assert_array_equal(np.sort(order[:256]), np.arange(256))
    np.testing.assert_allclose(np.hypot(*gradients.T), 1)
    for y, x in ((0, 0), (3, 7), (300, 12)):
        assert gradient_noise(float(y), float(x), order, gradients) == 0, "zero on the lattice"
        # Near a lattice point it is the slope along that point's gradient.
        slope = gradients[order[order[y & 255] + (x & 255)]]
        step = 1e-5
        assert gradient_noise(y + step, float(x), order, gradients) == pytest.approx(1.5 * step * slope[0], rel=1e-3)
        assert gradient_noise(float(y), x + step, order, gradients) == pytest.approx(1.5 * step * slope[1], rel=1e-3)
    assert gradient_noise(2.999999, 5.5, order, gradients) == pytest.approx(
        gradient_noise(3.000001, 5.5, order, gradients), abs=1e-4
    )
