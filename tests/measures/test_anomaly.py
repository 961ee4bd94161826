import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.measures import anomaly

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the outside oracle")


@st.composite
def scored(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 60))
    levels = draw(st.sampled_from([3, 1000]))  # few levels: many equal scores
    anomalous = random.random(count) < 0.4
    assume(0 < anomalous.sum() < count)
    return random.integers(0, levels, count) / levels, anomalous


@given(scored())
def test_aupr_and_auroc_are_scikit_learn_s(case):
    score, anomalous = case
    assert anomaly.aupr(score, anomalous) == pytest.approx(metrics.average_precision_score(anomalous, score))
    assert anomaly.auroc(score, anomalous) == pytest.approx(metrics.roc_auc_score(anomalous, score))


@given(scored())
def test_auroc_is_the_chance_of_the_right_order(case):
    score, anomalous = case
    pairs = [float(a > k) + 0.5 * float(a == k) for a in score[anomalous] for k in score[~anomalous]]
    assert anomaly.auroc(score, anomalous) == pytest.approx(np.mean(pairs))


@given(scored())
def test_fpr95_is_the_first_threshold_that_finds_enough(case):
    score, anomalous = case
    for threshold in sorted(set(score), reverse=True):
        reported = score >= threshold
        if reported[anomalous].sum() >= 0.95 * anomalous.sum() - 1e-9:
            assert anomaly.fpr95(score, anomalous) == pytest.approx(reported[~anomalous].mean())
            return
    raise AssertionError("the lowest threshold finds all")


@given(scored())
def test_fpr95_of_the_known_is_the_first_threshold_that_keeps_enough(case):
    score, anomalous = case
    for threshold in sorted(set(score)):
        kept = score <= threshold
        if kept[~anomalous].sum() >= 0.95 * (~anomalous).sum() - 1e-9:
            assert anomaly.fpr95(score, anomalous, positive="known") == pytest.approx(kept[anomalous].mean())
            return
    raise AssertionError("the highest threshold keeps all")


@given(scored())
def test_fpr95_is_read_off_scikit_learns_curve(case):
    """As OpenOOD reads it, but with every threshold: scikit-learn may drop those on a straight line."""
    score, anomalous = case
    rates, found, _ = metrics.roc_curve(anomalous, score, drop_intermediate=False)
    assert anomaly.fpr95(score, anomalous) == pytest.approx(rates[np.argmax(found >= 0.95)])


def test_the_two_definitions_of_fpr95_by_hand():
    known, unknown = np.arange(20) / 20, np.array([0.97, 0.96, 0.96, 0.2])
    score, anomalous = np.concatenate([known, unknown]), np.arange(24) >= 20
    # All four unknown ones are found at 0.2 only: the known ones from 0.2 up are false alarms.
    assert anomaly.fpr95(score, anomalous) == pytest.approx(16 / 20)
    assert anomaly.fpr95(score, anomalous, recall=0.75) == 0
    # 19 known ones lie at or below 0.9, with one of the unknown.
    assert anomaly.fpr95(score, anomalous, positive="known") == pytest.approx(1 / 4)
    with pytest.raises(
        InputError, match='positive must be "anomalous" or "known", got "ood"'.replace('"ood"', "'ood'")
    ):
        anomaly.fpr95(score, anomalous, positive="ood")


def test_chance_is_the_share_of_anomalies():
    random = np.random.default_rng(0)
    anomalous = np.arange(12_000) < 2_000
    assert anomaly.aupr(random.random(12_000), anomalous) == pytest.approx(2_000 / 12_000, abs=0.01)


def test_the_positive_class_is_the_anomaly():
    score, anomalous = np.array([0.9, 0.8, 0.1, 0.2]), np.array([True, True, False, False])
    assert anomaly.aupr(score, anomalous) == 1.0
    assert anomaly.aupr(-score, anomalous) < 0.5


def test_scores_fall_with_confidence():
    logits = np.array([[5.0, 0.0], [0.1, 0.0], [np.nan, 0.0]])
    softmax, logit = anomaly.maximum_softmax_score(logits), anomaly.maximum_logit_score(logits)
    assert softmax[0] < softmax[1] <= -0.5
    assert logit[:2].tolist() == [-5.0, -0.1]
    assert np.isnan([softmax[2], logit[2]]).all()
    with pytest.raises(InputError, match="NaN for 1 of 3"):
        anomaly.aupr(softmax, [1, 0, 1])


@pytest.mark.parametrize("anomalous", [[1, 1], [0, 0], [1], [2, 0]])
def test_bad_input_is_refused(anomalous):
    with pytest.raises(InputError):
        anomaly.aupr([0.1, 0.2], anomalous)
