import json

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.predictions import PredictionFolder
from ipmix.evaluation.scorecard import score
from ipmix.measures import clean
from ipmix.measures.corruption import ALEXNET
from ipmix.report.exports import rendered
from ipmix.report.robustbench import claim_text, model_info

PLAN = {
    "corruptions": list(ALEXNET), "severities": [1, 2, 3, 4, 5], "form": "original", "perturbations": [],
    "attack": None, "difficulty": 1, "seed": 3, "auto_attack": {"epsilon": 8 / 255, "norm": "linf", "pictures": 20},
}  # fmt: skip


def made(folder, *, corruptions=tuple(ALEXNET), attack=True, name="cifar10 test"):
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 60)
    names = ["clean", *(f"corruption/{c}/{s}" for c in corruptions for s in range(1, 6))]
    arrays = {n: (random.normal(size=(60, 10)) + 2 * np.eye(10)[labels]).astype(np.float32) for n in names}
    if attack:
        arrays["auto_attack"] = random.normal(size=(20, 10)).astype(np.float32)
    run = {
        "name": "trial", "data": {"name": name, "pictures": 60, "classes": [str(i) for i in range(10)]},
        "model": {"name": "wrn-40-4", "parameters": 1, "sha256": "abc"}, "plan": PLAN,
    }  # fmt: skip
    kept = PredictionFolder.begin(folder, run)
    kept.write(0, {"labels": labels, "indices": np.arange(60), **arrays})
    return score(kept, samples=20), labels, arrays


def test_the_entry_has_the_leaderboard_s_fields(tmp_path):
    card, labels, arrays = made(tmp_path / "run")
    entry = model_info(card, {"name": "A paper", "additional_data": "true", "venue": "ICLR 2099"})
    wrong = [clean.error(arrays[f"corruption/{c}/{s}"], labels) for c in ALEXNET for s in range(1, 6)]
    assert entry == {
        "link": "", "name": "A paper", "authors": "", "venue": "ICLR 2099", "architecture": "wrn-40-4",
        "additional_data": True, "number_forward_passes": 1, "dataset": "cifar10", "eps": None,
        "clean_acc": f"{100 * (1 - clean.error(arrays['clean'], labels)):.2f}",
        "reported": f"{100 * (1 - np.mean(wrong)):.2f}", "corruptions_acc": f"{100 * (1 - np.mean(wrong)):.2f}",
    }  # fmt: skip
    assert json.loads(rendered([card], "robustbench", about={"name": "A paper"}))["dataset"] == "cifar10"


def test_without_all_corruptions_the_claim_is_autoattack_s(tmp_path):
    card, labels, arrays = made(tmp_path / "run", corruptions=("fog",))
    entry = model_info(card)
    assert entry["eps"] == "8/255"
    assert "corruptions_acc" not in entry
    expected = 100 * (1 - clean.error(arrays["auto_attack"], labels[:20]))
    assert entry["autoattack_acc"] == f"{expected:.2f}"
    text = claim_text(card)
    assert "- **Threat Model**: Linf\n- **eps**: 8/255\n" in text
    assert "(20 test images; 95% interval over them " in text


def test_the_submission_says_how_it_was_measured(tmp_path):
    text = claim_text(made(tmp_path / "run")[0], {"name": "A\n# paper", "link": "https://example.org"})
    assert "- **Paper Title**: A # paper\n" in text
    assert "- **Threat Model**: Common Corruptions\n- **eps**: N/A\n" in text
    assert "made on the fly in the original form" in text


@pytest.mark.parametrize(
    ("options", "about", "message"),
    [
        ({"corruptions": (), "attack": False}, {}, "this scorecard has neither"),
        ({"name": "images test"}, {}, "can't tell the leaderboard's data set"),
        ({}, {"author": "me"}, "a claim has no author;"),
        ({}, {"additional_data": "some"}, "true or false"),
    ],
)
def test_what_is_no_claim_is_refused(tmp_path, options, about, message):
    card = made(tmp_path / "run", **options)[0]
    with pytest.raises(InputError, match=message):
        model_info(card, about)


def test_one_model_a_claim_and_about_only_for_claims(cards):
    with pytest.raises(InputError, match="about one model; got 2"):
        rendered(cards, "robustbench")
    with pytest.raises(InputError, match="--about is for"):
        rendered(cards[:1], "csv", about={"name": "x"})
