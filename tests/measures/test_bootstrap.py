import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import bootstrap
from ipmix.measures.calibration import rms_calibration_error


def test_it_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for trial in range(200):
        values = np.random.default_rng(trial).random(100) < 0.3
        low, high = bootstrap.mean_interval(values, seed=trial, samples=200)
        covered += low <= 0.3 <= high
    assert 180 <= covered <= 199


def test_its_width_is_the_standard_error_s():
    values = np.random.default_rng(1).normal(size=2_000)
    low, high = bootstrap.mean_interval(values, seed=0)
    assert (high - low) == pytest.approx(2 * 1.96 / np.sqrt(2_000), rel=0.15)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).random(50)
    assert bootstrap.mean_interval(values, seed=4) == bootstrap.mean_interval(values, seed=4)
    assert bootstrap.mean_interval(values, seed=4) != bootstrap.mean_interval(values, seed=5)


def test_any_statistic_of_the_drawn_images():
    values = np.arange(100.0)
    low, high = bootstrap.interval(lambda drawn: float(values[drawn].max()), 100, seed=0)
    assert 90 < low <= high == 99.0


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([1.0], {}),
        ([1.0, np.nan], {}),
        ([1.0, 2.0], {"level": 1.0}),
        ([1.0, 2.0], {"level": "x"}),
        ([1.0, 2.0], {"level": None}),
        ([1.0, 2.0], {"level": float("nan")}),
        ([1.0, 2.0], {"samples": 3}),
        ([[1.0]], {}),
    ],
)
def test_bad_input_is_refused(values, options):
    with pytest.raises(InputError):
        bootstrap.mean_interval(values, seed=0, **options)


def test_a_statistic_that_fails_is_refused():
    with pytest.raises(InputError, match="NaN"):
        bootstrap.interval(lambda drawn: float("nan"), 10, seed=0)


def test_groups_keep_their_sizes():
    def share(drawn):
        assert (drawn < 3).sum() == 3
        assert drawn.max() < 10
        return float(drawn.mean())

    bootstrap.interval(share, 10, seed=0, groups=[3, 7])
    with pytest.raises(InputError, match="sum to 10"):
        bootstrap.interval(share, 10, seed=0, groups=[3, 6])


def test_a_centred_interval_holds_the_figure_of_binned_errors():
    """Resampling pushes a calibration error up; the plain interval can miss its own figure."""
    draws = np.random.default_rng(3)
    confidence = draws.uniform(0.5, 1, 2_000)
    correct = draws.random(2_000) < confidence

    def error(drawn):
        return rms_calibration_error(confidence[drawn], correct[drawn])

    figure = error(np.arange(2_000))
    plain = bootstrap.interval(error, 2_000, seed=0, samples=200)
    centred = bootstrap.interval(error, 2_000, seed=0, samples=200, centred=True)
    assert plain[0] > figure, "there is nothing to mend"
    assert 0 <= centred[0] <= figure <= centred[1]
    mean = bootstrap.interval(lambda drawn: float(confidence[drawn].mean()), 2_000, seed=0, centred=True)
    assert mean == pytest.approx(bootstrap.mean_interval(confidence, seed=0), abs=1e-3)


@pytest.mark.parametrize("seed", [2**70, -1, None, 1.5, True])
def test_a_seed_is_a_whole_number_that_is_not_negative(seed):
    with pytest.raises(InputError, match="seed must be a whole number from 0"):
        bootstrap.mean_interval([0.0, 1.0], seed=seed)


def test_resamples_have_a_limit():
    with pytest.raises(InputError, match="samples must be a whole number from 0 to 100000, got 1000000000"):
        bootstrap.mean_interval([0.0, 1.0], seed=0, samples=10**9)
