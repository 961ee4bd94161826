"""The comparison as a table: for the terminal, Markdown and CSV."""

import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ipmix.core import errors
from ipmix.measures.table import HEADLINE, measure_named
from ipmix.report.numbers import among, figure_of, measure_names, run_names, verdicts, written, written_interval

_MARKUP = re.compile(r"[\\`\[\]|]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What begins code, a link or an image, or another cell of a table; and what makes an address a link by itself."""

_RUN_BY_SPREADSHEETS = tuple("=+-@\t\r\n＝＋－＠")
"""What a cell begins with that spreadsheets take for a formula, also in the wide forms of East Asian text."""


def comparison(
    cards: Sequence[Mapping[str, Any]], names: Sequence[str] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of text: one measure a row, one run a column."""
    chosen = measure_names(cards) if names is None else [n for n in names if n in measure_names(cards)]
    header = ["measure", *run_names(cards)]
    rows = []
    for name in chosen:
        cells = []
        for card in cards:
            figure = figure_of(card, name)
            interval = written_interval(name, figure["interval"])
            cells.append(written(name, figure["value"]) + (f" ({interval})" if interval else ""))
        rows.append([measure_named(name).title, *cells])
    return header, rows


def print_comparison(
    cards: Sequence[Mapping[str, Any]],
    names: Sequence[str] = HEADLINE,
    *,
    title: str = "",
    out: TextIO | None = None,
) -> None:
    """Print the comparison: with rich on a terminal, as plain aligned text elsewhere."""
    stream = sys.stdout if out is None else out
    header, rows = comparison(cards, names)
    judgements = {measure_named(v["name"]).title: v["judgement"] for v in verdicts(cards, names)}
    if stream.isatty():
        try:
            _print_rich(header, rows, judgements if len(cards) > 1 else {}, title, stream)
        except ImportError:
            stream.write(plain(header, rows, title))
    else:
        stream.write(plain(header, rows, title))
    for note in notes(cards, names):
        stream.write(f"{note}\n")


def notes(cards: Sequence[Mapping[str, Any]], names: Sequence[str] = HEADLINE) -> list[str]:
    """Why figures are missing, and how many images a model had no answer for, a line each."""
    found = []
    for run, card in zip(run_names(cards), cards):
        prefix = f"{run}: " if len(cards) > 1 else ""
        if competing := among(card):
            found.append(f"{prefix}all answers {competing}.")
        for condition, count in card["without_answer"].items():
            found.append(f"{prefix}no answer (NaN or infinite logits) for {count} images under {condition}: wrong.")
        for name in names:
            figure = card["measures"].get(name)
            if figure is not None and figure["value"] is None:
                found.append(f"{prefix}{measure_named(name).title} is not given: {figure['reason']}.")
    return found


def plain(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Aligned text: the first column to the left, the others to the right."""
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        return "  ".join(cells).rstrip()

    ruler = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [title] if title else []
    return "\n".join([*lines, line(header), ruler, *map(line, rows)]) + "\n"


def markdown(cards: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of every measure. Pipes and tags in run names are escaped."""
    header, rows = comparison(cards)
    table = [[inline(cell) for cell in row] for row in (header, *rows)]
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (table[0], ruler, *table[1:])) + "\n"


def inline(text: object) -> str:
    """Text that stays text in Markdown: no tags, images, links or code, no line breaks, nothing invisible."""
    line = _MARKUP.sub(r"\\\g<0>", errors.plain(text, most=2000))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_csv(cards: Sequence[Mapping[str, Any]]) -> str:
    """One line for each run and measure: run, measure, value, low, high, images, reason (fractions)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["run", "measure", "value", "low", "high", "pictures", "reason"])
    for run, card in zip(run_names(cards), cards):
        for name in measure_names([card]):
            figure = figure_of(card, name)
            low, high = figure["interval"] or ("", "")
            value = "" if figure["value"] is None else figure["value"]
            writer.writerow([cell(run), name, value, low, high, figure["pictures"], cell(figure["reason"] or "")])
        for corruption, by_severity in card["corruptions"].items():
            for severity, error in by_severity.items():
                condition = cell(f"corruption/{corruption}/{severity}")
                writer.writerow([cell(run), condition, error, "", "", card["pictures"], ""])
    return buffer.getvalue()


def cell(text: str) -> str:
    """A text as it may stand in a cell of CSV: one that a spreadsheet would run begins with an apostrophe.

    >>> cell("=1+1"), cell("wrn-40-4")
    ("'=1+1", 'wrn-40-4')
    """
    shown = errors.plain(text, most=2000)
    return f"'{shown}" if shown.startswith(_RUN_BY_SPREADSHEETS) else shown


def _print_rich(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    judgements: Mapping[str, str],
    title: str,
    stream: TextIO,
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left")
    table.add_column(header[0])
    for name in header[1:]:
        table.add_column(Text(name), justify="right")
    styles = {"better": "green", "worse": "red"}
    for row in rows:
        style = styles.get(judgements.get(row[0], ""), "")
        cells = [Text(cell) for cell in row[:-1]] + [Text(row[-1], style=style)]
        table.add_row(*cells)
    Console(file=stream).print(table)
