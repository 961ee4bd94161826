"""C-bar's warps against SciPy's interpolation at places from plain NumPy."""

import math

import numpy as np
import pytest
from scipy import ndimage

from ipmix.core.randomness import below, between, stream
from ipmix.corruptions import ALL_CORRUPTIONS, corrupt
from ipmix.corruptions.bar import warp
from ipmix.corruptions.severities import constants
from ipmix.corruptions.task import VIEW

SHAPES = [(32, 32), (30, 41)]


def draws(name, severity):
    return stream(3, ALL_CORRUPTIONS.index(name) * 16 + severity, 0, VIEW)


def sample(image, places):
    """Bilinear, 0 outside the image (between the last pixel and the next too)."""
    padded = np.pad(image.astype(float), ((2, 2), (2, 2), (0, 0)))
    places = [np.clip(p, -2, n + 1) + 2 for p, n in zip(places, image.shape)]
    return np.stack([ndimage.map_coordinates(padded[..., c], places, order=1) for c in range(image.shape[2])], axis=2)


@pytest.mark.parametrize("shape", SHAPES)
def test_ripple(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("ripple", 5)
    wave = np.array([between(state, 0.1, 0.3), between(state, 0.1, 0.3)]) * min(shape)
    phase = [between(state, 0.0, 2 * math.pi), between(state, 0.0, 2 * math.pi)]
    amplitude = 0.0025 * constants("ripple", 5, *shape)[0] * min(shape)
    grid = np.mgrid[: shape[0], : shape[1]].astype(float)
    places = [g + amplitude * np.sin(2 * np.pi * g / w + p) for g, w, p in zip(grid, wave, phase)]
    expected = np.clip(sample(image[0], places), 0, 255).astype(np.uint8)
    assert np.abs(corrupt(image, "ripple", 5, seed=3)[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_pinch_and_twirl(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("pinch_and_twirl", 4)
    (level,) = constants("pinch_and_twirl", 4, *shape)
    rows, columns = shape[0] // 3, shape[1] // 3
    radius, amount = min(rows, columns) / 2, 0.04 * level + 0.1
    expected = image[0].astype(np.float32)
    for column in range(3):
        for row in range(3):
            angle = level * math.pi / 20 * (1 if below(state, 2) == 1 else -1)
            top, left = row * rows, column * columns
            y, x = np.mgrid[top : top + rows, left : left + columns].astype(float)
            dy, dx = y - top - rows / 2, x - left - columns / 2
            distance = np.hypot(dy, dx)
            inside = (distance <= radius) & (np.round(distance, 3) > 0)
            share = np.where(inside, distance / radius, 1.0)
            stretch = np.sin(np.pi / 2 * share) ** -amount
            turn = angle * (1 - share) ** 2
            y = np.where(inside, y - dy + stretch * (dy * np.cos(turn) - dx * np.sin(turn)), y)
            x = np.where(inside, x - dx + stretch * (dy * np.sin(turn) + dx * np.cos(turn)), x)
            expected[top : top + rows, left : left + columns] = sample(expected, (y, x))
    result = corrupt(image, "pinch_and_twirl", 4, seed=3)[0]
    assert np.abs(result.astype(int) - np.clip(expected, 0, 255).astype(np.uint8)).max() <= 1


def plain_bend(down, right, lens):
    """Snell's law with vectors: a ray from above, index 4."""
    normal = np.array([down, right, 1.0]) / math.sqrt(down**2 + right**2 + 1)
    ray = np.array([0.0, 0.0, 1.0])
    if normal @ ray >= 0.999:
        return np.zeros(2)
    angle = math.asin(math.sin(math.acos(normal @ ray)) / 4)
    spectator = np.cross(ray, normal)
    spectator /= np.linalg.norm(spectator)
    out = math.cos(angle) * normal + math.sin(angle) * np.cross(normal, spectator)
    return np.round(out[:2] * lens, 3)


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.01, 0.02), (0.3, -0.2), (-1.5, 0.4)])
def test_refraction_at_one_point(slope):
    np.testing.assert_allclose(warp.bend(*slope, 12.0), plain_bend(*slope, 12.0), atol=1.1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_caustic_refraction(make_images, shape):
    image, state = make_images(1, *shape, seed=1), draws("caustic_refraction", 3)
    time, size = between(state, 0.5, 2.0), between(state, 0.75, 1.25) * min(shape)
    (level,) = constants("caustic_refraction", 3, *shape)
    p = (np.mgrid[: shape[0], : shape[1]] / size % 1) * 6.28318530718 - 250
    i, total = p.copy(), np.ones(shape)
    for n in range(5):
        t = time * (1 - 3.5 / (n + 1))
        i = p + np.stack([np.cos(t - i[0]) + np.sin(t + i[1]), np.sin(t - i[1]) + np.cos(t + i[0])])
        total += 1 / np.hypot(p[0] * 0.005 / np.sin(i[0] + t), p[1] * 0.005 / np.cos(i[1] + t))
    light = np.clip(np.abs(1.17 - (total / 5) ** 1.4) ** 8, 0, 1)
    light = np.pad(ndimage.gaussian_filter(light, 1), 1)
    down, right = light[2:, 1:-1] - light[:-2, 1:-1], light[1:-1, 2:] - light[1:-1, :-2]
    shift = np.array([[plain_bend(a, b, 0.05 * level * min(shape)) for a, b in zip(r, s)] for r, s in zip(down, right)])
    places = np.mgrid[: shape[0], : shape[1]] + shift.transpose(2, 0, 1)
    lit = sample(image[0], places) / 255 + 0.2 * level * (down - right)[..., None]
    expected = (np.clip(lit, 0, 1) * 255).astype(np.uint8)
    result = corrupt(image, "caustic_refraction", 3, seed=3)[0]
    assert (np.abs(result.astype(int) - expected) > 1).mean() < 0.002
