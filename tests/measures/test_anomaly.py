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
