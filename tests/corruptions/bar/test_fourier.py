"""C-bar's spectral noises against the full complex transform."""

import numpy as np
import pytest

from ipmix.core.randomness import stream
from ipmix.corruptions import ALL_CORRUPTIONS, corrupt
from ipmix.corruptions.bar.fourier import PHASES, distance_squared, draw_phases
from ipmix.corruptions.severities import constants
from ipmix.corruptions.task import VIEW


def plain_noise(phases, amplitudes):
    """The public form: fill the plane, roll it by half, inverse transform, real part, deviation 1."""
    height, width = phases.shape
    plane = amplitudes * np.exp(2j * np.pi * phases / PHASES)
    plane = np.roll(plane, (height // 2, width // 2), axis=(0, 1))
    noise = np.fft.ifft2(plane).real
    return noise / noise.std()


def phase_planes(name, severity, shape, count):
    state = stream(3, ALL_CORRUPTIONS.index(name) * 16 + severity, 0, VIEW)
    counter, planes = state[0], []
    for _ in range(count):
        phases = np.empty(shape, np.int16)
        with np.errstate(over="ignore"):
            counter = np.uint64(draw_phases(phases, counter))
        planes.append(phases)
    return planes


@pytest.mark.parametrize("shape", [(32, 32), (31, 31), (40, 26), (27, 32)])
def test_brownish_noise(make_images, shape):
    image = make_images(1, *shape, seed=1)
    (level,) = constants("brownish_noise", 4, *shape)
    planes = phase_planes("brownish_noise", 4, shape, 3)
    noise = np.stack([plain_noise(p, 1 / (distance_squared(*shape) + 1)) for p in planes], axis=2)
    expected = np.clip(image[0] + 6.4 * level * noise, 0, 255).astype(np.uint8)
    assert np.abs(corrupt(image, "brownish_noise", 4, seed=3)[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("shape", [(32, 32), (31, 31)])
def test_blue_noise_sample(make_images, shape):
    image = make_images(1, *shape, seed=1)
    (level,) = constants("blue_noise_sample", 2, *shape)
    (phases,) = phase_planes("blue_noise_sample", 2, shape, 1)
    kept = plain_noise(phases, np.sqrt(distance_squared(*shape))) > 0.3 * level - 2.5
    result = corrupt(image, "blue_noise_sample", 2, seed=3)[0]
    assert (result != image[0] * kept[..., None]).any(axis=2).mean() < 0.002


def test_phases_are_mirrored():
    (even,) = phase_planes("brownish_noise", 1, (20, 30), 1)
    np.testing.assert_array_equal(even, even[::-1, ::-1])
    (odd,) = phase_planes("brownish_noise", 1, (21, 31), 1)
    np.testing.assert_array_equal(odd, odd[::-1, ::-1])
    assert odd[10, 15] == 0
    assert 0 <= even.min() < even.max() < PHASES
