"""Predictions of others: every array that can't be what it should is refused by file and array, and leaves nothing."""

import io
import zipfile

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder
from ipmix.evaluation.scorecard import score

LABELS = np.arange(12) % 4
LOGITS = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)


def scored(path, **arrays):
    np.savez(path / "theirs.npz", **{"labels": LABELS, "logits": LOGITS, **arrays})
    return score(PredictionFile(path / "theirs.npz"), samples=0)


def test_arrays_that_are_right_are_scored(tmp_path):
    card = scored(
        tmp_path, attack=LOGITS[:2], **{
            "corruption/fog/1": LOGITS, "frames/tilt": np.zeros((12, 3), int), "top5/tilt": np.zeros(12),
            "places/attack": np.array([3, 11]), "indices": np.arange(12),
        }
    )  # fmt: skip
    assert card["scores"] == "logits"
    assert card["measures"]["attack_error"]["pictures"] == 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": np.array(["a"] * 12)}, "labels must be whole numbers"),
        ({"labels": LABELS - 1}, "labels are numbers of classes from 0, got -1"),
        ({"labels": LABELS[:0], "logits": LOGITS[:0]}, "labels is empty"),
        ({"indices": np.array(["a"] * 12)}, "indices must be whole numbers"),
        ({"indices": np.arange(11)}, "indices are the places of the 12 images"),
        ({"logits": LOGITS[:, :1]}, r"logits must be floating numbers .*, got float32\[12, 1\]"),
        ({"logits": np.ones((12, 4), int)}, "logits must be floating numbers"),
        ({"attack": LOGITS[:0]}, "attack holds no image"),
        ({"attack": LOGITS[:2], "places/attack": np.array([0, 99])}, "places/attack are places among the 12 images"),
        ({"attack": LOGITS[:2], "places/attack": np.array([0.0, 1.0])}, "places/attack must be whole numbers"),
        ({"attack": LOGITS[:2], "places/attack": np.array(["a", "b"])}, "places/attack must be whole numbers"),
        ({"attack": LOGITS[:3], "places/attack": np.array([5, 2, 5])}, "places/attack names the image at 5 more than"),
        ({"clean": LOGITS}, "holds both 'logits' and 'clean'"),
        ({"labels": LABELS + 4}, "logits: 12 of 12 labels are outside 0..3"),
        ({"labels": LABELS.astype(np.uint64) - np.uint64(1)}, f"labels must fit 64 bits with a sign, got {2**64 - 1}"),
        ({"corruption/fog/1": LOGITS[:5]}, r"corruption/fog/1 has the shape \[5, 4\]"),
        ({"corruption/fog/1": np.hstack([LOGITS, LOGITS])}, "corruption/fog/1 is about 8 classes, clean about 4"),
        ({"corruption/fog/99": LOGITS}, "corruption/fog/99.* a severity is 1 to 5, got 99"),
        ({"corruption/fog/x": LOGITS}, "corruption/fog/x.* got x"),
        ({"corruption/x": LOGITS}, "corruption/x' names no condition"),
        ({"frames/tilt": LABELS}, "frames/tilt must be whole numbers"),
        ({"frames/tilt": LOGITS}, "frames/tilt must be whole numbers"),
        ({"frames/tilt": LABELS[:, None]}, "frames/tilt must be whole numbers"),
        ({"frames/tilt": np.zeros((5, 4), int)}, r"frames/tilt must be whole numbers \[12 sequences"),
        ({"frames/tilt": np.full((12, 3), 77)}, r"frames/tilt must hold the class of each frame, 0 to 3 .*, got 77"),
        ({"frames/tilt": np.full((12, 3), -2)}, "frames/tilt must hold the class of each frame.*, got -2"),
        ({"frames/tilt": np.full((12, 3), 2**64 - 1, np.uint64)}, f"frames/tilt must hold .*, got {2**64 - 1}"),
        ({"top5/tilt": np.array(["a"] * 12)}, "top5/tilt must be numbers"),
        ({"top5/tilt": np.full(12, np.nan)}, "top5/tilt must hold distances in 0 .. 18"),
        ({"top5/tilt": np.full(12, 18.5)}, "top5/tilt must hold distances in 0 .. 18"),
    ],
)
def test_arrays_that_are_wrong_are_named(tmp_path, arrays, message):
    with pytest.raises(InputError, match=f"theirs.npz.*{message}"):
        scored(tmp_path, **arrays)


def test_frames_of_two_lengths_in_two_shards_are_refused(tmp_path):
    kept = PredictionFolder.begin(tmp_path / "run", {"name": "trial"})
    for chunk, length in ((0, 4), (1, 5)):
        kept.write(chunk, {"labels": LABELS, "clean": LOGITS, "frames/tilt": np.zeros((12, length), int)})
    with pytest.raises(InputError, match=r"part-00001.*frames/tilt has 5 frames, earlier files have 4"):
        score(kept, samples=0)
    kept.write(1, {"labels": LABELS, "clean": LOGITS})
    with pytest.raises(InputError, match="frames/tilt is there for 12 of 24 images"):
        score(kept, samples=0)


def test_predictions_on_anomalies_of_another_model_are_refused(tmp_path):
    known, strange = tmp_path / "known.npz", tmp_path / "strange.npz"
    np.savez(known, labels=LABELS, logits=LOGITS)
    np.savez(strange, labels=LABELS, logits=np.hstack([LOGITS, LOGITS]))
    with pytest.raises(InputError, match=r"strange.npz \(anomalies\) holds outputs for 8 classes and .*known"):
        score(PredictionFile(known), anomalies=PredictionFile(strange), samples=0)
    card = score(PredictionFile(known), anomalies=PredictionFile(known), samples=0)
    assert card["measures"]["anomaly_auroc"]["value"] == 0.5


def _claiming_too_much(path):
    whole = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        whole, {"descr": "<f4", "fortran_order": False, "shape": (30_000_000_000_000,)}
    )
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.npy", labels.getvalue())
        archive.writestr("logits.npy", whole.getvalue())


def _with_header(path, offset, value):
    """Each entry of the archive's list changed: bit 0 at 8 says encrypted, 10 is the compression's number."""
    np.savez(path, labels=LABELS, logits=LOGITS)
    content, place = bytearray(path.read_bytes()), -1
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        content[place + offset] = value
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_claiming_too_much, r"logits can't be read \(it claims to hold 120,000,000,000,000 bytes and holds \d+;"),
        (lambda path: _with_header(path, 8, 1), "labels can't be read .*encrypted"),
        (lambda path: _with_header(path, 10, 77), "labels can't be read .*compression"),
    ],
)
def test_archives_that_do_harm_are_refused(tmp_path, make, message):
    make(tmp_path / "theirs.npz")
    with pytest.raises(InputError, match=f"theirs.npz: {message}"):
        score(PredictionFile(tmp_path / "theirs.npz"))


def test_what_the_machine_has_no_memory_for_is_said_to_be(tmp_path, monkeypatch):
    np.savez(tmp_path / "theirs.npz", labels=LABELS, logits=LOGITS)
    file = PredictionFile(tmp_path / "theirs.npz")

    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr("ipmix.evaluation.predictions._check_claim", too_much)
    with pytest.raises(InputError, match="labels claims to be larger than this machine's memory"):
        score(file)


# --- logits or probabilities ---------------------------------------------------------------------------------


def probabilities(count=400):
    random = np.random.default_rng(1)
    logits = random.normal(scale=2.0, size=(count, 5))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), random.integers(0, 5, count)


def test_rounded_probabilities_and_percent_are_not_taken_for_logits(tmp_path):
    exact, labels = probabilities()
    forms = {
        "logits": np.log(exact), "exact": exact, "rounded": exact.round(2), "percent": (100.0 * exact).round(1),
    }  # fmt: skip
    cards = {name: scored(tmp_path, logits=rows.astype(np.float32), labels=labels) for name, rows in forms.items()}
    kinds = {name: card["scores"] for name, card in cards.items()}
    assert kinds == {
        "logits": "logits", "exact": "probabilities", "rounded": "probabilities", "percent": "percent",
    }  # fmt: skip
    rms = {name: card["measures"]["rms_calibration_error"]["value"] for name, card in cards.items()}
    assert rms["exact"] == pytest.approx(rms["logits"], abs=1e-4)
    assert rms["rounded"] == pytest.approx(rms["logits"], abs=0.01)
    assert rms["percent"] == pytest.approx(rms["logits"], abs=0.01)
    as_logits = score(_file(tmp_path, exact.round(2), labels), samples=0, scores="logits")
    assert abs(as_logits["measures"]["rms_calibration_error"]["value"] - rms["logits"]) > 0.05


def _file(path, rows, labels):
    np.savez(path / "theirs.npz", logits=rows.astype(np.float32), labels=labels)
    return PredictionFile(path / "theirs.npz")


def test_a_row_of_zeros_is_no_answer(tmp_path):
    exact, labels = probabilities()
    exact[3], labels[3] = 0.0, 0  # the largest of zeros would be class 0
    card = scored(tmp_path, logits=exact.astype(np.float32), labels=labels)
    assert (card["scores"], card["without_answer"]) == ("probabilities", {"clean": 1})
    others = np.delete(np.arange(400), 3)
    wrong = (exact.argmax(axis=1) != labels)[others].sum() + 1
    assert card["measures"]["clean_error"]["value"] == pytest.approx(wrong / 400)


def test_what_can_not_be_told_is_asked_for(tmp_path):
    random = np.random.default_rng(2)
    with pytest.raises(InputError, match=r"logits holds logits or probabilities can't be told .* --scores"):
        scored(tmp_path, logits=random.random((12, 4)).astype(np.float32))
    exact, labels = probabilities(12)
    with pytest.raises(InputError, match="logits looks like probabilities and attack like logits"):
        scored(tmp_path, logits=exact.astype(np.float32), labels=labels, attack=np.log(exact[:4]).astype(np.float32))
    with pytest.raises(InputError, match=r"probabilities are 0 or more, got -"):
        score(_file(tmp_path, np.log(exact), labels), scores="probabilities")
    with pytest.raises(InputError, match="scores must be one of auto, logits, probabilities"):
        score(_file(tmp_path, exact, labels), scores="percent")


def test_no_answer_is_never_right(tmp_path):
    """argmax of NaN is class 0: on images that are all of class 0 the error must be 100%, under every condition."""
    nothing, labels = np.full((12, 6), np.nan, np.float32), np.zeros(12, int)
    card = scored(
        tmp_path, labels=labels, logits=nothing, attack=nothing, auto_attack=nothing, **{
            "corruption/fog/1": nothing, "frames/tilt": np.full((12, 3), -1), "top5/tilt": np.full(12, 18.0),
        }
    )  # fmt: skip
    measures = card["measures"]
    for name in (
        "clean_error", "clean_error_top5", "chosen_corruption_error", "attack_error", "auto_attack_error",
        "chosen_flip_probability",
    ):  # fmt: skip
        assert measures[name]["value"] == 1.0, name
    for name in ("rms_calibration_error", "brier_score", "negative_log_likelihood", "area_under_risk_coverage"):
        assert measures[name]["value"] is None
        assert "12" in measures[name]["reason"]
    assert card["without_answer"] == dict.fromkeys(("attack", "auto_attack", "clean", "corruption/fog/1"), 12)
    one = np.where(np.arange(12)[:, None] == 5, np.nan, np.eye(6)[labels] * 3).astype(np.float32)
    assert scored(tmp_path, labels=labels, logits=one)["measures"]["clean_error"]["value"] == pytest.approx(1 / 12)
