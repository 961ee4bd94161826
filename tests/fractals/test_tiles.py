"""Tiles of Julia sets against the kernel that runs every orbit by itself, to the bit."""

import numpy as np
import pytest

from ipmix.fractals import orbits, tiles

CONIC = (0.7, 0.2, -0.4, 0.1, 0.3, -0.15)
MOST = 64


def both(z, c, formula, dtype):
    n = len(z)
    found = []
    conic = np.array([*CONIC, 1.0, orbits.BAILOUT], dtype)
    for tiled in (False, True):
        buffer = np.full((orbits.FIELDS, n + 16), np.nan, dtype)
        buffer[orbits.ZX, :n], buffer[orbits.ZY, :n] = z.real, z.imag
        buffer[orbits.CX, :n], buffer[orbits.CY, :n] = c.real, c.imag
        buffer[orbits.PIXEL, :n] = np.arange(n)
        fields = np.full((3, n), np.nan, dtype)
        if tiled:
            tiles.escape(buffer, n, formula, MOST, conic, *fields)
        else:
            places = np.empty((2, n + 1), np.int32)
            orbits.iterate(buffer, n, formula, MOST, dtype(0.0), conic, places, *fields)
        found.append(fields)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("formula", range(5))
@pytest.mark.parametrize("n", [1, 16, 333])
def test_tiles_equal_single_orbits(formula, dtype, n):
    z = np.random.default_rng(formula).uniform(-1.3, 1.3, (n, 2)) @ (1, 1j)
    # Inside of every formula's set, so that some orbits never escape.
    alone, tiled = both(z, -0.1 + 0.05j, formula, dtype)
    np.testing.assert_array_equal(alone, tiled)
    if n > 16:
        assert (alone[0] < 0).any()
        assert (alone[0] > 0).any()


def test_the_formulas_differ():
    z = np.linspace(-1.2, 1.2, 100) + 0.3j
    counts = [both(z, -0.5 + 0.4j, formula, np.float32)[1][0] for formula in range(5)]
    for i in range(5):
        for j in range(i):
            assert not np.array_equal(counts[i], counts[j])
