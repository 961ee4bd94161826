"""The paragraph about growth says what the figures say."""

import numpy as np
import pytest
from benchmarks.growth import summary
from benchmarks.results import Curve


def test_the_paragraph_has_the_figures() -> None:
    curves = [
        Curve(
            "side", "pixels a side", {"uint8": [(16, 1e9 / 16**2 / 4), (64, 1e9 / 64**2 / 2)], "yardstick": [(16, 1)]}
        ),
        Curve("k", "k", {"32x32": [(k, 1e6 / (1.5 + 0.75 * k)) for k in (1, 2, 4)]}),
        Curve("batch", "images a call", {"32x32": [(1, 20.0), (8, 80.0), (32, 95.0), (64, 100.0)]}),
        Curve("threads", "threads", {"32x32": [(1, 100.0), (2, 190.0)]}),
    ]
    said = summary(curves)
    assert "between 2.00 ns (at 64x64) and 4.00 ns (at 16x16)" in said
    assert f"to the power of {2 + np.log(2 / 4) / np.log(4):.2f}" in said
    assert "each further chain (k) adds 0.75 us to a base of 1.50 us" in said
    assert "32 images a call reach 90 %" in said
    assert "reaches 20%" in said
    assert "1: 1.00, 2: 1.90" in said
    assert "yardstick" not in said


@pytest.mark.parametrize("changed", [95.0, 180.0])
def test_other_figures_say_something_else(changed: float) -> None:
    curve = Curve("threads", "threads", {"32x32": [(1, 100.0), (2, changed)]})
    assert f"2: {changed / 100:.2f}" in summary([curve])
    assert "2: 1.90" not in summary([curve])
