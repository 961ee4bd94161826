import io
import json
import re
import zipfile

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation import predictions
from ipmix.evaluation.conditions import Condition
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder, PredictionShard, open_predictions

RUN = {"name": "trial", "plan": {"seed": 0}}


def arrays(count):
    return {
        "labels": np.zeros(count, np.int64),
        "indices": np.arange(count),
        "clean": np.ones((count, 3), np.float32),
    }


def test_parts_come_back_in_order(tmp_path):
    kept = PredictionFolder.begin(tmp_path / "run", RUN)
    for chunk in (1, 0, 10, 2):
        kept.write(chunk, arrays(chunk + 1))
    assert kept.has(10)
    assert not kept.has(3)
    reopened = PredictionFolder.open(tmp_path / "run")
    assert [len(shard.array("labels")) for shard in reopened.shards()] == [1, 2, 3, 11]
    assert reopened.run["plan"] == {"seed": 0}


def test_the_same_run_goes_on_and_another_is_refused(tmp_path):
    PredictionFolder.begin(tmp_path / "run", RUN).write(0, arrays(2))
    assert PredictionFolder.begin(tmp_path / "run", RUN).has(0)
    other = {**RUN, "plan": {"seed": 1}}
    with pytest.raises(InputError, match=r"there differs what is measured \(plan\).*--force"):
        PredictionFolder.begin(tmp_path / "run", other)
    assert not PredictionFolder.begin(tmp_path / "run", other, force=True).has(0)


def test_a_part_of_another_run_is_never_taken(tmp_path):
    """One that was killed while it wrote, or that writes on after its folder was begun anew."""
    old = PredictionFolder.begin(tmp_path / "run", RUN)
    old.write(0, arrays(2))
    new = PredictionFolder.begin(tmp_path / "run", {**RUN, "plan": {"seed": 1}}, force=True)
    old.write(1, arrays(5))
    assert not new.has(1)
    assert list(new.shards()) == []
    new.write(0, arrays(3))
    reopened = PredictionFolder.open(tmp_path / "run")
    assert [len(shard.array("labels")) for shard in reopened.shards()] == [3]
    # Back to the first settings: what it wrote in between is its own, and the other's is gone.
    again = PredictionFolder.begin(tmp_path / "run", RUN, force=True)
    assert not again.has(0)


def test_predictions_of_an_earlier_version_can_be_read_but_not_gone_on_with(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"format": "ipmix predictions 1", **RUN}))
    np.savez(tmp_path / "part-00000.npz", **arrays(4))
    assert [len(shard.array("labels")) for shard in PredictionFolder.open(tmp_path).shards()] == [4]
    with pytest.raises(InputError, match=r"earlier version .* ipmix score"):
        PredictionFolder.begin(tmp_path, RUN)
    assert not PredictionFolder.begin(tmp_path, RUN, force=True).has(0)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(InputError, match="not empty"):
        PredictionFolder.begin(tmp_path, RUN)
    with pytest.raises(InputError, match="holds no predictions"):
        PredictionFolder.open(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "important"


def test_a_damaged_shard_is_named(tmp_path):
    kept = PredictionFolder.begin(tmp_path / "run", RUN)
    kept.write(0, arrays(2))
    (file,) = (tmp_path / "run").glob("part-*")
    file.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=r"part-00000-.*npz can't be read"):
        list(kept.shards())
    kept.write(0, arrays(2))
    whole = file.read_bytes()
    needed = whole.index(b"PK\x01\x02") + 6  # where the archive says which version of the format it needs
    file.write_bytes(whole[:needed] + b"\x80" + whole[needed + 1 :])
    with pytest.raises(InputError, match=r"part-00000-.*npz can't be read as predictions \(zip file version 12\.8"):
        list(kept.shards())
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json is not readable JSON"):
        PredictionFolder.open(tmp_path / "run")


def test_a_file_of_somebody_else_s(tmp_path):
    np.savez(tmp_path / "theirs.npz", logits=np.ones((2, 3), np.float32), labels=np.array([0, 1]))
    kept = PredictionFile(tmp_path / "theirs.npz")
    (shard,) = kept.shards()
    assert shard.predictions(Condition("clean")).logits.shape == (2, 3)
    np.savez(tmp_path / "empty.npz", scores=np.ones(3))
    with pytest.raises(InputError, match="holds scores; expected arrays 'logits'"):
        PredictionFile(tmp_path / "empty.npz")
    with pytest.raises(InputError, match="no file"):
        PredictionFile(tmp_path / "absent.npz")


def npy(array):
    whole = io.BytesIO()
    np.save(whole, array)
    return whole.getvalue()


LABELS, LOGITS = np.array([0, 1]), np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((("labels.npy", npy(LABELS)), ("labels", npy(LABELS[::-1].copy()))), "holds 'labels' twice"),
        ((("labels.npy", npy(LABELS)), ("labels.npy", npy(LABELS + 1))), "holds 'labels' twice"),
        ((("labels", b"junk"),), r"labels can't be read \(it is no array"),
        (
            (("labels.npy", npy(LABELS) + bytes(16)),),
            r"labels can't be read \(it claims to hold 16 bytes and holds 32",
        ),
        (
            (("labels.npy", npy(LABELS)), ("places/attack.npy", npy(LABELS))),
            "places/attack says which images attack is of",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_contradict_themselves(tmp_path, members, message):
    with zipfile.ZipFile(tmp_path / "theirs.npz", "w") as archive:
        archive.writestr("logits.npy", npy(LOGITS))
        for name, content in members:
            archive.writestr(name, content)

    def read():
        shard = PredictionShard(tmp_path / "theirs.npz")
        shard.array("labels")
        shard.conditions()

    with pytest.raises(InputError, match=f"theirs.npz:? {message}"):
        read()


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "pickled.npz", logits=np.array([{"run": "code"}], dtype=object), labels=np.array([0]))
    with pytest.raises(
        InputError, match=r"can't be read \(it is no .npz of plain arrays; Python objects are not opened"
    ):
        PredictionShard(tmp_path / "pickled.npz").array("clean")
    np.save(tmp_path / "pickled.npy", np.array({"run": "code"}, dtype=object))
    with pytest.raises(InputError, match="Python objects are not opened"):
        PredictionShard(tmp_path / "pickled.npy")
    np.save(tmp_path / "array.npy", np.ones((3, 4)))
    with pytest.raises(InputError, match=r"a single array, not an .npz of several"):
        PredictionShard(tmp_path / "array.npy")
    with pytest.raises(InputError, match=r"there is no .*absent; expected a folder .* or an .npz"):
        open_predictions(tmp_path / "absent")


@pytest.mark.parametrize(
    ("arrays_of", "message"),
    [
        ({"logits": np.ones((3, 4), np.float32)}, r"theirs.npz: logits has the shape \[3, 4\] and there are 5 labels"),
        ({"logits": np.ones(5, np.int64)}, r"logits has the shape \[5\] .*; expected logits \[images, classes\]"),
        ({"clean": np.ones((7, 4), np.float32)}, r"clean has the shape \[7, 4\] and there are 5 labels"),
        (
            {"logits": np.ones((5, 4), np.float32), "attack": np.ones((6, 4), np.float32)},
            r"attack has the shape \[6, 4\]",
        ),
    ],
)
def test_a_label_is_needed_for_each_row_of_logits(tmp_path, arrays_of, message):
    np.savez(tmp_path / "theirs.npz", labels=np.zeros(5, np.int64), **arrays_of)
    (shard,) = PredictionFile(tmp_path / "theirs.npz").shards()
    with pytest.raises(InputError, match=message):
        shard.predictions(Condition("attack" if "attack" in arrays_of else "clean"))


def test_an_attack_may_be_on_some_of_the_images(tmp_path):
    labels, rows = np.arange(5), np.ones((2, 6), np.float32)
    np.savez(tmp_path / "first.npz", labels=labels, logits=np.ones((5, 6), np.float32), attack=rows)
    assert PredictionShard(tmp_path / "first.npz").predictions(Condition("attack")).labels.tolist() == [0, 1]
    np.savez(tmp_path / "some.npz", labels=labels, attack=rows, **{"places/attack": np.array([1, 4])})
    assert PredictionShard(tmp_path / "some.npz").predictions(Condition("attack")).labels.tolist() == [1, 4]


ABOUT = {"name": "trial", "part": 4, "data": {"name": "photos", "pictures": 10, "classes": ["a", "b"], "sha256": "aa"}}


def test_an_unfinished_run_is_not_scored_by_mistake(tmp_path):
    kept = PredictionFolder.begin(tmp_path / "run", ABOUT)
    kept.write(0, arrays(4))
    kept.write(2, arrays(2))
    assert kept.progress() == (6, 10)
    with pytest.raises(InputError, match=r"run holds 6 of 10 images: run the same ipmix evaluate .* --partial"):
        open_predictions(tmp_path / "run")
    assert len(list(open_predictions(tmp_path / "run", partial=True).shards())) == 2
    kept.write(1, arrays(3))  # one was broken and passed over
    assert open_predictions(tmp_path / "run").progress() == (10, 10)
    assert len(kept.places()) == 9


def test_what_the_data_is_called_makes_no_other_run(tmp_path):
    PredictionFolder.begin(tmp_path / "run", ABOUT).write(1, arrays(4))
    renamed = {**ABOUT, "data": {**ABOUT["data"], "name": "moved"}}
    assert PredictionFolder.of(tmp_path / "run", renamed).has(1)
    assert PredictionFolder.begin(tmp_path / "run", renamed).has(1)
    changed = {**ABOUT, "data": {**ABOUT["data"], "sha256": "bb"}}
    assert not PredictionFolder.of(tmp_path / "run", changed).has(1)
    with pytest.raises(InputError, match=r"there differs what the images hold, or which they are \(data\)"):
        PredictionFolder.begin(tmp_path / "run", changed)


def test_a_run_that_was_killed_in_its_first_write_goes_on(tmp_path):
    (tmp_path / ".run.json.0123abcd.part").write_text("{")
    (tmp_path / ".lock").touch()
    PredictionFolder.begin(tmp_path, RUN).write(0, arrays(2))
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match="not empty and holds no predictions"):
        PredictionFolder.begin(tmp_path, RUN)


BESIDE = [
    ("made.json", '{"versions": 1e999}', r"made\.json is not readable JSON .it holds 1e999"),
    ("made.json", '{"versions": null}', r"made\.json: versions must be an object, got None"),
    ("made.json", '{"versions": {"torch": 2}}', r"made\.json: versions\.torch must be a text"),
    ("made.json", '{"normalisation": 5}', r"made\.json: normalisation must be an object or null"),
    ("made.json", '{"normalisation": {"mean": [NaN]}}', r"made\.json is not readable JSON .it holds NaN"),
    ("made.json", '{"device": "cpu", "device": "cuda"}', r"made\.json .*the key 'device' stands twice"),
    ("made.json", '{"then": ["cpu"]}', r"made\.json: then\[0\] must be an object"),
    ("made.json", '{"then": [{"device": "cpu"}]}', r"made\.json: then\[0\] lacks precision"),
    ("run.json", {"name": 5}, r"run\.json: name must be a text or null, got 5"),
    ("run.json", {"data": {"name": "photos"}}, r"run\.json: data lacks pictures, classes"),
    ("run.json", {"plan": {"corruptions": []}}, r"run\.json: plan lacks severities"),
    ("run.json", {"model": "wrn"}, r"run\.json: model must be an object"),
    ("run.json", {"form": {"size": "32"}}, r"run\.json: form\.size must be"),
]
"""What others may have written beside predictions: a scorecard would hold it, and no report would take that."""


@pytest.mark.parametrize(("file", "content", "message"), BESIDE, ids=[str(content)[:40] for _, content, _ in BESIDE])
def test_what_stands_beside_predictions_is_checked_before_anything_is_written(tmp_path, capsys, file, content, message):
    pytest.importorskip("torch", reason="the train extra is not installed")
    from ipmix.cli.main import main

    run = {"name": "trial"} | (content if isinstance(content, dict) else {})
    kept = PredictionFolder.begin(tmp_path / "run", run)
    kept.write(0, arrays(4))
    if isinstance(content, str):
        (tmp_path / "run" / file).write_text(content)
    assert main(["score", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line), line
    assert not (tmp_path / "out").exists()


def test_controls_in_a_recorded_command_are_shown_as_escapes(tmp_path, capsys):
    """They come of files' names, so that they are no reason to refuse it."""
    pytest.importorskip("torch", reason="the train extra is not installed")
    from ipmix.cli.main import main

    kept = PredictionFolder.begin(tmp_path / "run", {"name": "trial"})
    kept.write(0, arrays(4))
    kept.note_made({"command": "ipmix evaluate a\x1b[2J b\u202e", "device": "c\x07u", "precision": "float32"})
    assert main(["score", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--samples", "0"]) == 0
    for command in ("report.html", "a.md"):
        if command == "a.md":
            assert (
                main(["report", str(tmp_path / "out"), "--format", "model-card", "--out", str(tmp_path / command)]) == 0
            )
        text = (tmp_path / ("out" if command == "report.html" else "") / command).read_text(encoding="utf-8")
        assert not {"\x1b", "\u202e", "\x07"} & set(text)
        assert "ipmix evaluate a" in text


def test_a_full_disk_is_told_in_numbers_that_differ_from_none(tmp_path, monkeypatch):
    free = predictions.shutil.disk_usage(tmp_path)._replace(free=512)
    monkeypatch.setattr(predictions.shutil, "disk_usage", lambda _: free)
    with pytest.raises(InputError, match=r"need 2\.0 KiB and the disk of .* has 512 bytes free"):
        predictions.check_space(tmp_path / "out", 2048)
    predictions.check_space(tmp_path / "out", 512)
