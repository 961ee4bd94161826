"""The noises' laws against simulation with NumPy, and the sampler against its law."""

import numpy as np
import pytest

from ipmix.corruptions import corrupt
from ipmix.corruptions.common import noise


def law_of(tables):
    """The probabilities that alias tables stand for."""
    threshold, alias = tables
    keep = np.where(threshold == 65535, 65536, threshold.astype(float)) / 65536 / 256
    chances = keep.copy()
    for row in range(256):
        np.add.at(chances[row], alias[row], 1 / 256 - keep[row])
    return chances


SIMULATIONS = {
    "gaussian": (noise.gaussian_law, 0.12, lambda rng, x, c: x + rng.normal(0, c, x.shape)),
    "shot": (noise.poisson_law, 25.0, lambda rng, x, c: rng.poisson(x * c) / c),
    "speckle": (noise.speckle_law, 0.35, lambda rng, x, c: x + x * rng.normal(0, c, x.shape)),
}


@pytest.mark.parametrize("kind", SIMULATIONS)
@pytest.mark.parametrize("level", [0, 3, 128, 200, 255])
def test_laws_against_simulation(kind, level):
    make, constant, simulate = SIMULATIONS[kind]
    chances = law_of(make(constant))[level]
    assert chances.sum() == pytest.approx(1, abs=1e-9)
    count = 400_000
    x = np.full(count, level / 255.0)
    drawn = (np.clip(simulate(np.random.default_rng(level), x, constant), 0, 1) * 255).astype(np.uint8)
    seen = np.bincount(drawn, minlength=256) / count
    # The largest gap between two cumulative curves: beyond 1.95 / sqrt(n) once in a thousand times.
    assert np.abs(np.cumsum(seen) - np.cumsum(chances)).max() < 1.95 / np.sqrt(count)


def test_the_check_sees_a_wrong_law():
    wrong = law_of(noise.gaussian_law(0.125))[128]
    right = law_of(noise.gaussian_law(0.12))[128]
    assert np.abs(np.cumsum(wrong) - np.cumsum(right)).max() > 1.95 / np.sqrt(400_000)


def test_gaussian_law_is_the_integral_of_the_density():
    chances = law_of(noise.gaussian_law(0.1))
    grid = (np.arange(0, 1, 1e-3) + 5e-4)[:, None] + np.arange(256)
    density = np.exp(-0.5 * ((grid - 90) / 25.5) ** 2).mean(axis=0) / (25.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(chances[90, 1:255], density[1:255], atol=1e-6)


def test_sampling_follows_the_law():
    level, tables = 100, noise.poisson_law(12.0)
    images = np.full((4, 200_001), level, np.uint8)
    out = np.empty_like(images)
    noise.resample(images, out, np.arange(4), np.int64(3), np.int64(9), *tables)
    seen = np.bincount(out.ravel(), minlength=256) / out.size
    assert np.abs(np.cumsum(seen) - np.cumsum(law_of(tables)[level])).max() < 1.95 / np.sqrt(out.size)


def test_neighbours_are_independent():
    images = np.full((1, 256, 256, 3), 128, np.uint8)
    change = corrupt(images, "gaussian_noise", 2, seed=5)[0].astype(float) - 128
    change -= change.mean()
    for shifted in (np.roll(change, 1, 0), np.roll(change, 1, 1), np.roll(change, 1, 2)):
        assert abs((change * shifted).mean() / change.var()) < 5 / np.sqrt(change.size)


def test_impulse_noise_by_hand():
    images = np.full((1, 400, 400, 1), 77, np.uint8)
    changed = corrupt(images, "impulse_noise", 5, seed=0)
    shares = [(changed == value).mean() for value in (0, 77, 255)]
    assert shares == pytest.approx([0.135, 0.73, 0.135], abs=0.005)


def test_black_stays_black_under_multiplied_noise():
    black = np.zeros((1, 16, 16, 3), np.uint8)
    for name in ("speckle_noise", "shot_noise"):
        assert (corrupt(black, name, 5, seed=0) == 0).all()
