"""The comparison as a table: for the terminal, Markdown and CSV."""

import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ipmix.core import errors
from ipmix.core.extensions import is_own
from ipmix.core.terminal import say
from ipmix.measures.table import HEADLINE, MEASURES
from ipmix.report import numbers
from ipmix.report.comparison import Comparison, Scored, compare_runs, explained
from ipmix.report.numbers import among, figure_of, measure_names, run_names, written, written_interval

_MARKUP = re.compile(r"[\\`\[\]|]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What begins code, a link or an image, or another cell of a table; and what makes an address a link by itself."""

_RUN_BY_SPREADSHEETS = tuple("=+-@\t\r\n＝＋－＠")
"""What a cell begins with that spreadsheets take for a formula, also in the wide forms of East Asian text."""


def comparison(
    cards: Sequence[Mapping[str, Any]], names: Sequence[str] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of text: one measure a row, one run a column, and how many images stand behind it.

    Calibration errors that bins of so few images explain are marked with "~".
    """
    chosen = measure_names(cards) if names is None else [n for n in names if n in measure_names(cards)]
    header = ["measure", *run_names(cards), "images"]
    rows = []
    for name in chosen:
        cells = []
        for card in cards:
            figure = figure_of(card, name)
            interval = written_interval(name, figure["interval"])
            mark = "~" if numbers.below_floor(figure) else ""
            cells.append(mark + written(name, figure["value"]) + (f" ({interval})" if interval else ""))
        rows.append([numbers.title_of(name, cards), *cells, numbers.images_of(name, cards)])
    return header, rows


def differences(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Header and rows of text: what decides between two runs; or, where they don't compare, what differs."""
    if comparison.differing:
        return ["differs", comparison.first, comparison.second], [
            [found.what, *numbers.told_apart(found.first, found.second)] for found in comparison.differing
        ]
    rows = [
        [
            row.title,
            numbers.written_change(row.name, row.difference, row.interval),
            row.verdict,
            str(row.images),
        ]
        for row in comparison.rows
    ]
    return [f"{comparison.first} -> {comparison.second}", "difference", "verdict", "images"], rows


def print_comparison(
    cards: Sequence[Mapping[str, Any]],
    names: Sequence[str] = HEADLINE,
    *,
    title: str = "",
    out: TextIO | None = None,
    comparisons: Sequence[Comparison] | None = None,
) -> None:
    """Print the figures, and what decides between the runs: with rich on a terminal, as plain aligned text elsewhere.

    Under the measures that are named stand those of one's own, and a row for each corruption of one's own.

    Args:
        cards: scorecards; the first is what the others are compared with.
        names: of the measures.
        title: above the table.
        out: where to; standard output by default.
        comparisons: of :func:`ipmix.report.comparison.compare_runs`; by default those of the scorecards alone.
    """
    stream = sys.stdout if out is None else out
    shown = [*names, *(name for name in measure_names(cards) if name not in MEASURES and name not in names)]
    for line in unfinished_runs(cards):
        say(f"{line}\n", fold=True, out=stream)
    header, rows = comparison(cards, shown)
    _print(header, [*rows, *_own_corruptions(cards)], title, stream)
    for note in notes(cards, shown):
        say(f"{note}\n", fold=True, out=stream)
    if len(cards) > 1 and comparisons is None:
        comparisons = compare_runs([Scored(card) for card in cards], names=names)
    for found in comparisons or ():
        header, rows = differences(found)
        stream.write("\n")
        if rows:
            _print(header, rows, "", stream, verdict="verdict" in header)
        say(f"{explained(found)}\n", fold=True, out=stream)


def _own_corruptions(cards: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for each corruption of one's own: its error, the mean over the severities that were measured."""
    rows = []
    for name in dict.fromkeys(name for card in cards for name in card["corruptions"] if is_own(name)):
        found = [card["corruptions"].get(name, {}) for card in cards]
        levels = ", ".join(sorted({severity for by_severity in found for severity in by_severity}))
        cells = [written("clean_error", sum(by.values()) / len(by) if by else None) for by in found]
        counts = [str(card["pictures"]) for card in cards]
        images = " / ".join(counts if len(set(counts)) > 1 else counts[:1])
        rows.append([f"{name}, severity {levels}", *cells, images])
    return rows


def _print(
    header: Sequence[str], rows: Sequence[Sequence[str]], title: str, stream: TextIO, verdict: bool = False
) -> None:
    header, title = [errors.visible(cell) for cell in header], errors.visible(title)
    rows = [[errors.visible(cell) for cell in row] for row in rows]
    if stream.isatty():
        try:
            _print_rich(header, rows, title, stream, verdict)
            return
        except ImportError:
            pass
    stream.write(plain(header, rows, title))


def unfinished_runs(cards: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which evaluations did not come to their end, a line each: it stands before their figures."""
    names = run_names(cards) if len(cards) > 1 else [""]
    found = [(name, numbers.unfinished(card)) for name, card in zip(names, cards)]
    return [f"{name}: {told}." if name else f"{told}." for name, told in found if told]


def notes(cards: Sequence[Mapping[str, Any]], names: Sequence[str] = HEADLINE) -> list[str]:
    """Why figures are missing, and how many images a model had no answer for, a line each."""
    found = []
    for run, card in zip(run_names(cards), cards):
        prefix = f"{run}: " if len(cards) > 1 else ""
        if competing := among(card):
            found.append(f"{prefix}all answers {competing}.")
        for condition, count in card["without_answer"].items():
            found.append(f"{prefix}{numbers.unanswered_under(condition, count)}: they count as wrong.")
        if frost := numbers.frost_note(card):
            found.append(f"{prefix}{frost}.")
        found += [f"{prefix}{hint}." for hint in card.get("hints", ())]
        for name in names:
            figure = card["measures"].get(name)
            if figure is None:
                continue
            if figure["value"] is None:
                found.append(f"{prefix}{numbers.title_of(name, [card])} is not given: {figure['reason']}.")
            if numbers.below_floor(figure):
                found.append(
                    f"{prefix}~ {numbers.title_of(name, [card])}: no more than chance gives a perfectly calibrated "
                    f"model on so few images ({numbers.written_floor(name, figure)})."
                )
    return found


def plain(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Aligned text: the first column to the left, the others to the right."""
    table = [[errors.visible(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        return "  ".join(cells).rstrip()

    ruler = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [errors.visible(title)] if title else []
    return "\n".join([*lines, line(header), ruler, *map(line, rows)]) + "\n"


def markdown(cards: Sequence[Mapping[str, Any]], comparisons: Sequence[Comparison] = ()) -> str:
    """Markdown tables of every measure, and of what decides. Pipes and tags in run names are escaped."""
    parts = [f"{inline(line)}\n" for line in unfinished_runs(cards)]
    parts.append(_markdown_table(*comparison(cards)))
    if noted := notes(cards, ()):
        parts.append("\n".join(f"- {inline(note)}" for note in noted) + "\n")
    for found in comparisons:
        header, rows = differences(found)
        parts += [_markdown_table(header, rows) if rows else "", f"{inline(explained(found))}\n"]
    return "\n".join(filter(None, parts))


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [[inline(cell) for cell in row] for row in (header, *rows)]
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (table[0], ruler, *table[1:])) + "\n"


def inline(text: object) -> str:
    """Text that stays text in Markdown: no tags, images, links or code, no line breaks, nothing invisible."""
    line = _MARKUP.sub(r"\\\g<0>", errors.plain(text, most=2000))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_csv(cards: Sequence[Mapping[str, Any]]) -> str:
    """One line for each run and measure: value, low, high, images, reason, noise floor (fractions).

    The reason is why there is no value, or that the run did not come to its end.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["run", "measure", "value", "low", "high", "pictures", "reason", "floor", "floor_high"])
    for run, card in zip(run_names(cards), cards):
        unfinished = numbers.unfinished(card)
        for name in measure_names([card]):
            figure = figure_of(card, name)
            low, high = figure["interval"] or ("", "")
            value = "" if figure["value"] is None else figure["value"]
            floor = [figure["floor"][key] for key in ("mean", "high")] if "floor" in figure else ["", ""]
            reason = cell(figure["reason"] or unfinished)
            writer.writerow([cell(run), name, value, low, high, figure["pictures"], reason, *floor])
        bounds = card.get("corruption_intervals", {})
        for corruption, by_severity in card["corruptions"].items():
            for severity, error in by_severity.items():
                low, high = bounds.get(corruption, {}).get(severity, ("", ""))
                name = cell(f"corruption/{corruption}/{severity}")
                writer.writerow([cell(run), name, error, low, high, card["pictures"], unfinished, "", ""])
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
    title: str,
    stream: TextIO,
    verdict: bool,
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream)
    styles = {"better": "green", "worse": "red"}
    for columns in _fitting(header, rows, console.width):
        table = Table(title=title or None, title_justify="left")
        for column in columns:
            # Only the first column's words and runs' names are broken; figures with their intervals stay whole.
            side: Any = "right" if column else "left"
            table.add_column(Text(header[column]), justify=side, min_width=_least(rows, column))
        for row in rows:
            table.add_row(
                *(
                    Text(row[column], style=styles.get(row[column], "") if verdict else "", no_wrap=column > 0)
                    for column in columns
                )
            )
        console.print(table)


def _least(rows: Sequence[Sequence[str]], column: int) -> int:
    """Characters that a column needs: its longest figure, or in the first its longest word."""
    cells = [row[column] for row in rows]
    return max((len(word) for cell in cells for word in (cell.split() if column == 0 else [cell])), default=1)


def _fitting(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """The columns of each table: one with all, or as many tables as a narrow terminal needs.

    Each begins with the first column; a first column of 20 characters is left as much where there is room.
    """
    needs = [max(_least(rows, column), *map(len, header[column].split())) for column in range(len(header))]
    first = max(needs[0], min(20, max(len(row[0]) for row in rows) if rows else 0))
    tables: list[list[int]] = [[0]]
    left = width - first - 4  # a border, and a space at each side of the cell
    for column in range(1, len(header)):
        if needs[column] + 3 > left and len(tables[-1]) > 1:
            tables.append([0])
            left = width - first - 4
        tables[-1].append(column)
        left -= needs[column] + 3
    return tables
