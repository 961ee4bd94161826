from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.core.errors import InputError
from ipmix.corruptions.severities import PERTURBATIONS_CIFAR, PERTURBATIONS_IMAGENET
from ipmix.measures import consistency


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(2, 9), st.sampled_from(["previous", "first"]))
def test_flip_rate_is_the_plain_loop(seed, count, frames, reference):
    predictions = np.random.default_rng(seed).integers(0, 3, (count, frames))
    rates = []
    for sequence in predictions.tolist():
        changed = [sequence[t] != (sequence[0] if reference == "first" else sequence[t - 1]) for t in range(1, frames)]
        rates.append(sum(changed) / len(changed))
    assert consistency.flip_rate(predictions, reference=reference) == pytest.approx(np.mean(rates))


def public_average(sequence, step, compare):
    """The public evaluation's loops: every ``step``-th frame from each of the first ``step``."""
    found = []
    for start in range(step):
        chosen = sequence[start::step]
        found += [compare(before, after) for before, after in pairwise(chosen)]
    return sum(found) / len(found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(4, 12), st.integers(1, 3))
def test_a_higher_difficulty_averages_over_all_offsets(seed, count, frames, difficulty):
    random = np.random.default_rng(seed)
    predictions = random.integers(0, 3, (count, frames))
    rates = [public_average(sequence, difficulty, lambda a, b: a != b) for sequence in predictions.tolist()]
    assert consistency.flip_rate(predictions, difficulty=difficulty) == pytest.approx(np.mean(rates))
    order = np.array([[random.permutation(9) for _ in range(frames)] for _ in range(count)])
    far = [public_average(sequence, difficulty, plain_top5_distance) for sequence in order.tolist()]
    assert consistency.top5_distance(order, difficulty=difficulty) == pytest.approx(np.mean(far))


def test_a_stride_from_one_offset_is_another_figure():
    sequence = np.array([[0, 1, 0, 1, 0, 2]])
    assert consistency.flip_rate(sequence[:, ::2]) == 0
    assert consistency.flip_rate(sequence, difficulty=2) == pytest.approx(1 / 4)
    assert consistency.flip_rate(sequence) == 1


@pytest.mark.parametrize("difficulty", [0, 4, -1, 1.5])
def test_a_difficulty_that_does_not_fit_is_refused(difficulty):
    with pytest.raises(InputError, match=r"difficulty must be in 1 \.\. 3, below the frames"):
        consistency.flip_rate([[0, 1, 0, 1]], difficulty=difficulty)
    with pytest.raises(InputError, match='with the reference "first" difficulty must be 1, got 2'):
        consistency.flip_rate([[0, 1, 0, 1]], reference="first", difficulty=2)


def test_the_reference_matters():
    sequence = [[0, 1, 1, 1]]
    assert consistency.flip_rate(sequence) == pytest.approx(1 / 3)
    assert consistency.flip_rate(sequence, reference="first") == pytest.approx(1.0)


def test_noise_is_compared_with_the_first_frame():
    assert [consistency.reference_of(n) for n in ("gaussian_noise", "shot_noise", "motion_blur", "tilt")] == [
        "first",
        "first",
        "previous",
        "previous",
    ]


def test_no_answer_is_a_flip():
    assert consistency.flip_rate([[-1, -1, -1]]) == 1.0
    assert consistency.flip_rate([[0, -1, 0, 0]]) == pytest.approx(2 / 3)


def test_means():
    rates, baseline = {"tilt": 0.1, "scale": 0.3}, {"tilt": 0.2, "scale": 0.2, "snow": 0.1}
    assert consistency.mean_flip_probability(rates) == pytest.approx(0.2)
    assert consistency.mean_flip_rate(rates, baseline) == pytest.approx((0.5 + 1.5) / 2)
    with pytest.raises(InputError, match="no flip rate for tilt"):
        consistency.mean_flip_rate(rates, {"scale": 0.1})
    with pytest.raises(InputError, match="fraction"):
        consistency.mean_flip_probability({"tilt": 3.0})
    with pytest.raises(InputError, match="empty"):
        consistency.mean_flip_probability({})


def test_no_answer_is_as_far_as_can_be_from_every_answer():
    order = np.array([[[0, 1, 2, 3, 4], [-1] * 5, [-1] * 5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]])
    assert consistency.top5_distances(order).tolist() == [[18, 18, 18, 0]]


@pytest.mark.parametrize("order", [np.full((1, 2, 5), np.nan), np.zeros((1, 2, 5)), [[["a"] * 5] * 2], [[[1], [1, 2]]]])
def test_an_order_of_classes_is_of_whole_numbers(order):
    with pytest.raises(InputError, match="order must be"):
        consistency.top5_distances(order)
    with pytest.raises(InputError, match="predictions must be"):
        consistency.flips(order)


def test_the_ten_of_a_benchmark_and_nothing_else():
    for ten in (PERTURBATIONS_CIFAR, PERTURBATIONS_IMAGENET):
        assert consistency.is_whole(ten)
        assert not consistency.is_whole(ten, 2)
        assert not consistency.is_whole(ten[:-1])
        assert not consistency.is_whole((*ten, "shear"))
    assert consistency.chosen_over(["tilt"]) == "over 1 perturbation"
    assert consistency.chosen_over(["tilt", "scale"], 3) == "over 2 perturbations, difficulty 3"


def plain_top5_distance(before, after):
    """The definition: for each place i = 1..5 of the reference, the steps j from there to its new place."""
    total = 0
    for i in range(1, 6):
        new = after.index(before[i - 1]) + 1
        for j in range(min(i, new) + 1, max(i, new) + 1):
            total += 1 <= j - 1 <= 5
    return total


@given(st.integers(0, 2**32 - 1), st.sampled_from(["previous", "first"]))
def test_top5_distance_is_the_definition(seed, reference):
    random = np.random.default_rng(seed)
    order = np.array([[random.permutation(9) for _ in range(4)] for _ in range(2)])
    distances = consistency.top5_distances(order, reference=reference)
    for sequence, found in zip(order.tolist(), distances.tolist()):
        for t in range(1, 4):
            before = sequence[0] if reference == "first" else sequence[t - 1]
            assert found[t - 1] == plain_top5_distance(before, sequence[t])


def test_top5_distance_by_hand():
    assert consistency.top5_distance([[[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]]) == 0
    assert consistency.top5_distance([[[0, 1, 2, 3, 4], [1, 0, 2, 3, 4]]]) == 2
    assert consistency.top5_distance([[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]]) == 15
    assert consistency.top5_distance([[[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]]) == 18


def test_the_farthest_is_what_all_orders_reach_at_most():
    after = np.array(list(permutations(range(10), 5)))
    frames = np.stack([np.broadcast_to(np.arange(5), after.shape), after], axis=1)
    assert consistency.top5_distances(frames).max() == consistency.FARTHEST


@pytest.mark.parametrize("predictions", [[0, 1], [[0]], [[0.5, 1.0]], np.zeros((0, 3), int)])
def test_bad_shapes_are_refused(predictions):
    with pytest.raises(InputError, match="predictions must be"):
        consistency.flip_rate(predictions)
