import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.held_out import HeldOut, fit, fitting
from ipmix.evaluation.predictions import PredictionFile, Predictions
from ipmix.evaluation.scorecard import score
from ipmix.measures import calibration, conformal, outputs, temperature

COUNT, CLASSES = 400, 6


def logits(seed, labels, strength):
    made = np.random.default_rng(seed).normal(size=(len(labels), CLASSES)).astype(np.float32)
    made[np.arange(len(labels)), labels] += strength
    return made


@pytest.fixture
def run(tmp_path):
    labels = np.random.default_rng(0).integers(0, CLASSES, COUNT)
    arrays = {"labels": labels, "logits": 4 * logits(1, labels, 1.0)}
    for i, (name, severity) in enumerate([(n, s) for n in ("fog", "snow") for s in (1, 5)]):
        arrays[f"corruption/{name}/{severity}"] = 4 * logits(10 + i, labels, 0.8 / severity)
    np.savez(tmp_path / "run.npz", **arrays)
    return arrays, score(PredictionFile(tmp_path / "run.npz"), samples=40)


def test_halves_depend_on_the_place_alone_and_are_halves():
    places = np.arange(10_000)
    half = fitting(places)
    assert abs(half.mean() - 0.5) < 0.02
    for step in (2, 10, 100):  # no pattern that a sorted folder could have
        assert abs(half[::step].mean() - 0.5) < 0.12
    order = np.random.default_rng(0).permutation(places)
    assert np.array_equal(fitting(order), half[order])


def test_the_scorecard_s_temperature_is_the_plain_way(run):
    arrays, card = run
    half = fitting(np.arange(COUNT))
    clean, labels = arrays["logits"], arrays["labels"]
    expected = temperature.fit_temperature(clean[half], labels[half])
    entry = card["temperature"]
    assert entry["temperature"] == pytest.approx(expected)
    assert entry["fitted_on"] + entry["pictures"] == COUNT
    for name, values in (("before", clean[~half]), ("after", clean[~half].astype(np.float64) / expected)):
        correct = outputs.predicted(values) == labels[~half]
        ece = calibration.expected_calibration_error(outputs.confidence(values), correct)
        assert entry[name]["expected_calibration_error"]["value"] == pytest.approx(ece)
        loss = calibration.negative_log_likelihood(values, labels[~half])
        assert entry[name]["negative_log_likelihood"]["value"] == pytest.approx(loss)
    assert entry["before"]["expected_calibration_error"]["floor"]["cleared"], "logits times 4 are too sure"
    assert not entry["after"]["expected_calibration_error"]["floor"]["cleared"]


def test_the_scorecard_s_sets_are_the_plain_way(run):
    arrays, card = run
    half, labels = fitting(np.arange(COUNT)), arrays["labels"]
    reached = conformal.threshold(arrays["logits"][half], labels[half])
    entry = card["conformal"]
    assert entry["threshold"] == pytest.approx(reached)
    assert list(entry["conditions"]) == ["clean", "1", "5"]
    for name, keys in (("clean", ["logits"]), ("5", ["corruption/fog/5", "corruption/snow/5"])):
        found = [conformal.sets(arrays[key][~half], labels[~half], reached) for key in keys]
        assert entry["conditions"][name]["coverage"] == pytest.approx(np.mean([covered for covered, _ in found]))
        assert entry["conditions"][name]["size"] == pytest.approx(np.mean([size for _, size in found]))
    clean, strong = (entry["conditions"][name] for name in ("clean", "5"))
    assert clean["interval"][1] >= 0.9
    assert strong["interval"][1] < 0.9, "under corruption the promise is broken"


def test_why_nothing_was_fitted(tmp_path):
    labels = np.arange(30) % CLASSES
    np.savez(tmp_path / "few.npz", logits=logits(0, labels, 1.0), labels=labels)
    card = score(PredictionFile(tmp_path / "few.npz"), samples=0)
    for name in ("temperature", "conformal"):
        assert list(card[name]) == ["reason"]
        assert "there are 30 in all" in card[name]["reason"]


def test_images_without_an_answer(tmp_path):
    labels = np.zeros(200, int)
    made = logits(0, labels, 2.0)
    made[3] = np.nan
    found = fit([(Predictions(made, labels), np.arange(200))])
    assert isinstance(found, HeldOut)
    assert np.isfinite(found.temperature)
    made[:] = np.nan
    assert isinstance(fit([(Predictions(made, labels), np.arange(200))]), InputError)
    made = logits(0, labels, 2.0)
    made[np.flatnonzero(~fitting(np.arange(200)))[0]] = np.nan
    np.savez(tmp_path / "one.npz", logits=made, labels=labels)
    card = score(PredictionFile(tmp_path / "one.npz"), samples=0)
    assert "1 images have no answer" in card["temperature"]["reason"]
    assert card["conformal"]["conditions"]["clean"]["coverage"] < 1
