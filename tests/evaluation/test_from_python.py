"""``ipmix.evaluate`` from Python: the scorecard as an object, and what is refused."""

import html
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.python_run import COUNT, FAST, Means, by_hand, data, same  # noqa: E402

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation.plan import AttackConfig, EvaluationPlan  # noqa: E402


def test_the_scorecard_as_an_object(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    assert json.loads(json.dumps(reference.to_dict()))["schema"].startswith("ipmix scorecard")
    assert reference["Clean error"] == reference["clean_error"] == reference["error"]
    with pytest.raises(InputError, match="did you mean clean_error"):
        reference["clean_eror"]
    assert "Clean error" in repr(reference)
    assert "Clean error" in str(reference)
    saved = reference.save(tmp_path / "saved")
    again = ipmix.Scorecard.of_folder(saved)
    assert same(again, reference)
    assert again.page == reference.page


def test_checks(reference: ipmix.Scorecard) -> None:
    error = 100.0 * (reference["clean_error"] or 0.0)
    passed = reference.check({"clean_error": f"<= {error + 0.1}"})
    assert passed
    failed = reference.check({"clean_error": f"< {error}", "brier": "<= 2"})
    assert not failed
    assert [row.name for row in failed.failed] == ["Clean error"]
    assert "FAILED: Clean error" in str(failed)
    assert not reference.check({"mFP": "<= 100"}), "what was not measured does not pass"
    with pytest.raises(InputError, match="did you mean"):
        reference.check({"cleanerror": "<= 3"})
    with pytest.raises(InputError, match="a bound is one of"):
        reference.check({"mCE": "under 40"})


@pytest.mark.parametrize("bounds", [None, {}, "mCE <= 3", ["mCE"], {"mCE": 40}, {"mCE": None}, {3: "<= 1"}])
def test_bounds_that_are_none(reference: ipmix.Scorecard, bounds: Any) -> None:
    with pytest.raises(InputError, match=r"bounds? (are|is)"):
        reference.check(bounds)


def test_what_no_scorecard_does(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for wrong in (None, 3, {}):
        with pytest.raises(InputError, match="another Scorecard"):
            reference.compare(wrong)  # type: ignore[arg-type]
    for place, message in (("", "a folder's name"), (3, "a folder's name"), (tmp_path / "file", "is a file")):
        with pytest.raises(InputError, match=message):
            reference.save(place)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a folder's name"):
        ipmix.Scorecard.of_folder("")
    with pytest.raises(InputError, match="named by a text"):
        reference[3]  # type: ignore[index]


def test_another_scorecard_is_not_replaced(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    images, labels = data()
    other = ipmix.evaluate(lambda x: -by_hand(x), images, labels, **FAST)
    reference.save(tmp_path / "kept")
    reference.save(tmp_path / "kept")
    with pytest.raises(InputError, match="holds another scorecard"):
        other.save(tmp_path / "kept")
    assert same(ipmix.Scorecard.of_folder(tmp_path / "kept"), reference)
    assert same(ipmix.Scorecard.of_folder(other.save(tmp_path / "kept", force=True)), other)


def test_a_model_that_answers_for_fewer_images_leaves_nothing(tmp_path: Path) -> None:
    class Short(Means):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images)[: max(1, len(images) - 1)]

    images, labels = data()
    with pytest.raises(InputError, match="gave 11 rows of logits for a batch of 12 images"):
        ipmix.evaluate(Short(), images, labels, out=tmp_path / "out", **FAST)
    assert not list(tmp_path.rglob("*.npz"))
    ipmix.evaluate(Means(), images, labels, out=tmp_path / "out", **FAST)


def test_a_model_in_training_goes_on_as_it_was() -> None:
    images, labels = data()
    model = torch.nn.Sequential(Means(), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3))
    model.train()
    model[2].eval()  # frozen by its owner
    ipmix.evaluate(model, images, labels, **FAST)
    assert [module.training for module in model] == [True, True, False]
    assert model.training
    model.eval()
    ipmix.evaluate(model, images, labels, **FAST)
    assert not model.training


def test_a_comparison(reference: ipmix.Scorecard) -> None:
    images, labels = data()
    other = ipmix.evaluate(lambda x: -by_hand(x), images, labels, name="contrary", **FAST)
    compared = reference.compare(other)
    assert compared.second == "contrary"
    row = compared.row("clean_error")
    assert row is not None
    assert row.difference == pytest.approx((other["clean_error"] or 0) - (reference["clean_error"] or 0))
    assert compared.paired
    assert row.interval is not None


def test_pandas(reference: ipmix.Scorecard) -> None:
    pytest.importorskip("pandas", reason="the extra pandas is not installed")
    table = reference.to_pandas()
    assert table.loc["clean_error", "value"] == reference["clean_error"]
    assert table.loc["clean_error", "low"] <= reference["clean_error"] <= table.loc["clean_error", "high"]


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(reference: ipmix.Scorecard) -> None:
    shown = reference._repr_html_()
    before, _, rest = shown.partition('srcdoc="')
    page, _, after = rest.partition('"')
    assert html.unescape(page) == reference.page
    for outside in (before, after):
        assert "<style" not in outside
        assert "<table" not in outside
    assert shown.startswith("<iframe ")


def test_out_goes_on_and_is_held_to_its_run(tmp_path: Path) -> None:
    images, labels = data()
    first = ipmix.evaluate(by_hand, images, labels, out=tmp_path / "r", **FAST)
    assert same(ipmix.evaluate(by_hand, images, labels, out=tmp_path / "r", **FAST), first)
    with pytest.raises(InputError, match="another run"):
        ipmix.evaluate(lambda x: -by_hand(x), images, labels, name="by_hand", out=tmp_path / "r", **FAST)


def test_the_attack_of_a_plan() -> None:
    images, labels = data()
    plan = EvaluationPlan(corruptions=(), attack=AttackConfig(steps=2))
    assert ipmix.evaluate(Means(), images, labels, **{**FAST, "plan": plan})["attack_error"] is not None


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_images_without_a_valid_answer_are_told(missing: float) -> None:
    images, labels = data()

    def broken(batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 3), missing, np.float32)

    with pytest.warns(UserWarning, match="12 images have no valid answer") as told:
        card = ipmix.evaluate(broken, images, labels, **FAST)
    assert len(told) == 2, "clean and under one corruption"
    assert "12 images have no valid answer (NaN or infinite logits) under clean" in str(card)
    assert "Brier score is not given: 12 of 12 images" in str(card)
    if importlib.util.find_spec("pandas"):
        table = card.to_pandas()
        assert table.loc["clean_error", "value"] == 1.0
        assert "12 images have no valid answer" in table.loc["clean_error", "reason"]
        assert "under corruption/brightness/3" in table.loc["chosen_corruption_error", "reason"]


def test_a_scorecard_of_valid_answers_tells_none_missing(reference: ipmix.Scorecard) -> None:
    assert "valid answer" not in str(reference)
    assert "Calibration error (RMS) is not given: RMS calibration error needs at least 100 images" in str(reference)


def sigmoid(images: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-images.mean(axis=(1, 2)) / 255.0 * 4.0 + 1.0))


def percent(images: np.ndarray) -> np.ndarray:
    scores = np.exp(by_hand(images))
    return 100.0 * scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("model", "message"), [(sigmoid, "can't be told"), (percent, "in percent")])
def test_scores_that_may_be_probabilities_are_no_logits(model: Any, message: str, tmp_path: Path) -> None:
    images, labels = data()
    with pytest.raises(InputError, match=message) as refused:
        ipmix.evaluate(model, images, labels, out=tmp_path / "r", **FAST)
    assert "wrap(model, probabilities=True)" in str(refused.value)
    assert not (tmp_path / "r" / "predictions").exists()
    card = ipmix.evaluate(ipmix.models.wrap(model, probabilities=True), images, labels, **FAST)
    scores = model(images).astype(np.float64)
    shares = scores / scores.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(COUNT), labels]).mean()
    assert card.measures["negative_log_likelihood"] == pytest.approx(loss, rel=1e-4)
    np.savez(tmp_path / "p.npz", logits=scores.astype(np.float32), labels=labels)
    if model is sigmoid:
        from ipmix.evaluation.predictions import open_predictions
        from ipmix.evaluation.scorecard import score

        with pytest.raises(InputError, match="holds logits or probabilities can't be told"):
            score(open_predictions(tmp_path / "p.npz"), samples=0)


def test_a_function_s_own_fault_is_told_with_its_place() -> None:
    images, labels = data()
    with pytest.raises(InputError, match=r"ZeroDivisionError.*raised in test_from_python\.py, line \d+$") as refused:
        ipmix.evaluate(lambda batch: len(batch) / 0, images, labels, **FAST)
    assert "--size" not in str(refused.value)


def test_honest_logits_are_taken() -> None:
    images, labels = data()
    ipmix.evaluate(lambda x: by_hand(x) - 2.0, images, labels, **FAST)
    ipmix.evaluate(lambda x: by_hand(x) + 3.0, images, labels, **FAST)
    small = ipmix.models.wrap(lambda x: by_hand(x) / 10.0, probabilities=False)
    card = ipmix.evaluate(small, images, labels, **FAST)
    assert card["clean_error"] == ipmix.evaluate(by_hand, images, labels, **FAST)["clean_error"]
    built = ipmix.models.build("wrn-10-1", 3)  # hardly trained: its few logits may all lie in 0 to 1
    for parameter in list(built.parameters())[-2:]:
        torch.nn.init.constant_(parameter, 0.1 if parameter.ndim == 1 else 0.0)
    assert "clean_error" in ipmix.evaluate(built, images, labels, **FAST).measures


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": 0.5, "std": 0.5}, "^mean is one number a channel"),
        ({"mean": "abc", "std": "abc"}, "^mean is one number a channel"),
        ({"mean": (123.7, 116.3, 103.5), "std": (0.2, 0.2, 0.2)}, "divide by 255"),
        ({"mean": (0.5, 0.5, 0.5), "std": (58, 57, 57)}, "divide by 255"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, "2 were given, and the images have 3 channels"),
        ({"mean": (0.5,), "std": (0.5,)}, "1 were given, and the images have 3 channels"),
        ({"out": 5}, "^out is a folder's name"),
        ({"out": ""}, "^out is a folder's name"),
        ({"out": "/proc/foo"}, "/proc/foo"),
        ({"threads": "x"}, "^threads must be a whole number"),
    ],
)
def test_settings_of_other_kinds(options: dict[str, Any], message: str) -> None:
    images, labels = data()
    before = set(Path().iterdir())
    with pytest.raises(InputError, match=message):
        ipmix.evaluate(by_hand, images, labels, **{**FAST, **options})
    assert set(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corruptions": 5}, "^corruptions are a list of names"),
        ({"perturbations": 5}, "^perturbations are a list of names"),
        ({"severities": 3}, "^severities are a list of numbers"),
        ({"severities": None}, "^severities are a list of numbers"),
        ({"severities": (True,)}, "a severity is 1 to 5, got True"),
        ({"attack": True}, r"^attack is AttackConfig\(...\), or None"),
        ({"attack": "yes"}, r"^attack is AttackConfig\(...\), or None"),
        ({"auto_attack": True}, r"^auto_attack is AutoAttackConfig\(...\), or None"),
    ],
)
def test_plans_of_other_kinds(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EvaluationPlan(**options)


def test_a_name_alone_and_none_are_lists_of_names() -> None:
    assert EvaluationPlan(corruptions="fog").corruptions == ("fog",)  # type: ignore[arg-type]
    assert EvaluationPlan(corruptions=None).corruptions == ()  # type: ignore[arg-type]
