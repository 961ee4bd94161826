"""What was silently wrong after interruptions, line by line: where each is tested, and tests that fit nowhere else."""

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.commands import quickstart as command
from ipmix.cli.main import main
from ipmix.core.errors import InputError
from ipmix.data import decoding
from ipmix.data.datasets import scan
from ipmix.training import loop

TESTS = Path(__file__).parents[1]

LINES = {
    "corrupt --force with another seed, stopped and gone on with, mixes no settings": (
        "corruptions/test_sets/test_beginning.py", "test_forced_and_stopped_and_gone_on_with_it_mixes_no_settings"),
    "corrupt into a folder begun from other data of the same name and count": (
        "corruptions/test_sets/test_beginning.py", "test_other_images_of_the_same_name_and_number_are_refused"),
    "the same of an array": (
        "corruptions/test_sets/test_beginning.py", "test_another_array_of_the_same_name_is_refused"),
    "score of an interrupted evaluation": (
        "evaluation/test_interrupted.py", "test_an_interrupted_evaluation_is_scored_in_part_only_when_asked"),
    "two evaluations in one folder": ("evaluation/test_interrupted.py", "test_two_evaluations_in_one_folder"),
    "evaluate on data that has changed": (
        "evaluation/test_interrupted.py", "test_changed_images_are_not_given_the_old_answers"),
    "evaluate killed in its first write": (
        "evaluation/test_interrupted.py", "test_killed_in_its_first_write_it_goes_on"),
    "divergence before the first save": (
        "training/test_saved_state.py", "test_divergence_before_the_first_save_says_so"),
    "Ctrl-C in quickstart": ("reliability/test_interruptions.py", "test_stopped_quickstart_names_no_resume"),
    "--mean and --std for our own networks": (
        "models/test_strangers_files.py", "test_a_normalisation_that_would_not_be_used_is_refused"),
    "endings .jfif and .avif": ("data/test_decoding.py", "test_less_usual_endings_count"),
    "subfolders that can't be read": ("data/test_folders.py", "test_folders_that_are_no_folders_or_closed"),
    "permission denied is no damaged image": (
        "reliability/test_interruptions.py", "test_what_may_not_be_read_is_not_passed_over_as_damaged"),
    "measures that are none, refused before the training": (
        "reliability/test_interruptions.py", "test_settings_of_the_evaluation_are_refused_before_the_training"),
    "anomalies that are not there, refused before the predictions": (
        "evaluation/test_evaluating.py", "test_anomalies_that_can_not_be_read_leave_nothing_behind"),
    "the parent of workers killed": ("reliability/test_interruptions.py", "test_workers_end_with_their_parent"),
}  # fmt: skip


def functions(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("line", LINES)
def test_each_line_has_a_test(line: str) -> None:
    file, name = LINES[line]
    assert name in functions(TESTS / file), sorted(functions(TESTS / file))


def images(folder: Path, count: int = 4) -> Path:
    """A folder <split>/<class>/<image>."""
    draws = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in "ab":
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def test_stopped_quickstart_names_no_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipmix.experiment.quickstart.quickstart", stopped)
    assert main(["quickstart", "--out", str(tmp_path / "out")]) == 130
    told = capsys.readouterr().err
    assert "unfinished, and --force starts anew" in told
    assert "--resume" not in told
    assert "resume" not in command.quickstart.__annotations__, "it has no such option"


def test_what_may_not_be_read_is_not_passed_over_as_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = images(tmp_path / "data")
    (folder / "train" / "a" / "0.png").write_bytes(b"damaged")
    _, broken = scan(folder, "train").whole(quiet=True)
    assert [path.name for path in broken] == ["0.png"]
    real = Path.open

    def denied(path: Path, *words: object, **options: object) -> object:
        if path.name == "1.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *words, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InputError, match=r"1\.png can't be opened: permission denied") as caught:
        scan(folder, "train").whole(quiet=True)
    assert not isinstance(caught.value, decoding.BrokenImage)


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        ("corruptions: [foo]", "foo"),
        ("severities: [9]", "severit"),
        ("perturbations: [foo]", "foo"),
    ],
)
def test_settings_of_the_evaluation_are_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], measures: str, message: str
) -> None:
    def trained(*_: object, **__: object) -> None:
        raise AssertionError("it was trained")

    monkeypatch.setattr(loop, "train", trained)
    monkeypatch.setattr("ipmix.experiment.run.train_network", trained)
    file = tmp_path / "a.yaml"
    settings = f"data: {{source: {images(tmp_path / 'data')}}}\nmethod: {{name: augmix}}\ntraining: {{crop_size: 16}}\n"
    file.write_text(f"{settings}evaluation: {{{measures}}}\n")
    assert main(["experiment", str(file), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    file.write_text(settings)
    with pytest.raises(AssertionError, match="it was trained"):
        main(["experiment", str(file), "--out", str(tmp_path / "out"), "--quiet"])


PARENT = """
import multiprocessing, sys, time
from ipmix.experiment.quickstart_worker import end_with_parent

def work(place):
    import os
    end_with_parent()
    with open(place, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(300)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work, args=(sys.argv[1],), daemon=True).start()
    time.sleep(300)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    place = tmp_path / "worker"
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py"), str(place)])
    try:
        worker = _soon(lambda: place.exists() and place.read_text(), 120)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert _soon(lambda: not _lives(int(worker)), 20), "it goes on by itself"
    finally:
        parent.kill()


def _soon(found, seconds: float):  # type: ignore[no-untyped-def]
    """What ``found`` gives once it gives something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if result := found():
            return result
        time.sleep(0.05)
    return found()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
