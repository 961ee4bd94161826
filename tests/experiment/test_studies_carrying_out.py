"""Cells trained and measured for real, on a few digits: whole, interrupted, in two parts, two at once."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.files import alone
from ipmix.data.datasets import load
from ipmix.experiment.config import ExecutionConfig
from ipmix.experiment.studies import carrying_out
from ipmix.experiment.studies.attention import write_attention
from ipmix.experiment.studies.carrying_out import Manner, carry_out, sweep_finished, sweep_killed
from ipmix.experiment.studies.places import Places
from ipmix.experiment.studies.results import Job, Results, jobs
from ipmix.experiment.studies.running import Stopped, run_jobs, stage
from ipmix.experiment.studies.study import Study, open_study
from ipmix.training.loader import Loader

TINY = """
title: digits
kind: training
measures: [clean_error, mean_corruption_error, mean_flip_probability, attack_error, epoch_seconds]
base:
  data: {source: some-digits}
  training: {model: wrn-10-1, epochs: 2, batch_size: 20, flip: false}
  mixing: {count: 4}
cells:
  plain: {method: {name: none}}
  cutout: {method: {name: cutout}}
scales:
  laptop:
    passes:
      clean: {}
      corruptions: {corruptions: [gaussian_noise, contrast], severities: [2], limit: 40}
      sequences: {perturbations: [translate], limit: 4}
      attack: {attack: true, limit: 4}
"""
EXECUTION = ExecutionConfig(device="cpu", quiet=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as files: 60 to train on, 40 to test on."""
    folder = tmp_path_factory.mktemp("some-digits")
    for split, count in (("train", 60), ("test", 40)):
        found = load("digits", split, size=16, quiet=True)
        for place in range(count):
            where = folder / split / found.classes[found.labels[place]]
            where.mkdir(parents=True, exist_ok=True)
            Image.fromarray(found.images[place]).save(where / f"{place}.png")
    return folder


@pytest.fixture(scope="module")
def manner(data: Path) -> Manner:
    return Manner(Places(data), ("some-digits",), EXECUTION)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(TINY)
    return open_study(str(path))


@pytest.fixture(scope="module")
def whole(study: Study, manner: Manner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of both cells, made one after the other."""
    out = tmp_path_factory.mktemp("whole")
    for job in jobs(study, "laptop", [0]):
        carry_out(job, out, manner)
    return out


def figures(path: Path) -> dict[str, Any]:
    """What must be the same wherever and however often interrupted a cell was made."""
    content: dict[str, Any] = json.loads(path.read_text())
    content["passes"].pop("clock")
    return {key: content[key] for key in ("key", "settings", "passes", "last", "best", "data", "seed")}


def test_a_cells_result_says_what_it_is_and_how_it_was_made(study: Study, data: Path, whole: Path) -> None:
    plain = jobs(study, "laptop", [0])[0]
    content = json.loads(plain.path(whole).read_text())
    assert content["passes"]["clean"]["measures"]["clean_error"]["value"] is not None
    assert set(content["passes"]) == {"clean", "corruptions", "sequences", "attack", "clock"}
    assert set(content["passes"]["corruptions"]["corruptions"]) == {"gaussian_noise", "contrast"}
    assert content["passes"]["clock"]["measures"]["epoch_seconds"]["value"] > 0
    assert content["hours"]["training"] > 0
    assert content["hours"]["measuring"] > 0
    assert content["data"]["train"]["crc32"]
    assert content["versions"]["torch"]
    assert content["hardware"]["processor"]
    assert "commit" in content
    words = ["ipmix", "reproduce", "run", study.source, "--scale", "laptop", "--cells", "plain", "--seeds", "0"]
    assert shlex.split(content["command"]) == [*words, "--data", str(data), "--device", "cpu"]
    left = sorted(path.name for path in (whole / "tiny" / "laptop").iterdir())
    assert left == ["cutout-seed0.json", "plain-seed0.json"], "the network and the predictions are dropped"
    assert Results([whole]).of(plain) is not None


def test_the_command_names_what_was_given_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my studies").mkdir()
    Path("my studies/tiny.yaml").write_text(TINY)
    job = jobs(open_study("my studies/tiny.yaml"), "laptop", [3], ["plain"])[0]
    places = Places(Path("images"), {"photos": Path("../photos")}, download=True)
    given = Manner(places, execution=ExecutionConfig(threads=2), keep=True, force=True, trust=True)
    assert carrying_out.command_of(job, given) == (
        "ipmix reproduce run 'my studies/tiny.yaml' --scale laptop --cells plain --seeds 3 --data images "
        "--folder photos=../photos --threads 2 --download --keep-weights --trust"
    )
    shipped = jobs(open_study("table10"), "laptop", [0], ["ipmix"])[0]
    assert carrying_out.command_of(shipped, Manner()) == (
        "ipmix reproduce run table10 --scale laptop --cells ipmix --seeds 0"
    )


@pytest.mark.parametrize(("given", "found"), [("cifar10", "./cifar10"), (".", "./cifar10"), ("images", "images")])
def test_a_folder_called_as_data_is_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "test"):
        for name in "abcdefghij":
            (tmp_path / "cifar10" / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / "cifar10" / split / name / "1.png")
            (tmp_path / "images" / split / name).mkdir(parents=True)
    (source,) = {Places(Path(given)).source("cifar10", ["cifar10"])}
    assert source == found
    if given != "images":
        assert len(load(source, "test")) == 10


def test_what_was_interrupted_goes_on_and_ends_the_same(
    study: Study, manner: Manner, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs(study, "laptop", [0])[0]
    batches = []
    made = Loader._batch

    def stopping(self: Loader, *what: Any) -> Any:
        batches.append(what)
        if len(batches) == 5:  # in the second of two epochs of three batches
            raise KeyboardInterrupt
        return made(self, *what)

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "_batch", stopping)
        with pytest.raises(KeyboardInterrupt):
            carry_out(job, tmp_path, manner)
    assert not job.path(tmp_path).exists()
    assert stage(job, tmp_path) == "epoch 2 of 2"
    from ipmix.experiment.studies import carrying_out

    measured = carrying_out.measure

    def failing(*arguments: Any, **options: Any) -> Any:
        if "measured-sequences" in str(arguments[3]):
            raise KeyboardInterrupt
        return measured(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(carrying_out, "measure", failing)
        with pytest.raises(KeyboardInterrupt):
            carry_out(job, tmp_path, manner)
    assert stage(job, tmp_path).startswith("measuring")
    carry_out(job, tmp_path, manner)
    assert figures(job.path(tmp_path)) == figures(job.path(whole))
    assert not job.work(tmp_path).exists()


def test_nobody_else_is_at_a_cell(study: Study, manner: Manner, tmp_path: Path) -> None:
    job = jobs(study, "laptop", [0])[0]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(job.work(tmp_path))], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another process is writing to"):
            carry_out(job, tmp_path, manner)
        assert run_jobs([job], tmp_path, [], jobs=1, quiet=True) == [], "left to the other one"
    finally:
        holder.communicate()
    with alone(job.work(tmp_path)):
        pass


HOLDING = """
import sys
from ipmix.core.files import alone
from ipmix.data.datasets import load
with alone(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_finished_cell_is_not_made_again(
    study: Study, manner: Manner, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipmix.experiment.studies import carrying_out

    def none(*_: Any, **__: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(carrying_out, "train", none)
    job = jobs(study, "laptop", [0])[0]
    assert carry_out(job, whole, manner) == job.path(whole)


def test_what_a_killed_process_left_behind_its_result_is_removed(study: Study, whole: Path, tmp_path: Path) -> None:
    job = jobs(study, "laptop", [0], ["plain"])[0]
    path, work = job.path(tmp_path), job.work(tmp_path)
    (work / "run").mkdir(parents=True)
    (work / "clock.json").write_text("{}")
    (work / "run" / "state.pt").write_text("")
    job.log(tmp_path).write_text("nearly done")
    sweep_finished(job, tmp_path)
    assert (work / "run" / "state.pt").exists()  # no result: it is at work, or goes on
    path.write_bytes(job.path(whole).read_bytes())
    with alone(work):  # somebody is at it
        sweep_finished(job, tmp_path)
        assert (work / "run" / "state.pt").exists()
    os.utime(work / "clock.json", ns=(path.stat().st_mtime_ns + 10**9,) * 2)
    sweep_finished(job, tmp_path)
    assert (work / "run" / "state.pt").exists()  # of other settings, begun later
    os.utime(work / "clock.json", ns=(path.stat().st_mtime_ns - 10**9,) * 2)
    sweep_finished(job, tmp_path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    (work / "measured-clean").mkdir(parents=True)  # killed while it removed them
    sweep_finished(job, tmp_path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    (work / "run").mkdir(parents=True)  # of other settings, not measured yet
    sweep_finished(job, tmp_path)
    assert (work / "run").exists()


def test_a_half_written_result_of_a_killed_process_is_removed(study: Study, whole: Path, tmp_path: Path) -> None:
    job = jobs(study, "laptop", [0], ["plain"])[0]
    path = job.path(tmp_path)
    sweep_killed([], [job], tmp_path)  # nothing is there yet
    path.parent.mkdir(parents=True)
    half = path.with_name(f".{path.name}.0a1b2c3d.part")
    half.write_text("{")
    path.write_bytes(job.path(whole).read_bytes())
    sweep_killed([job], [job], tmp_path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_is_known_of_the_work_is_removed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run", "measured-clean"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    (tmp_path / "clock.json").write_text("{}")
    removed: list[str] = []
    real = carrying_out.shutil.rmtree

    def rmtree(path: Path, **options: Any) -> None:
        removed.append(path.name)
        assert (tmp_path / "clock.json").exists()
        real(path, **options)

    monkeypatch.setattr(carrying_out.shutil, "rmtree", rmtree)
    carrying_out._clear(tmp_path)
    assert sorted(removed) == ["measured-clean", "run"]
    assert not list(tmp_path.iterdir())


def test_processes_make_the_same_results(
    study: Study, data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts on two machines, each cell in a process of its own, are the whole; a cell that fails stops no other."""
    (tmp_path / "re.py").write_text("raise SystemExit('a file of the folder one works in was run')")
    monkeypatch.chdir(tmp_path)
    todo = jobs(study, "laptop", [0])
    broken = Job("tiny", "nothing", "laptop", 0, todo[0].experiment, todo[0].passes, source=study.source)
    failed = run_jobs([broken, todo[0]], tmp_path / "a", ["--device", "cpu", "--data", str(data)], jobs=2, quiet=True)
    assert [one.job.cell for one in failed] == ["nothing"]
    assert failed[0].reason is not None
    assert "has no cell 'nothing'" in failed[0].reason
    assert run_jobs(todo[1:], tmp_path / "b", ["--device", "cpu", "--data", str(data)], jobs=1, quiet=True) == []
    for job, out in ((todo[0], tmp_path / "a"), (todo[1], tmp_path / "b")):
        assert figures(job.path(out)) == figures(job.path(whole))
        assert not job.path(out).with_suffix(".log").exists()
        command = json.loads(job.path(out).read_text())["command"]
        assert shlex.split(command)[3:] == [
            *(study.source, "--scale", "laptop", "--cells", job.cell, "--seeds", "0"),
            *("--data", str(data), "--device", "cpu"),
        ]
    together = Results([tmp_path / "a", tmp_path / "b"])
    assert all(together.of(job) is not None for job in todo)


def test_ctrl_c_ends_all_processes_and_leaves_them_resumable(
    study: Study, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipmix.experiment.studies import running

    job = jobs(study, "laptop", [0])[0]
    started: list[Any] = []
    original = running._started

    def noting(*arguments: Any) -> Any:
        started.append(original(*arguments))
        return started[-1]

    sleep, begun = time.sleep, []

    def impatient(seconds: float) -> None:
        sleep(seconds)
        if not begun and job.work(tmp_path).exists():
            begun.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(running, "_started", noting)
    monkeypatch.setattr(time, "sleep", impatient)
    with pytest.raises(Stopped):
        run_jobs([job], tmp_path, ["--data", str(data)], jobs=1, quiet=True)
    assert started[0].process.returncode is not None
    assert not job.path(tmp_path).exists()


def test_a_page_of_where_networks_look(data: Path, tmp_path: Path) -> None:
    text = TINY.replace("kind: training", "kind: attention").replace("epochs: 2", "epochs: 1")
    text = text.replace(", mean_corruption_error, mean_flip_probability, attack_error, epoch_seconds]", "]")
    (tmp_path / "look.yaml").write_text(text)
    study = open_study(str(tmp_path / "look.yaml"))
    todo = jobs(study, "laptop", [0])
    keeping = Manner(Places(data), ("some-digits",), EXECUTION, keep=True)
    with pytest.raises(InputError, match="no trained network of look"):
        write_attention(study, todo, tmp_path / "out", keeping)
    carry_out(todo[0], tmp_path / "out", keeping)
    assert Results([tmp_path / "out"]).of(todo[0], weights=True) is not None
    page = write_attention(study, todo, tmp_path / "out", keeping).read_text()
    assert page.count("<img") >= 20, "each image, and its map"
    assert "Grad-CAM at" in page
    assert "Not yet trained: cutout." in page
    # Networks of another study: nothing of this one is there but its page.
    shutil.move(tmp_path / "out" / "look", tmp_path / "out" / "other")
    assert write_attention(study, todo, tmp_path / "out", keeping) == tmp_path / "out" / "look" / "laptop" / "look.html"


def test_a_terminal_that_is_gone_is_as_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    from ipmix.experiment.studies import running

    before = signal.getsignal(signal.SIGHUP)

    def until_the_terminal_is_gone() -> None:
        with running._terminating():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        until_the_terminal_is_gone()
    assert signal.getsignal(signal.SIGHUP) == before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with running._terminating():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
