"""A small share of every part, the programs' own checks, and what shows that they can find a fault."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.reliability import determinism, harness, interruptions, load, record
from tests.reliability.harness import Part, contents, differences
from tests.reliability.tracer import KILLED, Tracer
from tests.reliability.writers import Writer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/fd").exists(), reason="needs Linux")

SHARES = (
    ("crashes", "corrupt arrays", 0.02), ("crashes", "mixing-set", 0.015), ("crashes", "train", 0.015),
    ("crashes", "evaluate", 0.015), ("kills", "corrupt folders", 0.02), ("kills", "experiment", 0.01),
    ("full_disk", "corrupt arrays", 0.15), ("full_disk", "train", 0.1), ("bad_folders", "score", 0.1),
    ("two_at_once", "evaluate", 0.1), ("signals", "train", 0.1), ("steps", "evaluate", 0.005),
    ("steps", "corrupt arrays", 0.01),
    ("steps", "mixing-set png", 0.01), ("steps", "reproduce", 0.0025), ("workers", "", 0.17), ("torchrun", "", 0.1),
    ("processes", "", 0.2), ("resumes", "", 0.04), ("surroundings", "", 0.5),
    ("determinism", "", 0.3), ("recipes", "", 0.0002), ("texts", "", 0.006), ("image_files", "", 0.01),
)  # fmt: skip
"""Part, writer, share of the long part's tries."""


def run_parts(*words: object) -> subprocess.CompletedProcess[str]:
    """``python -m tests.reliability``, in a process of its own: forking this one beside its threads is no good."""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root / "src"), str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-W", "ignore", "-m", "tests.reliability", *map(str, words)]
    return subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize(("part", "only", "share"), SHARES, ids=[f"{part} {only}".strip() for part, only, _ in SHARES])
def test_a_share_of_a_part_finds_nothing(tmp_path: Path, part: str, only: str, share: float) -> None:
    done = run_parts(part, "--only", only, "--share", share, "--out", tmp_path / "found.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found
    assert all(each["tried"] > 0 and each["faults"] == [] for each in found)


def test_every_part_is_listed_and_unknown_ones_are_refused() -> None:
    listed = run_parts("--list").stdout.split()
    assert {part for part, _, _ in SHARES} <= set(listed)
    assert run_parts("nothing").returncode == 2


# --- that a fault is found ---------------------------------------------------------------------------------


def careless(out: Path) -> int:
    """A writer that writes in place and takes what is there for finished."""
    out.mkdir(exist_ok=True)
    for name in "ab":
        if not (out / name).exists():
            with open(out / name, "wb") as file:
                file.write(b"first half, ")
                file.flush()
                file.write(b"second half")
    return 0


class Careless(interruptions.Bench):
    """A bench of that writer."""

    def __init__(self, folder: Path) -> None:
        self.writer, self.folder, self._counts, self.seconds = Writer("careless", ()), folder, {}, 0.01
        (folder / "whole").mkdir()
        tracer = Tracer(folder / "whole")
        assert harness.run(lambda: careless(folder / "whole" / "out"), tracer=tracer).code == 0
        self.expected, self.events = contents(folder / "whole" / "out"), tracer.events


def test_a_careless_writer_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions, "working", lambda writer, out, **_: lambda: careless(out))
    bench = Careless(tmp_path)
    assert bench.events == ["mkdir out", *(f"{kind} {name}" for name in "ab" for kind in ("open", "write", "write"))]
    part = interruptions.crashes(bench, None)
    assert part.tried == 11, "each write once before it and once in its middle"
    assert part.faults
    assert all("other bytes: other" in fault for fault in part.faults)
    assert any("torn" in fault for fault in part.faults)


def test_where_time_is_short_what_is_different_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = ["open 1.png", "write 1.png", "open 2.png", "write 2.png", "open 2.png", "mkdir a"]
    places = [(number, False) for number in range(1, 7)]
    assert [number for number, _ in interruptions._different_first(events, places)] == [1, 2, 6, 3, 4, 5]
    monkeypatch.setattr(interruptions, "working", lambda writer, out, **_: lambda: careless(out))
    monkeypatch.setattr(harness, "_ends", 0.0)
    part = interruptions.crashes(Careless(tmp_path), None)
    assert part.tried == 0
    assert part.notes[0] == "ended when its time was up"
    harness.allow(None)
    assert part.more()


def test_figures_of_the_clock_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"date": 1, "passes": [{"clock": 2, "error": 3}]}')
    before = contents(tmp_path, (), ("date", "clock"))
    (tmp_path / "a.json").write_text('{"date": 4, "passes": [{"clock": 5, "error": 3}]}')
    assert contents(tmp_path, (), ("date", "clock")) == before
    assert contents(tmp_path, (), ("date",)) != before
    (tmp_path / "a.json").write_text('{"date": 4, "passes": [{"clock": 5, "error": 6}]}')
    assert contents(tmp_path, (), ("date", "clock")) != before


def test_the_tracer_ends_fails_and_fills(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    def work() -> int:
        (tmp_path / "in" / "a").write_bytes(b"0123456789")
        os.replace(tmp_path / "in" / "a", tmp_path / "in" / "b")
        (tmp_path / "beside").write_bytes(b"not counted")
        return 0

    tracer = Tracer(tmp_path / "in")
    assert harness.run(work, tracer=tracer).code == 0
    assert tracer.events == ["open a", "write a", "replace b"]
    assert harness.run(work, tracer=Tracer(tmp_path / "in", die_at=2, torn=True)).code == KILLED
    assert (tmp_path / "in" / "a").read_bytes() == b"01234"
    ended = harness.run(work, tracer=Tracer(tmp_path / "in", room=9))
    assert not ended.is_clean
    assert "No space left on device" in ended.text
    ended = harness.run(work, tracer=Tracer(tmp_path / "in", fail_at=3, error=30))
    assert "Read-only file system" in ended.text
    assert harness.run(work, tracer=Tracer(tmp_path / "in", vanish_at=1)).code == 1
    assert not (tmp_path / "in").exists()
    assert harness.run(lambda: __import__("time").sleep(60), timeout=0.2).code == harness.HUNG


def test_a_figure_that_depends_on_threads_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "figures", lambda threads=1: {"sum": str(threads > 2), "mean": "1"})
    monkeypatch.setattr(determinism, "CASES", {f"{n} threads": lambda n=n: determinism.figures(n) for n in (2, 4)})
    part = determinism.determinism(2)
    assert part.tried == 2
    assert part.faults == ["4 threads: other sum"]


def test_differences_are_told() -> None:
    assert differences({"a": "1", "b": "2"}, {"a": "1", "b": "2"}) == ""
    assert differences({"a": "1", "b": "2"}, {"a": "0", "c": "2"}) == "missing c; more b; other a"


# --- several jobs, and pieces of a long count ----------------------------------------------------------------


def test_jobs_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions, "working", lambda writer, out, **_: lambda: careless(out))
    bench = Careless(tmp_path)
    one, two = (interruptions.crashes(bench, None, jobs=jobs) for jobs in (1, 2))
    assert one.tried == two.tried == 11
    assert sorted(one.faults) == sorted(two.faults) != []
    assert one.order == two.order == {"of": 11, "different": 7, "tried": [[0, 11]]}
    assert len(list(tmp_path.glob("out-1-*"))) == 1, "the second has folders of its own"


def test_a_job_that_dies_is_a_fault() -> None:
    def one(part: Part, number: int, job: int) -> None:
        if number == 3:
            os._exit(9)
        part.tried += 1
        part.count("even", number % 2 == 0)

    part = harness.carry_out(Part("a", "a try"), range(4), one, jobs=2)
    assert len(part.faults) == 1
    assert "a job ended with 9" in part.faults[0]
    part = harness.carry_out(Part("a", "a try"), range(3), one, jobs=2)
    assert (part.tried, part.counts, part.faults) == (3, {"even": 2}, [])


def test_another_seed_makes_other_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions, "working", lambda writer, out, **_: lambda: careless(out))
    bench, moments = Careless(tmp_path), []
    real = interruptions.run

    def noted(work: object, **options: float) -> object:
        moments.extend([options["kill_after"]] if "kill_after" in options else [])
        return real(work, **options)

    monkeypatch.setattr(interruptions, "run", noted)
    for seed, count in ((0, 4), (0, 2), (2, 2)):
        assert interruptions.kills(bench, count, seed).tried == count
    assert moments[4:] == moments[:4], "two pieces are the whole"
    assert len(set(moments)) == 4
    rest = interruptions.crashes(bench, None, seed=7)
    assert (rest.tried, rest.order["tried"]) == (4, [[7, 11]]), "it goes on where another stopped"
    assert harness.in_turn("abc", 2, 2) == ["c", "a"]
    assert harness.in_turn("abc", 9, 1) == ["b", "c", "a"], "none twice"


def test_a_warm_process_forks_warm_ones(tmp_path: Path) -> None:
    loaded: list[int] = []

    def work() -> int:
        (tmp_path / str(len(loaded))).touch()
        loaded.append(1)
        return 0

    harness.warm(work)
    assert harness.run(work).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"], "the child knows what was loaded here"
    with pytest.raises(RuntimeError, match="ended with 3"):
        harness.warm(lambda: 3)


def recorded(folder: Path, *parts: Part) -> str:
    """The table after these runs."""
    document, runs = folder / "reliability.md", folder / "runs.jsonl"
    if not document.exists():
        document.write_text(f"# Title\n\n{record.BEGIN}\n{record.END}\n\nThe rest.\n")
    record.record(parts, document, runs)
    text = document.read_text()
    assert text.startswith("# Title\n")
    assert text.endswith(f"{record.END}\n\nThe rest.\n")
    return text


def test_runs_of_a_part_add_up_in_its_row(tmp_path: Path) -> None:
    first = Part("kill: a", "a kill", 10, seconds=3.2, counts={"before its end": 9}, notes=["short"])
    text = recorded(tmp_path, first, Part("crash: a", "a crash", 3))
    assert "| kill: a | a kill | 10 | 0 | 3 s | 9 of 10 before its end; short |" in text
    assert record.tried("kill: a", tmp_path / "runs.jsonl") == 10
    second = Part("kill: a", "a kill", 2000, ["lost <b> | c"], [harness.TIME_UP, "short"], 60, {"before its end": 1990})
    text = recorded(tmp_path, second, Part("crash: a", "no time for it", 0))
    assert text.count("| kill: a |") == text.count("| crash: a |") == 1
    told = "in 2 runs; 1 of them ended when its time was up; 1,999 of 2,010 before its end; short; fault: lost (b) / c"
    assert f"| kill: a | a kill | 2,010 | 1 | 63 s | {told} |" in text
    assert "| crash: a | a crash | 3 | 0 |" in text, "a run that tried nothing is none"
    text = recorded(tmp_path, Part("kill: a", "a kill", 90, counts={"before its end": 90}))
    assert "| 2,100 | 1 |" in text, "a fault is not forgotten"
    assert "fault: lost" in text
    assert "; 90 tries since the last fault; fault: lost" in text
    assert record.tried("kill: a", tmp_path / "runs.jsonl") == 2100


def test_places_that_were_tried_twice_count_once(tmp_path: Path) -> None:
    def run(of: int, *ranges: list[int]) -> Part:
        return Part("crash: a", "a crash", 8, order={"of": of, "different": 10, "tried": list(ranges)})

    assert "8 of 20 places, 8 of the 10 that differ" in recorded(tmp_path, run(20, [0, 8]))
    text = recorded(tmp_path, run(20, [4, 8], [12, 16]))
    assert "| 16 | 0 |" in text
    assert "12 of 20 places, 8 of the 10 that differ" in text
    assert "8 of 30 places, 6 of the 10 that differ" in recorded(tmp_path, run(30, [4, 12])), (
        "those of other places don't"
    )


def test_the_table_is_that_of_the_runs() -> None:
    text = record.DOCUMENT.read_text()
    table = text.split(record.BEGIN)[1].split(record.END)[0]
    by_part: dict[str, list[dict[str, object]]] = {}
    for run in record.kept():
        by_part.setdefault(str(run["name"]), []).append(run)
    assert table.strip().splitlines() == [*record.HEAD.splitlines(), *map(record.row, by_part.values())]
    assert all(run["tried"] for run in record.kept())


def test_load_sees_memory_threads_and_files_that_grow() -> None:
    def steady() -> Iterator[int]:
        while True:
            yield 10

    kept: list[object] = []

    def growing(grow: Callable[[], object]) -> Iterator[int]:
        while True:
            kept.append(grow())
            yield 10

    try:
        assert load.watched(Part("", ""), steady(), 100).faults == []
        part = load.watched(Part("", ""), growing(lambda: os.dup(0)), 100)
        assert [fault for fault in part.faults if "threads and files" in fault]
        part = load.watched(Part("", ""), growing(lambda: b"x" * 2**24), 200)
        assert [fault for fault in part.faults if "memory grew" in fault]
        kept.clear()
        sizes = iter([2**28, *[0] * 99])
        part = load.watched(Part("", ""), growing(lambda: b"x" * next(sizes)), 200, warm=20)
        assert part.faults == [], "what is taken once, before the minute begins, is not growth"
    finally:
        for each in kept:
            if isinstance(each, int):
                os.close(each)
