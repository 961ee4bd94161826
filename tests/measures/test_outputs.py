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
