import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.measures import selective


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([3, 10_000]))
def test_the_curve_is_a_threshold_at_a_time(seed, count, levels):
    random = np.random.default_rng(seed)
    confidence, correct = random.integers(0, levels, count) / levels, random.random(count) < 0.7
    coverage, risk = selective.risk_coverage(confidence, correct)
    expected = []
    for threshold in sorted(set(confidence), reverse=True):
        answered = confidence >= threshold
        expected.append((answered.mean(), 1 - correct[answered].mean()))
    assert coverage == pytest.approx([c for c, _ in expected])
    assert risk == pytest.approx([r for _, r in expected])
    assert coverage[-1] == 1.0


def test_areas_by_hand():
    confidence, correct = [0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1]
    assert selective.area_under_risk_coverage(confidence, correct) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert selective.area_under_response_rate(confidence, correct) == pytest.approx(1 - 7 / 48)


def test_a_model_that_knows_when_it_is_wrong_does_better():
    right = np.arange(100) >= 20
    assert selective.area_under_risk_coverage(np.arange(100) / 100, right) < 0.05
    assert selective.area_under_risk_coverage(np.arange(100)[::-1] / 100, right) > 0.3


def test_points_on_the_curve():
    confidence, correct = [0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1]
    assert selective.coverage_at_risk(confidence, correct, 0.0) == 0.5
    assert selective.coverage_at_risk(confidence, correct, 0.25) == 1.0
    assert selective.coverage_at_risk([0.9], [0], 0.5) == 0.0
    assert selective.risk_at_coverage(confidence, correct, 0.75) == pytest.approx(1 / 3)
    with pytest.raises(InputError):
        selective.coverage_at_risk(confidence, correct, 2.0)
    with pytest.raises(InputError):
        selective.risk_at_coverage(confidence, correct, 0.0)
