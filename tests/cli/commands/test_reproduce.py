"""``ipmix reproduce``: the studies from the command line."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.main import main
from ipmix.experiment.studies import estimating
from ipmix.experiment.studies.estimating import Estimate, long_words, pass_seconds
from ipmix.experiment.studies.study_config import PassConfig

TINY = """
title: two small cells
measures: [clean_error]
reference: plain
paper:
  where: nowhere
  measured_on: nothing
  rows: {plain: {clean_error: 10.0}, cutout: {clean_error: {value: 20.0, mark: D0, printed: "2"}}}
  notes: ["D0: a digit is missing."]
base:
  data: {source: noise}
  training: {model: wrn-10-1, epochs: 1, batch_size: 8}
cells:
  plain: {method: {name: none}}
  cutout: {method: {name: cutout}}
scales:
  laptop: {passes: {clean: {}}}
"""


@pytest.fixture
def study(tmp_path: Path) -> list[str]:
    """The words that name a small study, its images and the folder of results."""
    draws = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "noise" / split / name).mkdir(parents=True)
            for i in range(8):
                pixels = draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "noise" / split / name / f"{i}.png")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return [str(tmp_path / "tiny.yaml"), "--data", str(tmp_path / "noise"), "--out", str(tmp_path / "out")]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which each cell takes 16 days."""
    monkeypatch.setattr(estimating, "estimates", lambda todo, *_: [Estimate(16 * 86400.0, 1000) for _ in todo])


def test_the_list_has_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("table10 ") and "4 cells; paper, laptop" in line for line in lines)


def test_a_study_is_shown_with_the_papers_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "show", "table10"]) == 0
    text = capsys.readouterr().out
    assert "89.4 ± 0.18 [D18]" in text
    assert "- D18: the columns" in text
    assert "without-image: {method: {name: ipmix, preset: without-image}" in text
    assert "laptop: fast-cifar on all 50,000 images" in text


def test_from_nothing_to_the_table(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    name, out = study[0], study[-1]
    assert main(["reproduce", "run", *study, "--device", "cpu", "--no-estimate"]) == 0
    told = capsys.readouterr().err
    assert "tiny at scale laptop: 2 cells, 0 done, 2 to do" in told
    assert told.count("begun") == 2
    assert told.count("done in") == 2
    lines = [line for line in told.splitlines() if " done in " in line]
    assert [line.split("]")[0] for line in lines] == ["[1/2", "[2/2"], "it counts what is done"
    assert main(["reproduce", "run", *study, "--device", "cpu"]) == 0
    assert "2 done, 0 to do" in capsys.readouterr().err
    assert main(["reproduce", "run", *study, "--device", "cpu", "--cells", "plain"]) == 0
    assert "tiny at scale laptop: 1 cell, 1 done, 0 to do" in capsys.readouterr().err
    assert main(["reproduce", "table", name, "--out", out]) == 0
    text = capsys.readouterr().out
    assert "20 [D0]" in text
    assert "D0: a digit is missing." in text
    assert "Missing" not in text
    assert main(["reproduce", "table", name, "--out", out, "--format", "json", "--cells", "plain"]) == 0
    assert list(json.loads(capsys.readouterr().out)["rows"]) == ["plain"]
    command = json.loads(next(Path(out).rglob("plain-seed0.json")).read_text())["command"]
    assert shlex.split(command)[2:6] == ["run", name, "--scale", "laptop"]
    assert shlex.split(command)[-4:] == ["--data", study[2], "--device", "cpu"]
    assert main(["reproduce", "table", name, "--out", out, "--seeds", "7"]) == 2
    told = capsys.readouterr()
    assert told.err == "ipmix: there are no results of tiny at scale laptop with seed 7; there are with seed 0\n"
    assert not told.out
    next(Path(out).rglob("cutout-seed0.json")).rename(Path(out, "aside.json"))
    assert main(["reproduce", "status", "--out", out]) == 0
    assert "tiny at scale laptop: 1 result, " in capsys.readouterr().out
    assert main(["reproduce", "table", name, "--out", out, "--cells", "cutout"]) == 2
    assert "there are no results of tiny at scale laptop of cell cutout yet" in capsys.readouterr().err
    Path(out, "aside.json").rename(Path(out, "tiny", "laptop", "cutout-seed0.json"))
    assert main(["reproduce", "status", "--out", out]) == 0
    assert "tiny at scale laptop: 2 results" in capsys.readouterr().out
    # A scorecard kept beside a result (--keep-weights) is no result.
    next(Path(out).rglob("*-seed0.json")).with_suffix(".scorecard.json").write_text("{}")
    assert main(["reproduce", "status", name, "--out", out]) == 0
    assert "tiny at scale laptop: 2 results" in capsys.readouterr().out
    assert main(["reproduce", "status", "table10", "--out", out]) == 0
    assert capsys.readouterr().out == f"{out} holds no results of table10 yet\n"
    assert main(["reproduce", "status", "tabel10", "--out", out]) == 2
    assert "did you mean table10?" in capsys.readouterr().err


def test_before_it_starts_it_says_what_it_will_take(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "run", *study, "--device", "cpu", "--dry"]) == 0
    told = capsys.readouterr().err
    assert "tiny plain seed 0: about 1 min" in told
    assert "MB on the disk" in told
    assert "not counted: the first run on a machine compiles as well, about half a minute for the method" in told
    assert main(["reproduce", "run", *study, "--device", "cpu", "--dry", "--cells", "plain"]) == 0
    assert "compiles" not in capsys.readouterr().err, "plain training has no kernel of a method"
    for words in (["--here"], ["--no-estimate"], ["--seeds", "0,0"]):
        assert main(["reproduce", "run", *study, "--device", "cpu", "--dry", *words]) == 0
        told = capsys.readouterr().err
        assert ("about" not in told) == ("--no-estimate" in words)
        assert "2 cells, 0 done, 2 to do\n  tiny plain seed 0" in told
    assert not Path(study[-1]).exists(), "--dry leaves nothing behind"


def test_no_results_are_told_by_table_and_what_is_no_folder_by_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert main(["reproduce", "table", "table10", "--out", str(tmp_path / "empty")]) == 2
    told = capsys.readouterr().err
    assert "there are no results of table10 at scale laptop yet: ipmix reproduce run table10 makes them" in told
    for words in (
        ["table", "table10", "--out", str(tmp_path / "file")],
        ["table", "table10", "--folders", str(tmp_path / "file")],
        ["status", "--out", str(tmp_path / "file")],
    ):
        assert main(["reproduce", *words]) == 2
        told = capsys.readouterr().err
        assert f"{tmp_path / 'file'} is a file; expected a folder of results" in told
        assert told.count("\n") == 1


@pytest.mark.parametrize("words", [["table", "headline"], ["status"], ["run", "headline", "--dry", "--no-estimate"]])
@pytest.mark.parametrize(
    ("key", "value"), [("passes", None), ("seed", None), ("passes", {"clean": {"settings": {}, "measures": {"a": 5}}})]
)
def test_an_edited_result_is_refused_wherever_it_is_read(
    words: list[str], key: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = Path(__file__).parents[3] / "results" / "studies" / "headline" / "laptop" / "plain-seed0.json"
    if not committed.exists():
        pytest.skip("the results are not here")
    content = json.loads(committed.read_text())
    path = tmp_path / "headline" / "laptop" / committed.name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**content, key: value} if value else {k: v for k, v in content.items() if k != key}))
    assert main(["reproduce", *words, "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"ipmix: {path}")
    assert key in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("slow")
def test_days_of_work_are_begun_only_if_asked(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "run", *study, "--device", "cpu"]) == 2
    assert "about 16 days a run: pass --yes to begin all the same" in capsys.readouterr().err
    assert not Path(study[-1]).exists()
    assert main(["reproduce", "run", *study, "--device", "cpu", "--dry"]) == 0


@pytest.mark.usefixtures("slow")
def test_parts_of_the_work(study: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cells = []
    for part in ("1/2", "2/2"):
        assert main(["reproduce", "run", *study, "--seeds", "0,1,2", "--shard", part, "--dry"]) == 0
        told = capsys.readouterr().err
        assert f"3 cells (part {part})" in told
        cells += [line.strip().split(":")[0] for line in told.splitlines() if "about 16 days" in line][:3]
    assert sorted(cells) == sorted(f"tiny {cell} seed {seed}" for cell in ("plain", "cutout") for seed in (0, 1, 2))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "tabel10"], "there is no study 'tabel10'; did you mean table10?"),
        (["run", "table10", "--cells", "ipmx"], "table10 has no cell 'ipmx' at scale laptop; did you mean ipmix?"),
        (["run", "table10", "--scale", "papr"], "table10 has no scale 'papr'; did you mean paper?"),
        (["run", "table10", "--shard", "5/4"], "--shard is i/n"),
        (["run", "table10", "--jobs", "0"], "--jobs must be a whole number of at least 1"),
        (["run", "table10", "--data", "nowhere"], "there is no folder nowhere (--data)"),
        (["run", "imagenet", "--scale", "paper"], "this needs imagenet: pass --data DIR"),
        (["run", "mixing-sets", "--cells", "photos"], "pass --folder photos=DIR"),
        (["table", "table5"], "table5 has no scale 'laptop'; there is paper"),
        (["status", "--out", "nowhere"], "there is no folder nowhere (--out)"),
        (["table", "table10", "--out", "nowhere"], "there is no folder nowhere of results"),
        (["table", "table10", "--folders", "here,there"], "there is no folder here of results"),
        (["run", "table10", "--dry"], "cifar10 is not here: pass --data DIR"),
        (["table", "table10", "--plane", "clean_error,mean_corruption_error"], "pass that too"),
        (["tabel", "table10"], "did you mean table?"),
    ],
)
def test_what_it_refuses(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("{method: {name: ipmix, options: {kk: 3}}}", "kk"),
        ("{method: {name: ipmx}}", "did you mean ipmix?"),
        ("{training: {epochs: many}}", "epochs"),
        ("{training: {model: wrn-9-9x}}", "training.model: "),
    ],
)
@pytest.mark.parametrize("command", [["show"], ["run", "--dry", "--no-estimate"]])
def test_what_cannot_be_run_is_not_shown_either(
    command: list[str], cell: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "title: My own\nmeasures: [clean_error]\nbase: {data: {source: digits}}\n"
        f"cells: {{a: {{}}, b: {cell}}}\nscales: {{laptop: {{passes: {{clean: {{}}}}}}}}\n"
    )
    assert main(["reproduce", command[0], str(path), *command[1:]]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "cell b" in told.err
    assert not told.out


@pytest.mark.parametrize("command", [["show"], ["run", "--dry", "--no-estimate"], ["run", "--no-estimate"]])
def test_what_cannot_be_measured_is_refused_before_the_training(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(
        "title: My own\nmeasures: [mean_corruption_error]\nbase: {data: {source: digits}}\ncells: {a: {}}\n"
        "scales: {laptop: {passes: {corruptions: {corruptions: [nope]}}}}\n"
    )
    assert main(["reproduce", command[0], "own.yaml", *command[1:]]) == 2
    told = capsys.readouterr()
    assert "study own, cell a: pass corruptions: " in told.err
    assert "nope" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["own.yaml"]


def test_a_title_with_a_bar_and_a_line_break(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        'title: "My\\nown"\nmeasures: [clean_error]\nbase: {data: {source: digits}}\n'
        'cells: {a: {title: "a | b\\nc"}}\nscales: {laptop: {passes: {clean: {}}}}\n'
        "paper: {where: T, measured_on: C, rows: {a: {clean_error: 4}}}\n"
    )
    assert main(["reproduce", "show", str(path), "--markdown"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "own: My own"
    row = next(line for line in told if "a \\|" in line)
    assert row.replace("\\|", "").count("|") == 3
    assert "a \\| b c" in row


def test_time_is_reckoned_from_passes() -> None:
    each: dict[str, Any] = {"test": 1000, "side": 32, "forward": 1.0, "corrupting": 0.0}
    assert pass_seconds(PassConfig(), **each) == 1000
    assert pass_seconds(PassConfig(limit=10), **each) == 10
    assert pass_seconds(PassConfig(corruptions=("test",), limit=10), **each) == 10 * 76
    assert pass_seconds(PassConfig(attack=True, limit=10), **each) == 10 * (1 + 61)
    assert (
        pass_seconds(PassConfig(corruptions=("fog",), severities=(1,), limit=10), **{**each, "corrupting": 2.0}) == 40
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "1 min"), (600, "10 min"), (9000, "2.5 h"), (16 * 86400, "16 days")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert long_words(seconds) == words
