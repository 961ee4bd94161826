import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.measures import calibration, outputs


def plain_rms(confidence, correct, last_bin):
    """Sorted, cut into hundreds, the rest joined to the last; one loop, nothing clever."""
    pairs = sorted(zip(confidence, correct), key=lambda pair: pair[0])
    bins = [pairs[100 * b : 100 * b + 100] for b in range(len(pairs) // 100)]
    bins[-1] = pairs[100 * (len(bins) - 1) :]
    total = 0.0
    for members in bins[:-1] if last_bin == "skip" else bins:
        mean_confidence = sum(c for c, _ in members) / len(members)
        accuracy = sum(bool(r) for _, r in members) / len(members)
        total += len(members) / len(pairs) * (mean_confidence - accuracy) ** 2
    return math.sqrt(total)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(100, 750), st.sampled_from(["count", "skip"]))
def test_rms_is_the_plain_loop(seed, count, last_bin):
    random = np.random.default_rng(seed)
    confidence = random.random(count)
    correct = random.random(count) < confidence**2
    result = calibration.rms_calibration_error(confidence, correct, last_bin=last_bin)
    assert result == pytest.approx(plain_rms(confidence, correct, last_bin), abs=1e-12)


@pytest.mark.parametrize(
    ("confidence", "count", "skip"),
    [
        (np.full(200, 0.9), 0.9, 0.6364),
        (np.full(150, 0.9), 0.9, 0.0),
        (np.linspace(0.1, 1.0, 10_000), 0.6083, 0.6001),
    ],
)
def test_rms_known_values_of_a_model_that_is_always_wrong(confidence, count, skip):
    wrong = np.zeros(confidence.size, bool)
    assert calibration.rms_calibration_error(confidence, wrong) == pytest.approx(count, abs=5e-5)
    assert calibration.rms_calibration_error(confidence, wrong, last_bin="skip") == pytest.approx(skip, abs=5e-5)


def test_rms_of_a_perfect_model_is_zero_and_order_does_not_matter():
    random = np.random.default_rng(3)
    confidence = np.repeat(np.arange(1, 10) / 10, 100)
    correct = np.concatenate([np.arange(100) < 10 * tenth for tenth in range(1, 10)])
    shuffled = random.permutation(confidence.size)
    assert calibration.rms_calibration_error(confidence, correct) == pytest.approx(0.0, abs=1e-12)
    assert calibration.rms_calibration_error(confidence[shuffled], correct[shuffled]) == pytest.approx(0.0, abs=1e-12)


def test_rms_needs_one_bin():
    with pytest.raises(InputError, match="at least 100 images"):
        calibration.rms_calibration_error(np.full(99, 0.5), np.ones(99, bool))


def test_nan_is_counted_and_placed():
    confidence = np.full(200, 0.5)
    confidence[[17, 40, 41]] = np.nan
    with pytest.raises(InputError, match="NaN for 3 of 200 images, the first at index 17"):
        calibration.rms_calibration_error(confidence, np.ones(200, bool))
    with pytest.raises(InputError, match="NaN for 1 of 2 images"):
        calibration.brier_score([[0.0, 1.0], [np.nan, 1.0]], [0, 1])


@pytest.mark.parametrize(
    ("confidence", "correct"),
    [([50.0] * 100, [1] * 100), ([0.5] * 100, [2] * 100), ([0.5] * 100, [1] * 99), ([], [])],
)
def test_bad_values_are_refused(confidence, correct):
    with pytest.raises(InputError):
        calibration.rms_calibration_error(confidence, correct)
    with pytest.raises(InputError):
        calibration.expected_calibration_error(confidence, correct)


def test_reliability_bins_by_hand():
    table = calibration.reliability([0.05, 0.5, 0.5, 0.51, 1.0, 0.0], [0, 1, 0, 1, 1, 1], bins=2)
    assert table.count.tolist() == [4, 2]
    assert table.confidence == pytest.approx([1.05 / 4, 1.51 / 2])
    assert table.accuracy == pytest.approx([0.5, 1.0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 20))
def test_ece_and_mce_are_the_plain_loop(seed, count, bins):
    random = np.random.default_rng(seed)
    confidence, correct = random.random(count), random.random(count) < 0.5
    gaps, sizes = [], []
    for b in range(bins):
        inside = [i for i in range(count) if min(max(math.ceil(confidence[i] * bins) - 1, 0), bins - 1) == b]
        if inside:
            gaps.append(abs(np.mean(confidence[inside]) - np.mean(correct[inside])))
            sizes.append(len(inside))
    ece = sum(g * s for g, s in zip(gaps, sizes)) / count
    assert calibration.expected_calibration_error(confidence, correct, bins=bins) == pytest.approx(ece, abs=1e-12)
    assert calibration.maximum_calibration_error(confidence, correct, bins=bins) == pytest.approx(max(gaps))


def test_brier_and_likelihood_are_their_formulas():
    random = np.random.default_rng(5)
    logits, labels = random.normal(size=(40, 7)), random.integers(0, 7, 40)
    probability = outputs.softmax(logits)
    brier = np.mean([np.sum((p - np.eye(7)[y]) ** 2) for p, y in zip(probability, labels)])
    likelihood = -np.mean([math.log(p[y]) for p, y in zip(probability, labels)])
    assert calibration.brier_score(logits, labels) == pytest.approx(brier)
    assert calibration.negative_log_likelihood(logits, labels) == pytest.approx(likelihood)
    assert calibration.brier_score([[1000.0, 0.0]], [1]) == pytest.approx(2.0)


def test_values_of_another_kind_are_refused():
    with pytest.raises(InputError, match="bin_size must be a whole number"):
        calibration.rms_calibration_error(np.full(200, 0.5), np.ones(200, bool), bin_size=1.5)
    with pytest.raises(InputError, match="bins must be a whole number from 1 to 16777216, got 1099511627776"):
        calibration.expected_calibration_error(np.full(200, 0.5), np.ones(200, bool), bins=2**40)
    with pytest.raises(InputError, match="last_bin must be"):
        calibration.rms_calibration_error(np.full(200, 0.5), np.ones(200, bool), last_bin=np.zeros(2))
    with pytest.raises(InputError, match="confidence must be numbers"):
        calibration.rms_calibration_error(["a"] * 200, np.ones(200, bool))
    with pytest.raises(InputError, match="two tables"):
        calibration.mean_rms_calibration_error(np.ones((200, 2)), np.ones((200, 3)))


# --- debiased ---------------------------------------------------------------------------------------------


def slow_debiased_rms(confidence, correct, size=100):
    """Bin by bin: the squared gap less the variance of the accuracy."""
    pairs = sorted(zip(confidence, correct), key=lambda pair: pair[0])
    starts = [size * i for i in range(len(pairs) // size)]
    total = 0.0
    for start, end in zip(starts, [*starts[1:], len(pairs)]):
        inside = pairs[start:end]
        accuracy = sum(c for _, c in inside) / len(inside)
        gap = sum(p for p, _ in inside) / len(inside) - accuracy
        total += len(inside) / len(pairs) * (gap**2 - accuracy * (1 - accuracy) / (len(inside) - 1))
    return max(0.0, total) ** 0.5


def slow_debiased_ece(confidence, correct, bins=15, draws=4000):
    """Twice the figure less the mean of the figures of resampled accuracies, as Kumar et al. simulate it."""
    random = np.random.default_rng(0)
    total = 0.0
    for i in range(bins):
        inside = [(p, c) for p, c in zip(confidence, correct) if i / bins < p <= (i + 1) / bins]
        if not inside:
            continue
        accuracy = sum(c for _, c in inside) / len(inside)
        gap = accuracy - sum(p for p, _ in inside) / len(inside)
        spread = (accuracy * (1 - accuracy) / len(inside)) ** 0.5
        again = np.mean(np.abs(random.normal(gap, spread, draws)))
        total += len(inside) / len(confidence) * (2 * abs(gap) - again)
    return max(0.0, total)


@pytest.mark.parametrize("shift", [0.0, 0.15])
def test_debiased_errors_are_the_plain_forms(shift):
    random = np.random.default_rng(3)
    confidence = random.uniform(0.3, 1.0, 430)
    correct = random.random(430) < confidence - shift
    assert calibration.debiased_rms_calibration_error(confidence, correct) == pytest.approx(
        slow_debiased_rms(confidence, correct)
    )
    assert calibration.debiased_expected_calibration_error(confidence, correct) == pytest.approx(
        slow_debiased_ece(confidence, correct), abs=0.002
    )


def test_debiasing_takes_away_what_chance_adds():
    random = np.random.default_rng(4)
    plain, debiased, rms, debiased_rms = [], [], [], []
    for _ in range(60):
        confidence = random.uniform(0.4, 1.0, 300)
        correct = random.random(300) < confidence
        plain.append(calibration.expected_calibration_error(confidence, correct))
        debiased.append(calibration.debiased_expected_calibration_error(confidence, correct))
        rms.append(calibration.rms_calibration_error(confidence, correct))
        debiased_rms.append(calibration.debiased_rms_calibration_error(confidence, correct))
    assert np.mean(debiased) < 0.7 * np.mean(plain)
    assert np.mean(debiased_rms) < 0.6 * np.mean(rms)
    confidence = np.full(2000, 0.9)
    correct = np.arange(2000) % 10 < 7
    assert calibration.debiased_expected_calibration_error(confidence, correct) == pytest.approx(0.2, abs=0.001)
    assert calibration.debiased_rms_calibration_error(confidence, correct) == pytest.approx(0.2, abs=0.01)
