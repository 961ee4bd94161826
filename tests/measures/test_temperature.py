import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import calibration, clean, temperature


def calibrated(count=3000, classes=5, seed=0):
    """Logits whose softmax is true: labels are drawn from it."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, classes)) * 2
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (share.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return logits, labels


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_it_is_the_best_of_a_plain_search(factor):
    logits, labels = calibrated()
    logits = logits * factor
    grid = np.geomspace(0.1, 10, 2001)
    losses = [calibration.negative_log_likelihood(logits / t, labels) for t in grid[::20]]
    coarse = grid[::20][int(np.argmin(losses))]
    near = grid[(grid > coarse / 1.06) & (grid < coarse * 1.06)]
    best = near[int(np.argmin([calibration.negative_log_likelihood(logits / t, labels) for t in near]))]
    found = temperature.fit_temperature(logits, labels)
    assert found == pytest.approx(best, rel=0.003)
    assert found == pytest.approx(factor, rel=0.1)
    # and a temperature beside it is worse: what the check would notice
    loss = calibration.negative_log_likelihood(temperature.scaled(logits, found), labels)
    for other in (0.9 * found, 1.1 * found):
        assert calibration.negative_log_likelihood(temperature.scaled(logits, other), labels) > loss


def test_answers_stay_and_ends_are_ends():
    logits, labels = calibrated(200)
    assert np.array_equal(clean.correct(logits, labels), clean.correct(temperature.scaled(logits, 3.0), labels))
    right = np.eye(5)[labels]
    assert temperature.fit_temperature(right, labels) == pytest.approx(temperature.LOW)
    assert temperature.fit_temperature(right, (labels + 1) % 5) == pytest.approx(temperature.HIGH)
    ruled_out = logits.copy()
    ruled_out[:, 0][labels != 0] = -np.inf
    assert np.isfinite(temperature.fit_temperature(ruled_out, labels))


def test_what_has_no_temperature():
    logits, labels = calibrated(10)
    with pytest.raises(InputError, match="at least 2 images"):
        temperature.fit_temperature(logits[:1], labels[:1])
    logits[3] = np.nan
    with pytest.raises(InputError, match="1 of 10 images have no answer"):
        temperature.fit_temperature(logits, labels)
    with pytest.raises(InputError, match="above 0"):
        temperature.scaled(logits, 0.0)
