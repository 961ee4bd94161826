"""Making sets: the same on any number of threads and in shards, resumed after an interruption, never half taken."""

import json
import os

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.fractals.kinds import PAINTINGS_VERSION, Painting
from ipmix.mixing_set import making
from ipmix.mixing_set.composition import compose
from ipmix.mixing_set.making import make
from ipmix.mixing_set.manifest import MixingSetPlan, finished_text, manifest_name, place_in_shard, read

MIX = {"ifs": 12, "julia": 11, "mandelbrot": 10}


def plan_of(files="png", shard=1, shards=1, seed=0, count=33, **more):
    return MixingSetPlan(seed=seed, size=16, mix=compose(count, MIX), files=files, shard=shard, shards=shards, **more)


def run(plan, folder, threads=2, **more):
    return list(make(plan, folder, threads, **more))


def hashes(folder, plan):
    return [entry.sha256 for entry in read(folder / manifest_name(plan))[1]]


@pytest.mark.parametrize("files", ["png", "shard"])
def test_any_number_of_threads(tmp_path, files):
    plan = plan_of(files)
    for threads in (1, 5):
        assert run(plan, tmp_path / str(threads), threads)[-1] == 33
    one, five = ({p.relative_to(tmp_path / t): p.read_bytes() for p in (tmp_path / t).rglob("*") if p.is_file()}
                 for t in ("1", "5"))  # fmt: skip
    assert one == five
    assert len(one) == (34 if files == "png" else 2)  # images, manifest


def test_another_seed_other_images(tmp_path):
    run(plan_of(), tmp_path / "a")
    run(plan_of(seed=1), tmp_path / "b")
    assert not set(hashes(tmp_path / "a", plan_of())) & set(hashes(tmp_path / "b", plan_of()))


@pytest.mark.parametrize("files", ["png", "shard"])
def test_an_interrupted_run_goes_on(tmp_path, monkeypatch, files):
    monkeypatch.setattr(making, "BATCH", 8)
    plan = plan_of(files)
    steps = make(plan, tmp_path / "cut", 1)
    while next(steps) < 16:
        pass
    steps.close()  # as a kill between two batches
    assert not (tmp_path / "cut" / manifest_name(plan)).exists()
    with open(tmp_path / "cut" / "manifest.journal", "ab") as journal:
        journal.write(b'{"number": 16, "kind": "julia", "ind')  # as a kill within a write
    painted = []
    original = making.paint
    monkeypatch.setattr(making, "paint", lambda *key: painted.append(key) or original(*key))
    assert run(plan, tmp_path / "cut")[-1] == 33
    assert len(painted) == 33 - 16
    run(plan, tmp_path / "whole")
    for file in (tmp_path / "whole").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "cut" / file.relative_to(tmp_path / "whole")).read_bytes()


@pytest.mark.parametrize("files", ["png", "shard"])
def test_a_run_killed_before_its_last_step_leaves_no_journal(tmp_path, files):
    plan = plan_of(files)
    run(plan, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tmp_path / "manifest.journal" not in before
    (tmp_path / "manifest.journal").write_bytes(b"of the killed run")
    assert run(plan, tmp_path)[-1] == 33
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_image_removed_meanwhile_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "BATCH", 8)
    steps = make(plan_of(), tmp_path, 1)
    while next(steps) < 8:
        pass
    steps.close()
    (tmp_path / "ifs" / "ifs-00003.png").unlink()
    run(plan_of(), tmp_path)
    assert (tmp_path / "ifs" / "ifs-00003.png").is_file()


@pytest.mark.parametrize("files", ["png", "shard"])
def test_shards_put_together_equal_the_whole(tmp_path, files):
    from ipmix.mixing_set.mixing_set import MixingSet

    run(plan_of(files), tmp_path / "whole")
    for shard in (3, 1, 2):
        run(plan_of(files, shard, 3), tmp_path / "shards")
    whole, shards = MixingSet.open(tmp_path / "whole"), MixingSet.open(tmp_path / "shards")
    assert [e.sha256 for e in shards.entries] == [e.sha256 for e in whole.entries]
    for i in range(33):
        np.testing.assert_array_equal(whole[i], shards[i])


def test_a_manifest_s_keys_are_those_that_earlier_sets_have(tmp_path):
    run(plan_of(shard=2, shards=3), tmp_path)
    content = json.loads((tmp_path / "manifest-02-of-03.json").read_text())
    assert (content["part"], content["parts"], content["pictures_version"]) == (2, 3, PAINTINGS_VERSION)
    assert not {"shard", "shards", "paintings_version"} & content.keys()


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_places_in_shards(shards):
    for shard in range(shards):
        for row, number in enumerate(plan_of(shard=shard + 1, shards=shards).numbers()):
            assert place_in_shard(number, shards) == (shard, row)


def test_a_finished_set_is_left_as_it_is(tmp_path):
    run(plan_of(), tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}
    assert run(plan_of(), tmp_path) == [33]
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}


def test_another_set_in_the_same_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "BATCH", 8)
    steps = make(plan_of(), tmp_path, 1)
    next(steps), next(steps)
    steps.close()
    with pytest.raises(InputError, match="another mixing set, unfinished"):
        run(plan_of(seed=1), tmp_path)
    run(plan_of(), tmp_path)
    with pytest.raises(InputError, match=r"holds another mixing set \(.*, now "):
        run(plan_of(seed=1), tmp_path)


@pytest.mark.parametrize("files", ["png", "shard"])
def test_a_full_disk_leaves_what_is_there_valid(tmp_path, monkeypatch, files):
    monkeypatch.setattr(making, "BATCH", 8)
    plan = plan_of(files)
    steps = make(plan, tmp_path, 1)
    while next(steps) < 8:
        pass
    real = os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"No space left on device(.*) free some space and run the same again"):
        list(steps)
    monkeypatch.setattr(os, "fsync", real)
    assert not (tmp_path / manifest_name(plan)).exists()
    assert run(plan, tmp_path)[-1] == 33
    assert not list(tmp_path.rglob("*.part"))


def test_an_array_of_which_nothing_is_done_is_not_left_behind(tmp_path, monkeypatch):
    """Its space is taken from the first moment: kept on a full disk, it would be of no use to anybody."""
    plan = plan_of("shard")
    unfinished = tmp_path / f"{making.shard_name(plan)}.part"
    real = os.fsync

    def full(descriptor):
        if unfinished.exists():  # the journal's turn, after the first images
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device"):
            run(plan, tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.setattr(making, "BATCH", 8)
    steps = make(plan, tmp_path, 1)
    while next(steps) < 8:
        pass
    steps.close()
    assert unfinished.exists()  # with the first eight, a run that goes on needs it
    assert run(plan, tmp_path)[-1] == 33
    assert not list(tmp_path.rglob("*.part"))


def test_an_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"can't write the mixing set(.*) choose a folder"):
        run(plan_of(), tmp_path / "file" / "set")
    with pytest.raises(InputError, match="is a file; expected the name of a folder"):
        run(plan_of(), tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"size": 4}, "8 to 4096"), ({"files": "gif"}, "files must be"), ({"shard": 3, "shards": 2}, "does not exist"),
     ({"seed": 2**64}, "64 bits"), ({"mix": {"feature": 3}}, "need a network"),
     ({"mix": {"image": 3}}, "need a folder"), ({"mix": {"fern": 3}}, "unknown kind")],
)  # fmt: skip
def test_plans_that_can_not_be_made(tmp_path, change, words):
    given = {"seed": 0, "size": 16, "mix": {"ifs": 3}, "files": "png", **change}
    with pytest.raises(InputError, match=words):
        run(MixingSetPlan(**given), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_external_kinds_are_painted_by_what_is_given(tmp_path):
    asked = []

    def painter(seed, indices, size):
        asked.extend(indices)
        return [Painting(np.full((size, size, 3), 10 + index, np.uint8), 1, {"it": index}) for index in indices]

    plan = MixingSetPlan(
        seed=0, size=16, mix=compose(12, {"ifs": 2, "feature": 10}), files="png", sources={"feature": "x"}
    )
    run(plan, tmp_path, painters={"feature": painter})
    assert asked == list(range(10))
    assert read(tmp_path / "manifest.json")[1][9].parameters == {"it": 9}


def edited(tmp_path, edit):
    plan = plan_of()
    run(plan, tmp_path)
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path


EDITS = {
    "version": (lambda m: m.update(version=7), "of manifest version 7"),
    "format": (lambda m: m.update(format="other"), "not the manifest of a mixing set"),
    "seed": (lambda m: m.update(seed=5), "changed after it was written"),
    "seed type": (lambda m: m.update(seed="five"), "'seed' must be of type int"),
    "size": (lambda m: m.update(size=3), "'size' must lie in"),
    "hash": (lambda m: m["pictures"][3].update(sha256="0" * 64), "changed after it was written"),
    "hash form": (lambda m: m["pictures"][3].update(sha256="zz"), "64 hexadecimal digits"),
    "traversal": (lambda m: m["pictures"][3].update(file="../../etc/passwd"), "not of the form"),
    "absolute": (lambda m: m["pictures"][3].update(file="/etc/ifs-00001.png"), "not of the form"),
    "removed": (lambda m: m["pictures"].pop(), "lists 32 images"),
    "swapped": (lambda m: m["pictures"].reverse(), "out of order"),
    "kind": (lambda m: m["pictures"][3].update(kind="julia"), "does not fit"),
    "extra key": (lambda m: m["pictures"][3].update(note=1), "expected an object with the keys"),
    "no list": (lambda m: m.update(pictures=3), "must be a list"),
    "mix": (lambda m: m["mix"].update(fern=2), "unknown kind"),
    "count": (lambda m: m["mix"].update(ifs=-2), "whole number above 0"),
    "part": (lambda m: m.update(part=2), "shard 2 of 1 does not exist"),
    "files": (lambda m: m.update(files="bmp"), "'files' must be one of"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_manifest_edited_by_hand(tmp_path, name):
    edit, words = EDITS[name]
    with pytest.raises(InputError, match=words):
        read(edited(tmp_path, edit))


def test_an_untouched_manifest_reads_back(tmp_path):
    path = edited(tmp_path, lambda m: None)  # only laid out anew
    plan, entries = read(path)
    assert plan == plan_of()
    path.write_text(finished_text(plan, entries))
    assert read(path) == (plan, entries)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"format": 3}'])
def test_a_manifest_that_is_none(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="manifest"):
        read(path)
