"""The chaos game against a plain one, the stamp, the blur."""

import numpy as np
import pytest

from ipmix.core.randomness import Key
from ipmix.fractals import ifs, systems


@pytest.fixture
def game():
    maps = np.zeros((systems.MAPS_MOST, 6))
    count = systems.sample_contractive(Key(11).stream(), maps)
    table = np.empty(1 << systems.TABLE_BITS, np.uint8)
    systems.choices(maps, count, table)
    return maps, count, table


def test_the_chaos_game_has_the_density_of_a_plain_one(game):
    maps, count, table = game
    box = np.empty(4)
    assert systems.survey(Key(1).stream(), maps, table, box)
    window = np.array([box[0], box[1], box[2] - box[0], box[3] - box[1]])
    cells = np.zeros(16 * 16 + 1, np.uint64)
    ifs.chaos_game(Key(2).stream(), maps, table, 200_000, window, 16, cells)
    assert (cells >> ifs.COUNT_SHIFT).sum() == 200_000
    ours = (cells[:-1] >> ifs.COUNT_SHIFT).astype(float).reshape(16, 16)

    rng = np.random.default_rng(0)
    weights = np.bincount(table, minlength=count) / table.size
    plain = np.zeros((16, 16))
    x = y = 0.0
    for i in rng.choice(count, 60_000, p=weights):
        a, b, c, d, e, f = maps[i]
        x, y = a * x + b * y + e, c * x + d * y + f
        column, row = (x - window[0]) / window[2] * 16, (y - window[1]) / window[3] * 16
        if 0 <= column < 16 and 0 <= row < 16:
            plain[int(row), int(column)] += 1
    ours /= ours.sum()
    plain /= plain.sum()
    assert 0.5 * np.abs(ours - plain).sum() < 0.03
    assert 0.5 * np.abs(ours.T - plain).sum() > 0.2  # what an image lying on its side would give


def test_histories_are_means_of_the_maps_gone_through(game):
    maps, _, table = game
    cells = np.zeros(2, np.uint64)
    ifs.chaos_game(Key(2).stream(), maps, table, 40_000, np.array([-50.0, -50.0, 100.0, 100.0]), 1, cells)
    points = int(cells[0] >> ifs.COUNT_SHIFT)
    history = int(cells[0] & (ifs.ONE - np.uint64(1))) / points
    assert points == 40_000
    expected = table.astype(float).mean() * (ifs.HISTORIES - 1) / table.max()
    assert history == pytest.approx(expected, abs=12)


def test_stamp_is_a_convolution_by_the_patch():
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 1000, (9, 9)).astype(np.uint64)
    patch = rng.integers(0, 2, (3, 3))
    out = np.empty_like(cells)
    ifs.stamp(cells, patch, out)
    for y in range(9):
        for x in range(9):
            expected = 0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if patch[dy + 1, dx + 1] and 0 <= y - dy < 9 and 0 <= x - dx < 9:
                        expected += int(cells[y - dy, x - dx])
            assert out[y, x] == expected


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.0])
def test_blur_is_a_gaussian_with_repeated_edges(sigma):
    image = np.random.default_rng(1).integers(0, 256, (8, 11, 3)).astype(np.uint8)
    line = np.exp(-np.array([1.0, 0.0, 1.0]) / (2 * sigma**2))
    line /= line.sum()
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
    expected = sum(line[i] * line[j] * padded[i : i + 8, j : j + 11] for i in range(3) for j in range(3))
    got = image.copy()
    ifs.blur(got, sigma)
    assert np.abs(got - expected).max() <= 0.6
