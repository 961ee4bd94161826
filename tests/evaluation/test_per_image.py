import json

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.per_image import FILE, read_per_image, write_per_image
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder
from ipmix.evaluation.results import read_runs
from ipmix.evaluation.scorecard import scored
from ipmix.measures.table import MEASURES
from ipmix.report.comparison import compare

COUNT, CLASSES = 150, 6


def arrays_of(seed, strength=1.5):
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, CLASSES, COUNT)

    def logits():
        made = random.normal(size=(COUNT, CLASSES)).astype(np.float32)
        made[np.arange(COUNT), labels] += strength
        return made

    arrays = {"labels": labels, "clean": logits(), "attack": logits()[:40], "corruption/fog/2": logits()}
    return arrays | {"frames/tilt": random.integers(0, 3, (COUNT, 4)), "top5/tilt": random.random(COUNT)}


@pytest.fixture
def run(tmp_path):
    np.savez(tmp_path / "run.npz", **arrays_of(1))
    return scored(PredictionFile(tmp_path / "run.npz"), samples=20)


def test_outcomes_come_back_and_give_the_figures(tmp_path, run):
    write_per_image(tmp_path / FILE, run.per_image)
    found = read_per_image(tmp_path / FILE, run.card)
    assert found.same_images(run.per_image)
    assert set(found.arguments) >= {"clean_error", "attack_error", "chosen_corruption_error", "rms_calibration_error"}
    for name, arguments in found.arguments.items():
        assert MEASURES[name].function(*arguments) == pytest.approx(run.card["measures"][name]["value"])
    assert len(found.arguments["attack_error"][0]) == 40
    assert (tmp_path / FILE).stat().st_size < 40_000


def test_another_scorecard_s_outcomes_are_refused(tmp_path, run):
    np.savez(tmp_path / "other.npz", **arrays_of(2))
    other = scored(PredictionFile(tmp_path / "other.npz"), samples=20)
    write_per_image(tmp_path / FILE, run.per_image)
    with pytest.raises(InputError, match="doesn't belong to the scorecard beside it"):
        read_per_image(tmp_path / FILE, other.card)


NEWER = b"PK\x01\x02" + b"\x14\0\x80\0" + bytes(38) + b"PK\x05\x06" + bytes(4) + b"\1\0\1\0" + b"\x2e\0\0\0" + bytes(6)
"""An archive's list of contents that asks for version 12.8 of the format."""


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\3\4", NEWER, None])
def test_what_is_no_file_of_outcomes(tmp_path, run, content):
    if content is None:
        np.savez(tmp_path / FILE, which=np.frombuffer(b'{"clean_error": ["absent"]}', np.uint8), labels=np.zeros(3))
    else:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match="can't be read as outcomes"):
        read_per_image(tmp_path / FILE, run.card)


def keep(folder, seed, **options):
    arrays = arrays_of(seed, **options)
    kept = PredictionFolder.begin(folder / "predictions", {"name": folder.name})
    kept.write(0, {**arrays, "indices": np.arange(COUNT)})
    found = scored(kept, samples=20)
    (folder / "scorecard.json").write_text(json.dumps(found.card))
    return found


def test_runs_are_paired_by_outcomes_by_predictions_or_not_at_all(tmp_path):
    keep(tmp_path / "a", 1)
    second = keep(tmp_path / "b", 2, strength=3.0)
    write_per_image(tmp_path / "b" / FILE, second.per_image)
    runs = [read_runs(tmp_path / name)[0] for name in ("a", "b")]
    found = compare(*runs)
    assert found.paired
    assert found.row("clean_error").verdict == "better"
    alone = tmp_path / "alone.json"
    alone.write_text((tmp_path / "a" / "scorecard.json").read_text())
    assert read_runs(alone)[0].per_image is None
    assert not compare(read_runs(alone)[0], runs[1]).paired


def test_predictions_of_another_run_beside_a_scorecard_are_not_taken(tmp_path):
    keep(tmp_path / "a", 1)
    card = json.loads((tmp_path / "a" / "scorecard.json").read_text())
    card["run"]["name"] = "another"
    (tmp_path / "a" / "scorecard.json").write_text(json.dumps(card))
    assert read_runs(tmp_path / "a")[0].per_image is None
