import math

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import calibration, comparing


def errors(*cells):
    """Errors of two runs on so many images: both right, only the second wrong, only the first wrong, both wrong."""
    right, second_wrong, first_wrong, wrong = cells
    first = np.repeat([0, 0, 1, 1], [right, second_wrong, first_wrong, wrong])
    second = np.repeat([0, 1, 0, 1], [right, second_wrong, first_wrong, wrong])
    return first.astype(float), second.astype(float)


def mcnemar(only_first, only_second):
    """Its exact two-sided p-value, by the plain sum."""
    total, least = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(total, k) for k in range(least + 1)) / 2**total)


@pytest.mark.parametrize("cells", [(40, 2, 14, 4), (100, 9, 11, 80), (10, 0, 6, 0)])
def test_the_test_of_errors_is_mcnemar_s(cells):
    found = comparing.difference_of_means(*errors(*cells), seed=1, samples=20_000)
    assert found.value == pytest.approx((cells[1] - cells[2]) / sum(cells))
    assert found.p == pytest.approx(mcnemar(cells[1], cells[2]), abs=0.012)


def test_two_runs_that_agree_on_every_image_are_not_certain_to_be_equal():
    first, second = errors(50, 0, 0, 10)
    found = comparing.difference_of_means(first, second, seed=0)
    assert found.value == 0
    assert found.p == 1
    half = 1.959964 * math.sqrt(1 / 62 / 62)  # Agresti and Min: two images that say the opposite of each other
    assert found.interval == pytest.approx((-half, half), abs=1e-6)
    assert comparing.difference_of_means(first, second, seed=0, bounds=None).interval is None


def test_a_change_on_every_image_is_decided():
    found = comparing.difference_of_means(*errors(0, 0, 60, 0), seed=0)
    assert found.value == -1
    assert found.interval[0] == pytest.approx(-1, abs=0.02)
    assert -1 < found.interval[1] < -0.9
    assert found.p < 0.001


def test_pairing_decides_what_two_intervals_can_t():
    """Hard images are hard for both: means of 0.5 and 0.46 on 60 images."""
    generator = np.random.default_rng(0)
    chances = generator.beta(0.5, 0.5, 60)
    first = generator.binomial(60, chances) / 60
    second = np.clip(first - 0.08 * (generator.random(60) < 0.6), 0, 1)
    found = comparing.difference_of_means(first, second, seed=0)
    assert found.interval[1] < 0
    assert found.p < 0.01
    shuffled = comparing.difference_of_means(first, generator.permutation(second), seed=0)
    assert shuffled.interval[0] < 0 < shuffled.interval[1], "the same numbers, unpaired"


def test_any_measure_can_be_compared():
    generator = np.random.default_rng(2)
    confidence = generator.uniform(0.4, 1.0, 300)
    correct = generator.random(300) < confidence
    sure = np.minimum(confidence + 0.25, 1.0)
    ece = calibration.expected_calibration_error
    found = comparing.difference(ece, (confidence, correct), (sure, correct), seed=0, samples=100)
    assert found.value == pytest.approx(ece(sure, correct) - ece(confidence, correct))
    assert found.interval[0] > 0
    assert found.p == pytest.approx(1 / 101)
    same = comparing.difference(ece, (confidence, correct), (confidence, correct), seed=0, samples=50)
    assert (same.value, same.interval, same.p) == (0, None, 1)


def slow_holm(p):
    """By its definition: the smallest is multiplied by how many there are, the next by one less; never falling."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    result = [0.0] * len(p)
    for rank, i in enumerate(order):
        result[i] = max(min(1.0, (len(p) - k) * p[order[k]]) for k in range(rank + 1))
    return result


def test_holm():
    assert comparing.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    for seed in range(20):
        p = np.random.default_rng(seed).random(7).tolist()
        assert comparing.holm(p) == pytest.approx(slow_holm(p))
    assert comparing.holm([]) == []


def test_other_images_are_refused():
    with pytest.raises(InputError, match="the same images"):
        comparing.difference_of_means(np.zeros(3), np.zeros(4), seed=0)
    with pytest.raises(InputError, match="the same images"):
        comparing.difference(np.mean, (np.zeros(3),), (np.zeros(4),), seed=0)
    with pytest.raises(InputError, match="1 of 3 images have no finite value"):
        comparing.difference_of_means(np.zeros(3), np.array([0, np.nan, 1]), seed=0)


@pytest.mark.parametrize(("only_first", "only_second"), [(0.01, 0.03), (0.10, 0.10), (0.0, 0.2)])
def test_coverage_and_false_alarms(only_first, only_second):
    """200 comparisons of two runs on 80 images: the intervals hold the truth, and equal runs are rarely told apart."""
    generator = np.random.default_rng(int(100 * only_first))
    truth, covered, decided, runs = only_second - only_first, 0, 0, 200
    for seed in range(runs):
        draw = generator.random(80)
        first = (draw < only_first).astype(float)
        second = ((draw >= only_first) & (draw < only_first + only_second)).astype(float)
        found = comparing.difference_of_means(first, second, seed=seed, samples=100)
        covered += found.interval[0] <= truth <= found.interval[1]
        decided += found.p < 0.05
    assert covered >= 0.9 * runs
    if truth == 0:
        assert decided <= 0.08 * runs
    if only_first == 0:
        assert decided >= 0.9 * runs, "and a real difference is found"
