import json

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.predictions import PredictionFile
from ipmix.evaluation.results import read_baseline
from ipmix.evaluation.scorecard import score
from ipmix.measures import clean, consistency, corruption

COUNT, CLASSES = 120, 6
NAMES = ("fog", "snow", "contrast")


def write(path, seed, names=NAMES, sequences=("tilt", "gaussian_noise"), strength=1.0):
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, CLASSES, COUNT)

    def logits():
        made = random.normal(size=(COUNT, CLASSES)).astype(np.float32)
        made[np.arange(COUNT), labels] += strength
        return made

    arrays = {"labels": labels, "logits": logits()}
    arrays |= {f"corruption/{name}/{s}": logits() for name in names for s in (1, 3)}
    arrays |= {f"frames/{name}": random.integers(0, 3, (COUNT, 5)) for name in sequences}
    np.savez(path, **arrays)
    return arrays


def errors_of(arrays, names=NAMES):
    return {n: [clean.error(arrays[f"corruption/{n}/{s}"], arrays["labels"]) for s in (1, 3)] for n in names}


def rates_of(arrays):
    return {
        n: consistency.flip_rate(arrays[f"frames/{n}"], reference=consistency.reference_of(n))
        for n in ("tilt", "gaussian_noise")
    }


def test_figures_are_those_of_the_measures(tmp_path):
    mine, theirs = write(tmp_path / "mine.npz", 1), write(tmp_path / "theirs.npz", 2, strength=0.3)
    card = score(PredictionFile(tmp_path / "mine.npz"), baseline=read_baseline(tmp_path / "theirs.npz"), samples=40)
    divisor = {name: float(np.mean(values)) for name, values in errors_of(theirs).items()}
    expected = corruption.mean_corruption_error(errors_of(mine), baseline=divisor)
    figure = card["measures"]["baseline_chosen_corruption_error"]
    assert figure["value"] == pytest.approx(expected)
    assert figure["interval"][0] < expected < figure["interval"][1]
    flips = consistency.mean_flip_rate(rates_of(mine), rates_of(theirs))
    assert card["measures"]["baseline_chosen_flip_rate"]["value"] == pytest.approx(flips)
    assert card["run"]["baseline"] == "theirs"


def test_against_itself_a_run_has_a_hundred_percent(tmp_path):
    write(tmp_path / "a.npz", 1)
    card = score(PredictionFile(tmp_path / "a.npz"), samples=0)
    (tmp_path / "scorecard.json").write_text(json.dumps(card))
    for path in (tmp_path / "a.npz", tmp_path / "scorecard.json", tmp_path):
        again = score(PredictionFile(tmp_path / "a.npz"), baseline=read_baseline(path), samples=0)
        assert again["measures"]["baseline_chosen_corruption_error"]["value"] == pytest.approx(1)
        assert again["measures"]["baseline_chosen_flip_rate"]["value"] == pytest.approx(1)


def test_what_the_baseline_lacks_is_said(tmp_path):
    write(tmp_path / "mine.npz", 1)
    write(tmp_path / "less.npz", 2, names=("fog",), sequences=())
    card = score(PredictionFile(tmp_path / "mine.npz"), baseline=read_baseline(tmp_path / "less.npz"), samples=0)
    assert "no snow at severity 1, 3" in card["measures"]["baseline_chosen_corruption_error"]["reason"]
    assert "no flip rate of" in card["measures"]["baseline_chosen_flip_rate"]["reason"]
    assert card["measures"]["chosen_corruption_error"]["value"] is not None


def test_nothing_is_divided_by_zero():
    perfect = Baseline("perfect", {"fog": {"1": 0.0}}, {"tilt": 0.0})
    with pytest.raises(InputError, match="0 for error under fog"):
        perfect.corruption_errors({"fog": [1]})
    with pytest.raises(InputError, match="0 for flip rate of tilt"):
        perfect.flip_rates(["tilt"])


def test_several_results_are_no_baseline(tmp_path):
    write(tmp_path / "a.npz", 1)
    card = score(PredictionFile(tmp_path / "a.npz"), samples=0)
    (tmp_path / "results.json").write_text(json.dumps({"runs": {"plain": card, "IPMix": card}}))
    with pytest.raises(InputError, match="holds 2 results"):
        read_baseline(tmp_path / "results.json")
    with pytest.raises(InputError, match=r"holds no results"):
        read_baseline(tmp_path / "absent.json")
