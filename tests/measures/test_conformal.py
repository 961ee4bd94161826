import math

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import conformal


def logits_and_labels(count, seed=0, classes=8, strength=1.5):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes))
    logits[np.arange(count), labels] += strength
    return logits, labels


def slow(calibrating, evaluating, coverage):
    """By the definition, an image at a time: scores 1 - p(label), their quantile, the classes below it."""
    scores = []
    for row, label in zip(*calibrating):
        total = sum(math.exp(v) for v in row)
        scores.append(1 - math.exp(row[label]) / total)
    rank = math.ceil(round((len(scores) + 1) * coverage, 9))
    limit = sorted(scores)[rank - 1] if rank <= len(scores) else 1.0
    inside, sizes = [], []
    for row, label in zip(*evaluating):
        total = sum(math.exp(v) for v in row)
        chosen = [k for k, v in enumerate(row) if 1 - math.exp(v) / total <= limit + 1e-12]
        inside.append(label in chosen)
        sizes.append(len(chosen))
    return inside, sizes


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("count", [5, 9, 10, 200])
def test_the_plain_definition(count, coverage):
    calibrating, evaluating = logits_and_labels(count, 1), logits_and_labels(100, 2)
    reached = conformal.threshold(*calibrating, coverage=coverage)
    inside, sizes = conformal.sets(*evaluating, reached)
    expected = slow(calibrating, evaluating, coverage)
    assert inside.tolist() == expected[0]
    assert sizes.tolist() == expected[1]


def test_coverage_is_kept_on_average_and_not_under_another_kind_of_images():
    clean, other = [], []
    for seed in range(100):
        reached = conformal.threshold(*logits_and_labels(60, seed))
        clean.append(conformal.sets(*logits_and_labels(60, 1000 + seed), reached)[0].mean())
        other.append(conformal.sets(*logits_and_labels(60, 1000 + seed, strength=0.0), reached)[0].mean())
    assert np.mean(clean) == pytest.approx(0.9, abs=0.02)
    assert np.mean(clean) >= 0.89
    assert np.mean(other) < 0.8


def test_no_answer_has_an_empty_set_and_few_images_promise_nothing():
    logits, labels = logits_and_labels(5)
    assert conformal.threshold(logits[:3], labels[:3]) == 0.0
    assert conformal.sets(logits, labels, 0.0)[1].tolist() == [8] * 5
    logits[2] = np.nan
    inside, sizes = conformal.sets(logits, labels, 0.0)
    assert (inside[2], sizes[2]) == (False, 0)
    assert conformal.label_probabilities(logits, labels)[2] == 0
    with pytest.raises(InputError, match="coverage must be between 0 and 1"):
        conformal.threshold(logits, labels, coverage=1.0)
    with pytest.raises(InputError, match="at least one label"):
        conformal.threshold_of([])
