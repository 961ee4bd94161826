import math

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import proportions


def binomial_tail(p, count, total, upper):
    """The plain sum: P(X >= count) or P(X <= count)."""
    ks = range(count, total + 1) if upper else range(count + 1)
    return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in ks)


@pytest.mark.parametrize(("count", "total"), [(0, 3), (3, 3), (1, 2), (20, 20), (0, 60), (7, 50), (30, 60), (119, 120)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_ends_are_where_the_binomial_tails_hold_half_of_the_rest(count, total, level):
    low, high = proportions.interval(count, total, level=level)
    tail = (1 - level) / 2
    assert low == 0 if count == 0 else binomial_tail(low, count, total, True) == pytest.approx(tail, rel=1e-8)
    assert high == 1 if count == total else binomial_tail(high, count, total, False) == pytest.approx(tail, rel=1e-8)
    assert low < high


def test_known_intervals():
    assert proportions.interval(20, 20) == pytest.approx((0.8316, 1.0), abs=1e-4)
    assert proportions.interval(0, 3) == pytest.approx((0.0, 0.7076), abs=1e-4)
    assert proportions.interval(50, 50) == pytest.approx((0.9289, 1.0), abs=1e-4)


@pytest.mark.parametrize(("count", "total"), [(5_000, 10_000), (3, 50_000), (49_999, 50_000)])
def test_large_numbers(count, total):
    ks = np.arange(total + 1)
    logs = np.array([math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in ks.tolist()])
    low, high = proportions.interval(count, total)
    for p, chosen in ((low, ks >= count), (high, ks <= count)):
        tail = np.exp(logs + ks * math.log(p) + (total - ks) * math.log1p(-p))[chosen].sum()
        assert tail == pytest.approx(0.025, rel=1e-6)


def test_a_count_that_is_not_whole_lies_between_its_neighbours():
    below, between, above = (proportions.interval(k, 60) for k in (2, 2.5, 3))
    assert all(a < b < c for a, b, c in zip(below, between, above))


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3), (0, 0), (math.nan, 3), (1, math.inf)])
def test_no_proportion(count, total):
    with pytest.raises(InputError, match="a proportion is a count in"):
        proportions.interval(count, total)


def test_many_at_once_and_empty_bins():
    found = proportions.intervals([0, 3, 0], [0, 5, 4])
    assert found[0].tolist() == [0, 1]
    assert found[1] == pytest.approx(proportions.interval(3, 5))
    assert found[2] == pytest.approx(proportions.interval(0, 4))


# --- means over conditions --------------------------------------------------------------------------------


def test_a_mean_never_has_a_point_for_an_interval():
    for end in (0.0, 1.0):
        low, high = proportions.mean_interval(np.full(60, end), seed=0)
        assert (low, high) == pytest.approx(proportions.interval(60 * end, 60))
    low, high = proportions.mean_interval([0.0] * 59 + [0.05], seed=0)
    assert low <= 0.05 / 60
    assert high > 0.05, "one image under one of twenty conditions is as uncertain as none"
    low, high = proportions.mean_interval(np.full(40, 0.5), seed=0)  # every image alike, in the middle
    assert (low, high) == pytest.approx(proportions.interval(20, 40))


def test_errors_have_the_exact_interval_and_means_the_bootstrap_s():
    from ipmix.measures import bootstrap

    wrong = np.random.default_rng(0).random(200) < 0.3
    assert proportions.mean_interval(wrong, seed=0) == pytest.approx(proportions.interval(wrong.sum(), 200))
    shares = np.random.default_rng(1).integers(0, 6, 200) / 5
    assert proportions.mean_interval(shares, seed=3) == pytest.approx(bootstrap.mean_interval(shares, seed=3))


def test_other_bounds_are_other_units():
    shares = np.random.default_rng(1).integers(0, 6, 30) / 5
    found = proportions.mean_interval(15 * shares, seed=3, bounds=(0, 15))
    assert found == pytest.approx([15 * end for end in proportions.mean_interval(shares, seed=3)])
    with pytest.raises(InputError, match=r"values must lie in 0.0 .. 1.0"):
        proportions.mean_interval([0.5, 1.5], seed=0)
    with pytest.raises(InputError, match="one finite number per image"):
        proportions.mean_interval([0.5, math.nan], seed=0)


def shares_of(generator, hardness, conditions, count):
    """Images that differ in how hard they are: the share of conditions under which each is answered wrongly."""
    chances = generator.beta(hardness[0], hardness[1], count)
    return generator.binomial(conditions, chances) / conditions


@pytest.mark.parametrize("hardness", [(0.05, 5.0), (0.3, 3.0), (1.0, 1.0), (3.0, 0.05)])
@pytest.mark.parametrize("count", [25, 60])
def test_coverage_of_means_over_conditions(hardness, count):
    generator = np.random.default_rng(int(100 * hardness[0] + count))
    truth = hardness[0] / sum(hardness)
    covered, plainly, runs = 0, 0, 150
    for seed in range(runs):
        shares = shares_of(generator, hardness, 20, count)
        low, high = proportions.mean_interval(shares, seed=seed, samples=100)
        covered += low <= truth <= high
        resampled = shares[generator.integers(0, count, (200, count))].mean(axis=1)
        plainly += np.quantile(resampled, 0.025) <= truth <= np.quantile(resampled, 0.975)
    assert covered >= 0.9 * runs
    if (hardness, count) in (((0.05, 5.0), 60), ((3.0, 0.05), 25)):  # resampling alone is too sure there
        assert plainly < 0.87 * runs


def test_coverage_of_counts():
    generator = np.random.default_rng(0)
    for p in (0.01, 0.2, 0.5, 0.97):
        counts = generator.binomial(60, p, 400)
        known = {k: proportions.interval(k, 60) for k in set(counts.tolist())}
        assert np.mean([known[k][0] <= p <= known[k][1] for k in counts.tolist()]) >= 0.94
