"""A small share of every part, the programs' own checks, and what shows that they can find a fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.reliability import determinism, harness, interruptions, record
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
    ("processes", "", 0.1), ("resumes", "", 0.006), ("surroundings", "", 0.005),
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
        self.writer, self.folder, self._count, self.seconds = Writer("careless", ()), folder, 0, 0.01
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


def test_figures_replace_those_of_the_same_part(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(f"# Title\n\n{record.BEGIN}\n{record.END}\n\nThe rest.\n")
    record.record([Part("kills", "a kill", 10), Part("crashes", "a crash", 3)], document)
    record.record([Part("kills", "a kill", 2000, ["a fault"]), Part("crashes", "no time for it", 0)], document)
    text = document.read_text()
    assert text.count("| kills |") == text.count("| crashes |") == 1
    assert "| kills | a kill | 2,000 | 1 |" in text
    assert text.startswith("# Title\n")
    assert text.endswith("The rest.\n")
