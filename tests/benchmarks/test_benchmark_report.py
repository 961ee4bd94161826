import json
from pathlib import Path

import pytest
from benchmarks.results import Absent, Check, Curve, Row, Section, Suite, section
from benchmarks.timing import Timing

from benchmarks import report

ROWS = (
    Row("IPMix", 2000.0, 1800.0, 2100.0, times=1.0, memory=(100.0, 164.4)),
    Row("another", 123456.7, 1.0, 2.0, busy=0.4, times=0.0617),
)


def suite() -> Suite:
    return Suite(
        "made-up",
        "Made up",
        "synthetic",
        (Section("A race", ROWS, beside="IPMix", absent=(Absent("gone", "not installed"),), drawn=True),),
        (Check("speed", 1.5, 1.2, 1.6), Check("cost", 9.0, 8.0, unit="%", at_most=True)),
        metadata={"commit": "abc", "yardstick": None, "versions": {"numpy": "2.0"}},
    )


def test_json_holds_every_figure(tmp_path: Path) -> None:
    report.write(suite(), tmp_path / "results")
    content = json.loads((tmp_path / "results" / "made-up.json").read_text())
    assert content["sections"][0]["rows"][1]["rate"] == 123456.7
    assert content["sections"][0]["absent"] == [{"name": "gone", "reason": "not installed"}]
    assert [check["verdict"] for check in content["checks"]] == ["met", "missed"]
    assert content["metadata"]["commit"] == "abc"


def test_page_has_tables_targets_and_reasons(tmp_path: Path) -> None:
    written = report.write(suite(), tmp_path)
    assert [path.name for path in written] == ["made-up.json", "made-up.md", "made-up.png"]
    assert written[2].read_bytes().startswith(b"\x89PNG")
    page = written[1].read_text()
    assert "| IPMix | 2,000 | 1,800 to 2,100 | 1.00 | 100 | 164 |" in page
    assert "| another (disturbed) | 123,457 | 1.00 to 2.00 | 0.0617 |  |  |" in page
    assert "| speed (times) | 1.50 | at least 1.20 | 1.60 | met |" in page
    assert "| cost (%) | 9.00 | at most 8.00 |  | missed |" in page
    assert "- gone: not installed" in page
    assert "![Made up](made-up.png)" in page
    assert "ardstick" not in page


def test_every_line_of_a_table_has_as_many_cells() -> None:
    for one in (Section("t", ROWS), Section("t", ROWS, beside="IPMix"), Section("t", ROWS[1:], note="why")):
        lines = [line for line in report.table(one) if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (Check("x", 1.19, 1.2, 1.6), "missed"),
        (Check("x", 1.2, 1.2, 1.6), "met"),
        (Check("x", 1.6, 1.2, 1.6), "aim reached"),
        (Check("x", 9.0, 1.2), "met"),
        (Check("x", 8.0, 8.0, 3.0, at_most=True), "met"),
        (Check("x", 8.1, 8.0, 3.0, at_most=True), "missed"),
        (Check("x", 2.0, 8.0, 3.0, at_most=True), "aim reached"),
    ],
)
def test_verdicts(check: Check, verdict: str) -> None:
    assert check.verdict == verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [(123456.7, "123,457"), (99.96, "100"), (78.94, "78.9"), (4.561, "4.56"), (0.01234, "0.0123"), (0, "0"),
     (-4.11, "-4.11")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert report.number(value) == text


def test_rows_of_one_thread_are_watched() -> None:
    assert report.suspicion(Row("x", 1, 1, 1, busy=0.99)) == ""
    assert report.suspicion(Row("x", 1, 1, 1, busy=0.5)) == " (disturbed)"
    assert report.suspicion(Row("x", 1, 1, 1, busy=1.9)) == " (used more than one thread)"
    assert report.suspicion(Row("x", 1, 1, 1, threads=2, busy=1.9)) == ""


def test_section_compares_with_one_row_either_way() -> None:
    timings = {"ours": Timing("ours", (1.0, 1.0)), "theirs": Timing("theirs", (4.0, 4.0))}
    assert [row.times for row in section("t", timings, "ours").rows] == [1, 0.25]
    assert [row.times for row in section("t", timings, "ours", inverse=True).rows] == [1, 4]
    missing = section("t", timings, "yardstick")
    assert missing.beside == ""
    assert [row.times for row in missing.rows] == [None, None]


def test_curves_are_drawn(tmp_path: Path) -> None:
    curves = (
        Curve("side", "pixels a side", {"uint8": [(16, 1000.0), (32, 300.0)]}),
        Curve("k, 32x32", "k", {"32x32": [(1, 10.0), (2, 6.0)]}),
        Curve("k, 224x224", "k", {"224x224": [(1, 1.0), (2, 0.5)]}),
        Curve("threads", "threads", {"32x32": [(1, 10.0), (2, 19.0)]}),
    )
    (path,) = [p for p in report.write(Suite("grown", "Grown", "", curves=curves), tmp_path) if p.suffix == ".png"]
    assert path.stat().st_size > 1000
