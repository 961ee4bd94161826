"""Walks side by side against walks one by one, to the bit."""

import numpy as np
import pytest

from ipmix.core.randomness import Key
from ipmix.fractals import ifs, systems, walking
from ipmix.fractals.systems import MAPS_MOST, TABLE_BITS


def play(seed, rounds, width, height, side_by_side, plain=False):
    maps = np.zeros((MAPS_MOST, 6))
    draw = systems.sample_plain if plain else systems.sample_contractive
    count = draw(Key(seed).stream(), maps)
    table = np.empty(1 << TABLE_BITS, np.uint8)
    systems.choices(maps, count, table)
    m = np.empty((MAPS_MOST, 6))
    # A window that cuts the fractal on all sides.
    ifs.to_pixels(maps, np.array([-0.7, -0.6, 1.3, 1.1]), width, height, m)
    own = np.arange(MAPS_MOST).astype(np.uint64) * np.uint64(140)
    cells = np.zeros(width * height + 1, np.uint64)
    state = Key(seed).stream()
    start = systems.fixed_point(m, 0)
    if side_by_side:
        together(rounds, state, table, np.ascontiguousarray(m.T), own, *start, width, height, cells)
    else:
        ifs._walk_plainly(rounds, state, table, m, own, *start, width, height, cells)
    return cells, state


@ifs.compiled
def together(rounds, state, table, maps, own, x, y, width, height, cells):
    walking.walk(rounds, state, table, maps, own, x, y, width, height, ifs.ONE, cells)


@pytest.mark.skipif(not walking.PERMUTES, reason="this processor has no AVX-512: walks go one by one")
@pytest.mark.parametrize(("width", "height"), [(64, 64), (48, 31), (1, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_walks_side_by_side_equal_walks_one_by_one(seed, width, height):
    (ours, state), (expected, plain_state) = (play(seed, 3000, width, height, side) for side in (True, False))
    np.testing.assert_array_equal(ours, expected)
    assert state == plain_state
    if width == 64:
        assert 0 < int(ours[-1] >> ifs.COUNT_SHIFT) < 12_000  # some of the points lie outside


@pytest.mark.skipif(not walking.PERMUTES, reason="this processor has no AVX-512: walks go one by one")
def test_points_that_run_away_land_outside():
    # FractalDB's systems need not contract: some points end as infinities or as no numbers at all.
    for seed in range(6):
        (ours, _), (expected, _) = (play(seed, 4000, 32, 32, side, plain=True) for side in (True, False))
        np.testing.assert_array_equal(ours, expected)


def test_another_stream_gives_another_image():
    assert not np.array_equal(play(0, 500, 32, 32, False)[0], play(1, 500, 32, 32, False)[0])
