"""Sampling systems of maps: the invariants of the singular values, jitter, choices, filling rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.randomness import Key
from ipmix.fractals import systems


def draw_values(seed, count, alpha):
    values = np.full((systems.MAPS_MOST, 2), np.nan)
    systems.sample_singular_values(Key(seed).stream(), count, alpha, values)
    return values[:count]


@given(st.integers(0, 10**6), st.integers(2, 8), st.floats(0.001, 0.999))
def test_singular_values_keep_their_invariants(seed, count, share):
    alpha = 3.0 * count * share
    values = draw_values(seed, count, alpha)
    s1, s2 = values.T
    assert np.all((s2 >= -1e-12) & (s2 <= s1 + 1e-12) & (s1 <= 1 + 1e-12))
    assert np.sum(s1 + 2 * s2) == pytest.approx(alpha)


def test_the_invariants_can_fail():
    # The same draw without the bound from below (what must be spent so that the rest can hold the remainder).
    rng = np.random.default_rng(0)
    broken = 0
    for _ in range(200):
        left = 8.0
        for _ in range(2):
            s1 = rng.uniform(0, min(1, left))
            left -= s1
            s2 = rng.uniform(0, min(s1, left / 2))
            left -= 2 * s2
        broken += left > 3  # the third map can hold 3 at most
    assert broken > 50


@pytest.mark.parametrize("seed", range(30))
def test_contractive_systems(seed):
    maps = np.zeros((systems.MAPS_MOST, 6))
    count = systems.sample_contractive(Key(seed).stream(), maps)
    assert 2 <= count <= 4
    alpha = 0.0
    for a, b, c, d, e, f in maps[:count]:
        s1, s2 = np.linalg.svd([[a, b], [c, d]], compute_uv=False)
        assert s1 <= 1 + 1e-9
        assert systems.largest_singular_value(a, b, c, d) == pytest.approx(s1)
        assert abs(e) <= 1
        assert abs(f) <= 1
        alpha += s1 + 2 * s2
    assert (5 + count) / 2 <= alpha <= (6 + count) / 2


@pytest.mark.parametrize("seed", range(30))
def test_jitter_scales_one_map_and_keeps_it_contractive(seed):
    maps = np.zeros((systems.MAPS_MOST, 6))
    state = Key(seed).stream()
    count = systems.sample_contractive(state, maps)
    before = maps.copy()
    changed = systems.jitter(state, maps, count)
    rows = np.flatnonzero((maps != before).any(axis=1))
    assert len(rows) == (1 if changed else 0)
    for row in rows:
        factors = maps[row] / before[row]
        np.testing.assert_allclose(factors, factors[0])
        assert 0.8 <= factors[0] <= 1.1
        assert np.linalg.norm(maps[row, :4].reshape(2, 2), 2) <= 1 + 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_maps_are_chosen_in_proportion_to_their_determinants(seed):
    maps = np.zeros((systems.MAPS_MOST, 6))
    count = systems.sample_contractive(Key(seed).stream(), maps)
    table = np.empty(1 << systems.TABLE_BITS, np.uint8)
    systems.choices(maps, count, table)
    weights = np.abs(maps[:count, 0] * maps[:count, 3] - maps[:count, 1] * maps[:count, 2])
    got = np.bincount(table, minlength=count)
    assert got.min() >= 1
    np.testing.assert_allclose(got / table.size, weights / weights.sum(), atol=(count + 1) / table.size)


def test_fixed_point():
    maps = np.zeros((systems.MAPS_MOST, 6))
    systems.sample_contractive(Key(5).stream(), maps)
    x, y = systems.fixed_point(maps, 1)
    a, b, c, d, e, f = maps[1]
    assert (a * x + b * y + e, c * x + d * y + f) == pytest.approx((x, y))


def test_filling_rate_of_a_full_square_and_of_a_line():
    square = np.zeros((systems.MAPS_MOST, 6))
    for i in range(4):  # four half-size copies tile the unit square
        square[i] = (0.5, 0, 0, 0.5, 0.5 * (i % 2), 0.5 * (i // 2))
    line = np.zeros((systems.MAPS_MOST, 6))
    for i in range(2):  # two half-size copies along the diagonal
        line[i] = (0.5, 0, 0, 0.5, 0.5 * i, 0.5 * i)
    table = np.empty(1 << systems.TABLE_BITS, np.uint8)
    systems.choices(square, 4, table)
    assert systems.filling_rate(Key(0).stream(), square, table) > 0.7
    systems.choices(line, 2, table)
    assert systems.filling_rate(Key(0).stream(), line, table) < 0.05


def test_a_system_that_runs_away_has_no_filling_rate():
    maps = np.zeros((systems.MAPS_MOST, 6))
    maps[0] = (1.5, 0, 0, 1.5, 1, 1)
    maps[1] = (1.4, 0, 0, 1.4, -1, 1)
    table = np.empty(1 << systems.TABLE_BITS, np.uint8)
    systems.choices(maps, 2, table)
    assert systems.filling_rate(Key(0).stream(), maps, table) == 0.0
