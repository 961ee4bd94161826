import copy
import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipmix.measures import corruption
from ipmix.measures.table import HEADLINE
from ipmix.report import numbers, tables
from ipmix.report.comparison import Scored, compare_runs, verdicts
from ipmix.report.numbers import run_names, written
from ipmix.report.tables import notes, print_comparison


def test_how_figures_are_written():
    assert written("clean_error", 0.12345) == "12.3%"
    assert written("clean_error", 0.00444) == "0.44%"
    assert written("clean_error", 0.00999) == "1.0%"
    assert written("clean_error", 0.0) == "0.00%"
    assert written("brier_score", 0.12345) == "0.123"
    assert written("clean_error", None) == "–"


def test_plain_text_is_aligned():
    text = tables.plain(["measure", "a", "long name"], [["x", "1", "2"], ["longer", "100", "3"]])
    lines = text.splitlines()
    assert [len(line) for line in lines] == [len(lines[0])] * 4
    assert lines[2].endswith("2")


def test_the_terminal_table_goes_to_a_pipe_without_colors(cards):
    out = io.StringIO()
    tables.print_comparison(cards, out=out)
    text = out.getvalue()
    assert "\x1b" not in text
    figures, differences = text.split("\n\n")
    assert figures.splitlines()[0].split() == ["measure", "plain", "IPMix", "images"]
    assert len(figures.splitlines()) == 2 + len(HEADLINE) - 2, (
        "a run has one of two corruption errors, one of two flips"
    )
    assert differences.splitlines()[0].split("  ")[0] == "plain -> IPMix"
    assert "Not paired: a scorecard alone doesn't say" in differences


def test_a_terminal_gets_a_table_and_no_markup_of_names(tmp_path, made_card):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    card = made_card(tmp_path / "run", "[red]name[/red]")
    tables.print_comparison([card, card], out=out)
    assert "[red]name[/red]" in out.getvalue()


def test_csv_holds_every_figure(cards):
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(cards))))
    clean = [row for row in rows if row["measure"] == "clean_error"]
    assert [float(row["value"]) for row in clean] == [card["measures"]["clean_error"]["value"] for card in cards]
    assert sum(row["measure"].startswith("corruption/fog") for row in rows) == 10


def test_markdown_survives_pipes(tmp_path, made_card):
    card = made_card(tmp_path / "run", "a|b")
    lines = tables.markdown([card]).splitlines()
    assert "a\\|b" in lines[0]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_repeated_names_are_numbered(cards):
    assert run_names([cards[0], cards[0]]) == ["plain", "plain (2)"]


def test_verdicts_compare_the_first_with_the_last(cards):
    by_name = {v["name"]: v for v in verdicts(cards, HEADLINE)}
    assert by_name["clean_error"]["judgement"] == "better"
    assert {v["judgement"] for v in verdicts([cards[0]] * 2, HEADLINE)} == {"level"}


def test_what_is_missing_is_said_under_the_table(made_card, tmp_path):
    few = made_card(tmp_path / "few", "few", count=60)
    few["without_answer"] = {"clean": 2}
    out = io.StringIO()
    print_comparison([few], out=out)
    lines = out.getvalue().splitlines()[-2:]
    assert lines[0] == "2 images have no valid answer (NaN or infinite logits) under clean: they count as wrong."
    assert lines[1].startswith("Calibration error (RMS) is not given: RMS calibration error needs at least 100 images")
    assert notes([few, few])[0].startswith("few: ")


class Eighty(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_terminal_of_80_columns_breaks_no_figure_and_no_word(cards, monkeypatch, count):
    monkeypatch.setenv("COLUMNS", "80")
    several = [{**cards[place % 2], "run": {"name": f"run{place}"}} for place in range(count)]
    out = Eighty()
    print_comparison(several, out=out)
    lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    shown = [cell.strip() for line in lines for cell in re.split("[│┃]", line)]
    for row in tables.comparison(several, HEADLINE)[1]:
        for cell in row[1:]:
            assert cell in shown
        for word in row[0].split():
            assert any(word in cell.split() for cell in shown)
    for place in range(count):
        assert any(f"run{place}" in cell.split() for cell in shown)


@given(st.text("ab ,", min_size=0, max_size=80), st.text("ab ,", max_size=80), st.integers(10, 40))
@example("x" * 60 + "1", "x" * 60 + "2", 26)
@example("fog, " * 12 + "snow", "fog, " * 12, 26)
def test_what_differs_is_shown_to_differ(first, second, most):
    shown = numbers.told_apart(first, second, most)
    assert first == second or max(map(len, shown)) <= most
    assert (shown[0] == shown[1]) == (first == second)


def test_the_table_of_what_differs_fits_a_terminal_and_shows_the_difference(cards, monkeypatch):
    """Long lists that are alike at first; a terminal that has 80 columns, and plain text."""
    many = {name: {"1": 0.5} for name in corruption.ALEXNET}
    one, other = ({**card, "corruptions": dict(many)} for card in cards)
    one["corruptions"]["spatter"], other["corruptions"]["saturate"] = {"1": 0.5}, {"1": 0.5}
    found = compare_runs([Scored(one), Scored(other)])[0]
    row = next(cells for what, *cells in tables.differences(found)[1] if what == "corruptions")
    assert row[0] != row[1]
    assert "saturate" in row[1]

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "80")
    for stream in (Terminal(), io.StringIO()):
        tables.print_comparison([one, other], out=stream, comparisons=[found])
        text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).split("differs")[1]
        lines = [line for line in text.splitlines() if "corruptions" in line]
        assert "saturate" in "".join(lines)
        assert "saturate" in text
        assert max(map(len, text.split("No verdict")[0].splitlines())) <= 80


def test_measures_and_corruptions_of_one_s_own_stand_in_the_printed_table(cards):
    """They stood in the files and on the page only."""
    cards = [copy.deepcopy(getattr(card, "card", card)) for card in cards]
    for card, by_severity in zip(cards, ({"1": 0.25, "5": 0.75}, {"1": 0.125})):
        card["measures"]["margins:small"] = {"value": 0.375, "interval": None, "pictures": 150, "reason": None}
        card["corruptions"]["weather:rain"] = by_severity
    cards[1]["measures"]["margins:small"] |= {"value": None, "reason": "it had no numbers"}
    out = io.StringIO()
    print_comparison(cards, out=out, comparisons=())
    lines = out.getvalue().splitlines()
    (measure,) = [line.split() for line in lines if line.startswith("margins:small ")][:1]
    assert measure[1:3] == ["0.375", "–"]
    (corruption,) = [line for line in lines if line.startswith("weather:rain, severity 1, 5 ")]
    assert corruption.split()[4:] == ["50.0%", "12.5%", "150"]
    assert any("margins:small is not given: it had no numbers" in line for line in lines)
    cards[0]["corruptions"].pop("weather:rain")
    out = io.StringIO()
    print_comparison(cards[:1], out=out)
    assert "weather:rain" not in out.getvalue()
