"""The variations of flames by their names, against the paper's formulas."""

import math

import numpy as np
import pytest

from ipmix.fractals import escape_time, variations


def varied(code: int, x: float, y: float, weight: float = 1.0) -> tuple[float, float]:
    """One variation of one point, which stands at an even place."""
    out = np.zeros((2, 3))
    variations.vary(code, weight, 0, 1, np.array([x] * 3), np.array([y] * 3), out[0], out[1])
    assert not out[:, 1:].any(), "points beyond the last are left alone"
    return float(out[0, 0]), float(out[1, 0])


def test_names_are_in_the_order_of_their_codes() -> None:
    assert [getattr(variations, name.upper()) for name in variations.VARIATIONS] == list(range(19))
    assert [getattr(escape_time, name.upper()) for name in escape_time.TRAPS] == list(range(7))


@pytest.mark.parametrize(("x", "y"), [(0.3, 0.8), (-1.1, 0.4), (0.6, -0.2)])
def test_each_name_is_its_own_formula(x: float, y: float) -> None:
    """Draves and Reckase, appendix; theta is the angle from the y axis, so that its sine is x / r."""
    r, theta = math.hypot(x, y), math.atan2(x, y)
    expected = {
        "linear": (x, y),
        "sinusoidal": (math.sin(x), math.sin(y)),
        "spherical": (x / r**2, y / r**2),
        "swirl": (x * math.sin(r * r) - y * math.cos(r * r), x * math.cos(r * r) + y * math.sin(r * r)),
        "horseshoe": ((x - y) * (x + y) / r, 2 * x * y / r),
        "polar": (theta / math.pi, r - 1),
        "handkerchief": (r * math.sin(theta + r), r * math.cos(theta - r)),
        "heart": (r * math.sin(theta * r), -r * math.cos(theta * r)),
        "disc": (theta / math.pi * math.sin(math.pi * r), theta / math.pi * math.cos(math.pi * r)),
        "bent": (x if x >= 0 else 2 * x, y if y >= 0 else y / 2),
        "eyefish": (2 * x / (r + 1), 2 * y / (r + 1)),
        "bubble": (4 * x / (r * r + 4), 4 * y / (r * r + 4)),
        "cylinder": (math.sin(x), y),
        "exponential": (math.exp(x - 1) * math.cos(math.pi * y), math.exp(x - 1) * math.sin(math.pi * y)),
    }
    for name, values in expected.items():
        assert varied(getattr(variations, name.upper()), x, y) == pytest.approx(values, abs=2e-3), name
        halves = varied(getattr(variations, name.upper()), x, y, 0.5)
        assert halves == pytest.approx((values[0] / 2, values[1] / 2), abs=2e-3), name
