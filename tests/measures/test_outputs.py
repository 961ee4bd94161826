import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ipmix.core.errors import InputError
from ipmix.measures import outputs

rows = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-50, 50, width=32))


@given(rows)
def test_softmax_is_the_definition(logits):
    for row, result in zip(logits, outputs.softmax(logits)):
        exponentials = [math.exp(float(x)) for x in row]
        assert result == pytest.approx([e / sum(exponentials) for e in exponentials], rel=1e-9, abs=1e-300)


@given(rows)
def test_confidence_and_prediction_are_softmax_s(logits):
    probability = outputs.softmax(logits)
    assert outputs.confidence(logits) == pytest.approx(probability.max(axis=1), rel=1e-12)
    assert np.array_equal(outputs.predicted(logits), logits.argmax(axis=1))


def test_huge_logits_do_not_overflow():
    assert outputs.softmax([[1e30, -1e30]]).tolist() == [[1.0, 0.0]]


def test_invalid_rows_are_told_apart():
    logits = np.array([[0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0], [-np.inf, 0.0], [-np.inf, -np.inf]])
    assert outputs.invalid(logits).tolist() == [False, True, True, False, True]
    assert outputs.predicted(logits).tolist() == [1, -1, -1, 1, -1]
    assert np.isnan(outputs.confidence(logits)).tolist() == [False, True, True, False, True]
    assert np.isnan(outputs.softmax(logits)[1]).all()


def test_restrict_keeps_the_given_order():
    assert outputs.restrict([[1.0, 2.0, 3.0]], [2, 0]).tolist() == [[3.0, 1.0]]


@pytest.mark.parametrize("classes", [[0, 3], [-1, 0], [1, 1], [1], [0.5, 1.0]])
def test_restrict_refuses_bad_columns(classes):
    with pytest.raises(InputError, match="classes must"):
        outputs.restrict(np.zeros((2, 3)), classes)


def test_labels_out_of_range_are_named():
    with pytest.raises(InputError, match=r"2 of 4 labels are outside 0\.\.2, the first at index 1 \(3\)"):
        outputs.as_labels([0, 3, 1, -1], 4, 3)


@pytest.mark.parametrize("logits", [np.zeros(3), np.zeros((2, 1)), np.zeros((2, 3), np.int64)])
def test_logits_have_a_shape_and_a_type(logits):
    with pytest.raises(InputError, match="logits must be"):
        outputs.as_logits(logits)


def test_probabilities_are_not_taken_for_logits():
    logits = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    probabilities = outputs.softmax(logits)
    for taken in (probabilities, probabilities.astype(np.float16), probabilities.round(3), np.eye(7)):
        with pytest.raises(InputError, match="probabilities, not logits"):
            outputs.refuse_probabilities(taken)
    nearly = probabilities.copy()
    nearly[4, 2] = np.nan
    for fine in (logits, np.log(probabilities), probabilities * 2, nearly, np.abs(logits)):
        outputs.refuse_probabilities(fine)


def test_the_likeliest_classes_of_no_answer_are_none():
    logits = np.array([[0.0, 3.0, 1.0], [np.nan, 3.0, 1.0], [2.0, 2.0, np.inf]])
    assert outputs.ranked(logits, 2).tolist() == [[1, 2], [-1, -1], [-1, -1]]


def test_what_scores_are_is_told_from_all_rows():
    random = np.random.default_rng(0)
    logits = random.normal(scale=2.0, size=(500, 6))
    exact = outputs.softmax(logits)
    assert outputs.kind_of_scores(logits) == "logits"
    assert outputs.kind_of_scores(np.maximum(logits, 0.0)) == "logits"  # a network that ends in a ReLU
    assert outputs.kind_of_scores(np.zeros((3, 4))) == "logits"
    assert outputs.kind_of_scores(exact.round(2)) == "probabilities"
    assert outputs.kind_of_scores((100 * exact).round()) in ("percent", None)
    assert outputs.kind_of_scores((100 * exact).round(1)) == "percent"
    mixed = np.where(np.arange(500)[:, None] < 300, exact, 3.0)
    assert outputs.kind_of_scores(mixed) is None
    assert outputs.kind_of_scores(random.random((50, 4))) is None
    exact[7], exact[8] = 0.0, np.nan
    assert outputs.kind_of_scores(exact) == "probabilities"


def test_probabilities_are_as_good_as_logits():
    logits = np.random.default_rng(0).normal(size=(20, 6))
    exact = outputs.softmax(logits)
    exact[3] = 0.0
    for probabilities in (exact, 100 * exact):
        again = outputs.logits_of_probabilities(probabilities)
        assert np.isnan(again[3]).all()
        np.testing.assert_allclose(np.delete(outputs.softmax(again), 3, 0), np.delete(outputs.softmax(logits), 3, 0))
    with pytest.raises(InputError, match="0 or more"):
        outputs.logits_of_probabilities(logits)
    with pytest.raises(InputError, match="sum to 1"):
        outputs.logits_of_probabilities(7 * exact)


@pytest.mark.parametrize("values", [["a"], [[1.0], [1.0, 2.0]], [object()], None])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(InputError, match="numbers"):
        outputs.as_numbers(["a"], "values")
    with pytest.raises(InputError, match="confidence"):
        outputs.as_confidence_and_correct(values, [True])
    with pytest.raises(InputError, match="logits"):
        outputs.as_logits(values)
