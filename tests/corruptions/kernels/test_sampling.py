"""Fields of normal and uniform numbers."""

from statistics import NormalDist

import numpy as np

from ipmix.core.randomness import stream
from ipmix.corruptions.kernels.sampling import fill_normal, fill_uniform, normal_table


def test_normal_numbers():
    out = np.empty(4_000_000, np.float32)
    fill_normal(stream(1, 2, 3, 4), out, 0.0, 1.0, normal_table())
    assert abs(out.mean()) < 4 / np.sqrt(out.size)
    assert abs(out.var() - 1) < 5 * np.sqrt(2 / out.size)
    assert abs((out**4).mean() - 3) < 5 * np.sqrt(96 / out.size)
    for bound in (-3.0, -1.0, 0.3, 2.0, 4.0, 4.5):
        share = NormalDist().cdf(bound)
        error = np.sqrt(share * (1 - share) / out.size)
        assert abs((out < bound).mean() - share) < 5 * error + 1 / 131072


def test_tails_go_on_beyond_the_last_bin():
    out = np.empty(4_000_000, np.float32)
    fill_normal(stream(5, 6, 7, 8), out, 0.0, 1.0, normal_table())
    last = normal_table()[-1]
    beyond = (np.abs(out) > last).sum()
    assert abs(beyond - out.size * 2 / 65536) < 5 * np.sqrt(out.size * 2 / 65536)
    assert out.max() > 4.6


def test_mean_and_deviation():
    a, b = np.empty(1000, np.float32), np.empty(1000, np.float32)
    fill_normal(stream(1, 0, 0, 0), a, 0.0, 1.0, normal_table())
    fill_normal(stream(1, 0, 0, 0), b, 0.5, 0.2, normal_table())
    np.testing.assert_allclose(b, 0.5 + 0.2 * a, rtol=1e-5, atol=1e-6)


def test_uniform_numbers():
    out = np.empty(1_000_001, np.float32)
    fill_uniform(stream(1, 2, 3, 4), out, -1.0, 1.0)
    assert -1 <= out.min() < -0.9999
    assert 0.9999 < out.max() <= 1
    counts = np.histogram(out, 50, (-1, 1))[0]
    assert ((counts - out.size / 50) ** 2 / (out.size / 50)).sum() < 100
