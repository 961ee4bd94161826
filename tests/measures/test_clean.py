import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.measures import clean


def plainly_correct(row, label, top):
    """The label is among the first ``top`` classes when sorted by logit, equals by index."""
    return label in sorted(range(len(row)), key=lambda c: (-row[c], c))[:top]


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 3))
def test_top_k_is_membership_in_the_sorted_list(seed, classes, top):
    top = min(top, classes)
    random = np.random.default_rng(seed)
    logits = random.integers(-2, 3, (20, classes)).astype(np.float32)  # few values: many ties
    labels = random.integers(0, classes, 20)
    expected = [plainly_correct(row, label, top) for row, label in zip(logits.tolist(), labels.tolist())]
    assert clean.correct(logits, labels, top=top).tolist() == expected
    assert clean.error(logits, labels, top=top) == pytest.approx(1 - np.mean(expected))


def test_top_one_is_argmax():
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(500, 10)), random.integers(0, 10, 500)
    assert clean.error(logits, labels) == np.mean(logits.argmax(axis=1) != labels)


def test_a_constant_model_gets_one_class_right():
    assert clean.error(np.zeros((10, 10)), np.arange(10)) == pytest.approx(0.9)


def test_no_answer_is_wrong():
    logits = np.array([[np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0], [1.0, 0.0]])
    assert clean.correct(logits, [0, 1, 0, 0]).tolist() == [False, False, False, True]
    assert clean.correct(logits, [0, 1, 0, 0], top=2).tolist() == [False, False, False, True]


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"top must be 1\.\.3"):
        clean.correct(np.zeros((2, 3)), [0, 1], top=4)
    with pytest.raises(InputError, match="0 rows"):
        clean.error(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(InputError, match="one integer for each of the 2"):
        clean.error(np.zeros((2, 3)), [0])
