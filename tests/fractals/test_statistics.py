"""Spectral slope, entropy and colorfulness on images whose numbers are known."""

import numpy as np
import pytest

from ipmix.fractals import statistics


def noise_with_slope(slope, side=128):
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    f[0, 0] = 1
    return np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * f ** (slope / 2)).real


@pytest.mark.parametrize("slope", [0.0, -1.0, -2.0, -3.0])
def test_spectral_slope(slope):
    assert statistics.spectral_slope(noise_with_slope(slope)) == pytest.approx(slope, abs=0.2)


def test_entropy():
    assert statistics.entropy(np.full((8, 8), 9.0)) == 0.0
    assert statistics.entropy(np.arange(256.0).reshape(16, 16)) == pytest.approx(8.0)


def test_colorfulness():
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (16, 16, 1)), 3, axis=2).astype(float)
    assert statistics.colorfulness(grey) == 0.0
    half = np.zeros((2, 2, 3))
    half[0] = (255, 0, 0)
    half[1] = (0, 255, 0)
    # red-green: +-255, yellow-blue: 127.5 everywhere.
    assert statistics.colorfulness(half) == pytest.approx(255 + 0.3 * 127.5)


def test_structure_puts_them_together():
    image = np.random.default_rng(0).integers(0, 256, (64, 48, 3)).astype(np.uint8)
    got = statistics.structure(image)
    assert abs(got.slope) < 0.6
    assert got.entropy > 7
    assert 0.1 < got.contrast < 0.3
