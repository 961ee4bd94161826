import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import corruption

PER_SEVERITY = {  # AlexNet, error at severities 1..5: where the table's averages come from
    "gaussian_noise": [0.69528, 0.82542, 0.93554, 0.98138, 0.99452],
    "shot_noise": [0.71224, 0.85108, 0.93574, 0.98182, 0.99146],
    "impulse_noise": [0.78374, 0.89808, 0.9487, 0.9872, 0.99548],
    "defocus_blur": [0.65624, 0.73202, 0.85036, 0.91364, 0.94714],
    "glass_blur": [0.64308, 0.75054, 0.88806, 0.91622, 0.93344],
    "motion_blur": [0.5843, 0.70048, 0.82108, 0.8975, 0.92638],
    "zoom_blur": [0.70008, 0.76992, 0.80784, 0.84198, 0.87198],
    "snow": [0.71726, 0.88392, 0.86468, 0.9187, 0.94952],
    "frost": [0.6139, 0.79734, 0.8879, 0.89942, 0.9343],
    "fog": [0.67474, 0.7605, 0.84378, 0.8726, 0.945],
    "brightness": [0.4514, 0.48502, 0.54048, 0.62166, 0.7244],
    "contrast": [0.64548, 0.7615, 0.88874, 0.9776, 0.9927],
    "elastic_transform": [0.52596, 0.70116, 0.55686, 0.64076, 0.80554],
    "pixelate": [0.52218, 0.5462, 0.73728, 0.87092, 0.91262],
}


def test_the_table_is_the_mean_of_its_severities():
    assert len(corruption.ALEXNET) == 15
    averages = corruption.corruption_errors(PER_SEVERITY)
    for name, average in averages.items():
        assert average == pytest.approx(corruption.ALEXNET[name], abs=1e-6), name


def test_plain_is_the_mean_of_means():
    errors = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5], "snow": [0.0, 0.0, 0.0, 0.0, 1.0]}
    assert corruption.mean_corruption_error(errors) == pytest.approx((0.3 + 0.2) / 2)
    assert corruption.mean_corruption_error(np.array(list(errors.values()))) == pytest.approx(0.25)


def test_alexnet_scores_one_against_itself():
    assert corruption.mean_corruption_error(corruption.ALEXNET, baseline="alexnet") == pytest.approx(1.0)
    assert corruption.mean_corruption_error(PER_SEVERITY, baseline="alexnet") == pytest.approx(1.0, abs=1e-5)


def test_each_corruption_is_divided_before_averaging():
    errors, baseline = {"fog": [0.2], "snow": [0.9]}, {"fog": 0.4, "snow": 0.6}
    assert corruption.mean_corruption_error(errors, baseline=baseline) == pytest.approx((0.5 + 1.5) / 2)
    assert corruption.mean_corruption_error(errors, baseline=baseline) != pytest.approx(1.1 / 1.0)


def test_relative_error_subtracts_clean():
    errors = {"fog": [0.5], "snow": [0.7]}
    assert corruption.relative_mean_corruption_error(errors, 0.1) == pytest.approx(0.5)
    relative = corruption.relative_mean_corruption_error(
        errors, 0.1, baseline={"fog": 0.9, "snow": 0.7}, baseline_clean=0.5
    )
    assert relative == pytest.approx((0.4 / 0.4 + 0.6 / 0.2) / 2)


@pytest.mark.parametrize(
    ("errors", "baseline", "message"),
    [
        ({}, None, "no corruptions"),
        ({"fog": [10.0]}, None, "fractions"),
        ({"fog": [np.nan]}, None, "fractions"),
        ({"fog": [0.1]}, {"snow": 0.5}, "no error for fog"),
        ({"fog": [0.1]}, {"fog": 0.0}, "must be in"),
        ({"fog": [0.1]}, "resnet", "only baseline with a name"),
        ([[0.1]], "alexnet", "looked up by corruption"),
    ],
)
def test_bad_input_is_named(errors, baseline, message):
    with pytest.raises(InputError, match=message):
        corruption.mean_corruption_error(errors, baseline=baseline)


def test_errors_that_are_no_numbers_are_refused_by_name():
    with pytest.raises(InputError, match="errors of 'fog' must be numbers"):
        corruption.mean_corruption_error({"fog": "x"})
    with pytest.raises(InputError, match="no dict of corruption"):
        corruption.corruption_errors([0.5])
    with pytest.raises(InputError, match="clean must be a fraction"):
        corruption.relative_mean_corruption_error({"fog": 0.5}, float("nan"))
    with pytest.raises(InputError, match="the baseline has no error for fog"):
        corruption.relative_mean_corruption_error({"fog": 0.5}, 0.1, baseline={"snow": 0.5}, baseline_clean=0.1)
    with pytest.raises(InputError, match="nothing can be divided by 0"):
        corruption.relative_mean_corruption_error({"fog": 0.5}, 0.1, baseline={"fog": 0.1}, baseline_clean=0.1)
