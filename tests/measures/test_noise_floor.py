import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import calibration
from ipmix.measures.noise_floor import noise_floor

ECE = calibration.expected_calibration_error


def confidences(count, seed=0):
    return np.random.default_rng(seed).uniform(0.3, 1.0, count)


def test_it_is_what_a_calibrated_model_scores():
    """Against the plain form: another set of answers, image by image."""
    confidence = confidences(60)
    random = np.random.default_rng(9)
    scores = []
    for _ in range(400):
        correct = [bool(random.random() < c) for c in confidence]
        scores.append(ECE(confidence, correct))
    found = noise_floor(ECE, confidence)
    assert found.mean == pytest.approx(np.mean(scores), abs=0.01)
    assert found.high == pytest.approx(np.quantile(scores, 0.95), abs=0.02)
    assert 0.1 < found.mean < 0.2, "60 images: some 15 %"


@pytest.mark.parametrize(
    "function",
    [ECE, calibration.maximum_calibration_error, calibration.rms_calibration_error],
    ids=lambda f: f.__name__,
)
def test_calibrated_models_rarely_clear_it_and_others_do(function):
    random = np.random.default_rng(1)
    cleared = 0
    for seed in range(40):
        confidence = confidences(200, seed)
        cleared += (
            function(confidence, random.random(200) < confidence)
            > noise_floor(function, confidence, simulations=60).high
        )
    assert cleared <= 6
    confidence = confidences(200)
    assert function(confidence, random.random(200) < confidence - 0.3) > noise_floor(function, confidence).high


def test_the_seed_is_of_the_data_and_more_images_sink_it():
    assert noise_floor(ECE, confidences(60)) == noise_floor(ECE, confidences(60))
    assert noise_floor(ECE, confidences(60)) != noise_floor(ECE, confidences(60), seed=1)
    assert noise_floor(ECE, confidences(2000)).mean < 0.4 * noise_floor(ECE, confidences(60)).mean
    with pytest.raises(InputError, match="at least 20 simulations"):
        noise_floor(ECE, confidences(60), simulations=3)
    with pytest.raises(InputError, match="must lie in"):
        noise_floor(ECE, [2.0])
