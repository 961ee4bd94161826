"""A study's table as text, Markdown, CSV and JSON."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from typing import Any

from ipmix.core.errors import plain
from ipmix.core.json_text import json_text
from ipmix.core.progress import counted
from ipmix.experiment.studies.comparing import (
    Comparison,
    Disagreement,
    Figures,
    compared_pairs,
    disagreements,
    frost_of,
    made_on,
)
from ipmix.experiment.studies.measuring import column_of, pass_of
from ipmix.experiment.studies.study import Study
from ipmix.experiment.studies.study_config import PaperValue

FORMATS = ("text", "markdown", "csv", "json")
NOTHING = "–"
FROST = {"published": "made of the published photographs", "procedural": "grown by a procedure"}
OURS = "ours"
"""The heading of what stands beside the paper's figure."""

ABOUT = ("study", "cell", "seed", "key", "commit", "versions", "hardware", "hours", "date", "data")
"""What JSON tells of each result."""

COLUMNS = 80
"""What a line of text holds at most: a wider table is cut into several, one below the other."""


def rendered(table: Comparison, form: str, *, paper: bool = True) -> str:
    """The table in one of :data:`FORMATS`; as text or Markdown also without the paper's figures."""
    if form == "json":
        return json_text(_data(table), indent=1) + "\n"
    if form == "csv":
        return _csv(table)
    return _prose(table, markdown=form == "markdown", paper=paper)


def paper_table(study: Study, *, markdown: bool = False) -> str:
    """What the paper says, corrected, with the marks of what is."""
    rows = [
        [study.called(cell), *(_paper_words(row.get(measure)) for measure in study.config.measures)]
        for cell, row in study.paper.items()
    ]
    if not rows:
        return ""
    return _grid([["", *map(_title, study.config.measures)], *rows], markdown)


def _prose(table: Comparison, *, markdown: bool, paper: bool) -> str:
    study, measures = table.study, table.study.config.measures
    lines = [f"{'## ' if markdown else ''}{plain(study.config.title)}", ""]
    lines += [f"Ours: {study.scale(table.scale).text or table.scale}; {seed_words(table.seeds)}."]
    published = study.config.paper if paper else None
    if published is not None:
        lines += [f"The paper's ({published.where}): {published.measured_on}."]
    arrows = {"lower": "lower is better", "higher": "higher is better"}
    ways = {arrows[column_of(measure).better] for measure in measures}
    lines += [f"Percent where no unit is named; {' or '.join(sorted(ways))}.", ""]
    header = [""]
    for measure in measures:
        beside = published and _has_paper(table, measure)
        header += [f"{_title(measure)}: paper", OURS] if beside else [_title(measure)]
    rows = [header]
    for cell in table.cells:
        row = [study.called(cell)]
        for measure in measures:
            if published and _has_paper(table, measure):
                row.append(_paper_words(table.paper(cell, measure)))
            row.append(_words(table.figures[cell][measure], column_of(measure).digits))
        rows.append(row)
    lines += [_grid(rows, markdown), ""]
    lines += _paired(table, markdown)
    if published is not None:
        lines += _order(table)
    lines += _missing(table) + _lacking(table) + _circumstances(table)
    if published is not None and published.notes:
        lines += ["", "Of the paper's figures:", *(f"- {note}" for note in published.notes)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"  # each part begins with an empty line


def _paired(table: Comparison, markdown: bool) -> list[str]:
    """Differences to the reference cell, seed by seed, and over which seeds where not over all of the table's."""
    study, reference = table.study, table.study.reference
    rows = [["", *map(_title, study.config.measures)]]
    shown = {}
    for cell in table.cells:
        gaps = {measure: table.paired(cell, measure) for measure in study.config.measures}
        if cell != reference and any(gap.by_seed for gap in gaps.values()):
            words = [_words(gap, column_of(measure).digits, "+") for measure, gap in gaps.items()]
            rows.append([study.called(cell), *words])
            shown[cell] = gaps
    if len(rows) == 1:
        return []
    title, notes = f"Ours less {study.called(reference)}, seed by seed", []
    everywhere = {tuple(gap.by_seed) for row in shown.values() for gap in row.values() if gap.by_seed}
    if len(everywhere) > 1:  # then each row says its own, and a line below what differs within a row
        for row, cell in zip(rows[1:], shown, strict=True):
            own = sorted({seed for gap in shown[cell].values() for seed in gap.by_seed})
            row[0] += f" ({seed_words(own)})"
            notes += [
                f"{study.called(cell)}, {_title(measure)}: {seed_words(gap.by_seed)} alone."
                for measure, gap in shown[cell].items()
                if gap.by_seed and len(gap.by_seed) < len(own)
            ]
    elif (of_all := everywhere.pop()) != table.seeds:
        title += f" ({seed_words(of_all)} alone)"
    return [f"{title}:", "", _grid(rows, markdown), "", *notes, *([""] if notes else [])]


def _order(table: Comparison) -> list[str]:
    """Where our order is not the paper's; where it always is, of how many pairs of rows that is said."""
    if found := disagreements(table):
        return ["Our order is not the paper's:", *(f"- {_disagreement(table.study, one)}" for one in found)]
    if not (pairs := compared_pairs(table)):
        return []
    words = f"Where both have figures ({counted(len(pairs), 'pair')} of rows), our order is the paper's."
    unsure = sum(one.sure is None for one in pairs)
    return [f"{words} {'One seed' if unsure == len(pairs) else f'{unsure} of one seed'}, which can't tell."
            if unsure else words]  # fmt: skip


def _disagreement(study: Study, one: Disagreement) -> str:
    digits = column_of(one.measure).digits
    sure = {True: "more than the deviation", False: "within the deviation", None: "one seed, which can't tell"}[
        one.sure
    ]
    return (
        f"{_title(one.measure)}: the paper has {study.called(one.better)} ahead of {study.called(one.worse)} by "
        f"{one.paper:.{digits}f}, we have it behind by {one.ours:.{digits}f} ({sure})"
    )


def _lacking(table: Comparison) -> list[str]:
    """Figures that results don't have: a mean beside them is over other seeds than the row's other means."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for one in table.lacking:
        seeds.setdefault((one.measure, one.cell), []).append(one.seed)
    words: dict[str, list[str]] = {}
    for (measure, cell), of in seeds.items():
        words.setdefault(measure, []).append(f"{table.study.called(cell)} ({seed_words(of)})")
    return ["", *(f"No figure of {_title(key)}: {'; '.join(of)}." for key, of in words.items())] if words else []


def _circumstances(table: Comparison) -> list[str]:
    """Where results were made on several machines, and where their frost is of two kinds."""
    lines = []
    machines: dict[str, int] = {}
    for one in table.found:
        machines[made_on(one)] = machines.get(made_on(one), 0) + 1
    if len(machines) > 1:
        words = [f"{name} ({counted(number, 'run')})" for name, number in sorted(machines.items())]
        lines += ["", f"Made on {', '.join(words)}."]
    frost: dict[str, list[str]] = {}
    passes = {pass_of(measure) for measure in table.study.config.measures}
    for one in table.found:
        if kind := frost_of(one, passes):
            frost.setdefault(kind, []).append(f"{table.study.called(one['row'])} (seed {one['seed']})")
    if len(frost) > 1 or any(" and " in kind for kind in frost):
        lines += ["", "Frost is of two kinds, so that these figures under corruption don't compare:"]
        lines += [f"- {FROST.get(kind, plain(kind, most=60))}: {'; '.join(of)}" for kind, of in sorted(frost.items())]
    return lines


def _missing(table: Comparison) -> list[str]:
    if not table.missing:
        return []
    seeds: dict[str, list[int]] = {}
    for job in table.missing:
        seeds.setdefault(job.cell, []).append(job.seed)
    total = sum(map(len, seeds.values()))
    words = [f"{table.study.called(cell)} (seed {', '.join(map(str, of))})" for cell, of in seeds.items()]
    return ["", f"Missing, {total} of {total + len(table.found)} runs: {'; '.join(words)}."]


def _csv(table: Comparison) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("cell", "measure", "paper", "paper deviation", "paper mark", "mean", "deviation", "seeds", "less reference",
         "deviation of that", "seeds of that")
    )  # fmt: skip
    for cell in table.cells:
        for measure in table.study.config.measures:
            paper = table.paper(cell, measure) or PaperValue(None)
            ours, gap = table.figures[cell][measure], table.paired(cell, measure)
            row = (paper.value, paper.deviation, paper.mark, ours.mean, ours.deviation, len(ours.by_seed), gap.mean,
                   gap.deviation, len(gap.by_seed))  # fmt: skip
            writer.writerow((cell, measure, *("" if value is None else value for value in row)))
    return text.getvalue()


def _data(table: Comparison) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for cell in table.cells:
        rows[cell] = {}
        for measure in table.study.config.measures:
            paper, ours = table.paper(cell, measure), table.figures[cell][measure]
            rows[cell][measure] = {
                "paper": None if paper is None else {k: v for k, v in vars(paper).items() if v is not None},
                "mean": ours.mean,
                "deviation": ours.deviation,
                "by_seed": {str(seed): value for seed, value in ours.by_seed.items()},
                "less_reference": table.paired(cell, measure).mean,
                "less_reference_seeds": list(table.paired(cell, measure).by_seed),
            }
    return {
        "study": table.study.name,
        "title": table.study.config.title,
        "scale": table.scale,
        "seeds": list(table.seeds),
        "reference": table.study.reference,
        "rows": rows,
        "disagreements": [vars(one) for one in disagreements(table)],
        "missing": [{"cell": job.cell, "seed": job.seed} for job in table.missing],
        "missing_figures": [vars(one) for one in table.lacking],
        "results": [
            {**{key: one.get(key) for key in ABOUT}, "frost": frost_of(one, one["passes"])} for one in table.found
        ],
    }


def _title(measure: str) -> str:
    return column_of(measure).title


def _has_paper(table: Comparison, measure: str) -> bool:
    return any(table.paper(cell, measure) is not None for cell in table.cells)


def seed_words(seeds: Collection[int]) -> str:
    """Seeds in words: "seed 0", "seeds 0, 1"."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _words(figures: Figures, digits: int, sign: str = "") -> str:
    if figures.mean is None:
        return NOTHING
    text = f"{figures.mean:{sign}.{digits}f}"
    if figures.deviation is not None:
        text += f" ± {figures.deviation:.{digits}f}"
    return text


def _paper_words(value: PaperValue | None) -> str:
    if value is None:
        return NOTHING
    text = NOTHING if value.value is None else f"{value.value:g}"
    if value.deviation is not None:
        text += f" ± {value.deviation:g}"
    return f"{text} [{value.mark}]" if value.mark else text


def _grid(rows: Sequence[Sequence[str]], markdown: bool) -> str:
    """Rows as columns of text, the first row their headings; of plain text no line is longer than COLUMNS."""
    if markdown:
        rows = [[text.replace("|", r"\|") for text in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [[text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(zip(row, widths))]
             for row in rows]  # fmt: skip
    if markdown:
        rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
        return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
    blocks = []
    for columns in _blocks(rows[0], widths):
        blocks.append("\n".join("  ".join([line[0], *(line[i] for i in columns)]).rstrip() for line in lines))
    return "\n\n".join(blocks)


def _blocks(header: Sequence[str], widths: Sequence[int]) -> list[list[int]]:
    """The columns behind the first, in groups that fit beside it; ours stay with the paper's."""
    together: list[list[int]] = []
    for i in range(1, len(header)):
        if header[i] == OURS:
            together[-1].append(i)
        else:
            together.append([i])
    blocks: list[list[int]] = []
    left = 0
    for columns in together:
        needed = sum(2 + widths[i] for i in columns)
        if not blocks or needed > left:
            blocks.append([])
            left = COLUMNS - widths[0]
        blocks[-1] += columns
        left -= needed
    return blocks
