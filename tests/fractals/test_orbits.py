"""Escape counts, interiors and trap values against a plain loop, for every formula and both precisions."""

import numpy as np
import pytest

from ipmix.fractals import orbits

CONIC = (0.7, 0.2, -0.4, 0.1, 0.3, -0.15)


def plain(z, c, formula, most):
    """(steps or -1, least |q(z)|) of one orbit."""
    trap = 1e9
    for step in range(most):
        if z.real**2 + z.imag**2 > orbits.BAILOUT:
            return step, trap
        match formula:
            case orbits.QUADRATIC:
                z = z * z + c
            case orbits.CUBIC:
                z = z * z * z + c
            case orbits.QUARTIC:
                z = (z * z) * (z * z) + c
            case orbits.TRICORN:
                z = z.conjugate() ** 2 + c
            case orbits.BURNING_SHIP:
                z = complex(abs(z.real), abs(z.imag)) ** 2 + c
        q = CONIC
        x, y = z.real, z.imag
        trap = min(trap, abs(q[0] * x * x + q[1] * x * y + q[2] * y * y + q[3] * x + q[4] * y + q[5]))
    return (most, trap) if z.real**2 + z.imag**2 > orbits.BAILOUT else (-1, trap)


def run(z, c, formula, most, dtype):
    n = len(z)
    buffer = np.zeros((orbits.FIELDS, n + 16), dtype)
    buffer[orbits.ZX, :n], buffer[orbits.ZY, :n] = z.real, z.imag
    buffer[orbits.CX, :n], buffer[orbits.CY, :n] = c.real, c.imag
    buffer[orbits.PIXEL, :n] = np.arange(n)
    counts, norms, traps = (np.full(n, np.nan, dtype) for _ in range(3))
    places = np.empty((2, n + 1), np.int32)
    conic = np.array([*CONIC, 1.0, orbits.BAILOUT], dtype)
    orbits.iterate(buffer, n, formula, most, dtype(1e-14), conic, places, counts, norms, traps)
    return counts, norms, traps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("formula", range(5))
def test_iterate_equals_a_plain_loop(formula, dtype):
    rng = np.random.default_rng(formula)
    z = rng.uniform(-1, 1, 500) + 1j * rng.uniform(-1, 1, 500)
    c = rng.uniform(-1.2, 0.6, 500) + 1j * rng.uniform(-0.9, 0.9, 500)
    counts, norms, traps = run(z, c, formula, 64, dtype)
    expected = [plain(complex(z[i]), complex(c[i]), formula, 64) for i in range(500)]
    steps = np.array([e[0] for e in expected])
    # Rounding can delay an orbit that is long near the boundary; nearly all are the same.
    assert np.mean(counts == steps) > (0.99 if dtype is np.float64 else 0.95)
    same = (counts == steps) & (steps >= 0) & (steps < 25)
    np.testing.assert_allclose(traps[same], np.array([e[1] for e in expected])[same], rtol=0.02, atol=1e-4)
    assert np.all(norms[counts >= 0] > orbits.BAILOUT)
    assert (steps >= 0).any()
    assert (steps < 0).any()


def test_formulas_differ():
    z = np.full(200, 0.1 + 0.2j)
    c = np.linspace(-1, 0.5, 200) + 0.61j
    results = [run(z, c, formula, 64, np.float64)[0] for formula in range(5)]
    for i in range(5):
        for j in range(i):
            assert not np.array_equal(results[i], results[j])


def test_a_settled_orbit_ends_early_with_the_same_trap():
    # c = -1 has the cycle 0, -1, 0, -1, ...: it never escapes, its trap value is known after a few steps.
    counts, _, traps = run(np.zeros(1, complex), np.array([-1 + 0j]), 0, 10_000, np.float64)
    assert counts[0] == -1
    assert traps[0] == pytest.approx(plain(0j, -1 + 0j, 0, 50)[1])
