"""The figures of docs/reliability.md: a row for each part, in which all of its runs are added up.

``runs.jsonl`` beside this file holds a line for each run, which is never changed; the table is made from it. So a long
count can be gathered in pieces, and a fault that was found stays in its row.
"""

import json
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.reliability.harness import TIME_UP, Part

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
RUNS = Path(__file__).parent / "runs.jsonl"
BEGIN, END = "<!-- figures: written by python -m tests.reliability --record -->", "<!-- end of figures -->"
HEAD = "| part | one try | tries | faults | took | notes | on |\n|---|---|---:|---:|---:|---|---|"
TOLD = 5
"""Faults of a row that are told, the latest; their number is that of all."""


def line(part: Part) -> dict[str, Any]:
    """A run as it is kept."""
    where = {"day": time.strftime("%Y-%m-%d"), "on": f"{platform.system()} {platform.machine()}"}
    return vars(part) | {"seconds": round(part.seconds)} | where


def kept(runs: Path = RUNS) -> list[dict[str, Any]]:
    """All runs, the oldest first."""
    return [json.loads(text) for text in runs.read_text(encoding="utf-8").splitlines()] if runs.exists() else []


def tried(name: str, runs: Path = RUNS) -> int:
    """How many tries of a part are kept: where its next run begins."""
    return sum(run["tried"] for run in kept(runs) if run["name"] == name)


def row(runs: Sequence[dict[str, Any]]) -> str:
    """The runs of one part as a line of the table."""
    last, count = runs[-1], len(runs)
    short = sum(TIME_UP in run["notes"] for run in runs)
    notes = [f"in {count} runs"] * (count > 1)
    if short:
        notes.append(TIME_UP if count == 1 else f"{short} of them {TIME_UP}")
    total = sum(run["tried"] for run in runs)
    counts = dict.fromkeys(what for run in runs for what in run["counts"])
    for what in counts:
        of = [run for run in runs if what in run["counts"]]
        notes.append(f"{sum(run['counts'][what] for run in of):,} of {sum(run['tried'] for run in of):,} {what}")
    notes += _places(runs)
    notes += dict.fromkeys(note for run in runs for note in run["notes"] if note != TIME_UP)
    faults = [fault for run in runs for fault in run["faults"]]
    faulty = max((place for place, run in enumerate(runs) if run["faults"]), default=-1)
    if 0 <= faulty < count - 1:
        notes.append(f"{sum(run['tried'] for run in runs[faulty + 1 :]):,} tries since the last fault")
    notes += [f"fault: {_cell(fault)[:200]}" for fault in faults[-TOLD:]]
    days = list(dict.fromkeys((runs[0]["day"], last["day"])))
    seconds = sum(run["seconds"] for run in runs)
    return (
        f"| {last['name']} | {last['what']} | {total:,} | {len(faults):,} | {seconds:,.0f} s "
        f"| {'; '.join(notes)} | {' to '.join(days)}, {last['on']} |"
    )


def _places(runs: Iterable[dict[str, Any]]) -> list[str]:
    """How many of the places that there are were tried, by the runs that had as many of them as the last has."""
    orders = [run["order"] for run in runs if run["order"]]
    if not orders:
        return []
    of, different = orders[-1]["of"], orders[-1]["different"]
    found = {
        place
        for order in orders
        if (order["of"], order["different"]) == (of, different)
        for begin, end in order["tried"]
        for place in range(begin, end)
    }
    among = sum(place < different for place in found)
    return [f"{len(found)} of {of} places, {among} of the {different} that differ"]


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("<", "(").replace(">", ")")


def record(parts: Sequence[Part], document: Path = DOCUMENT, runs: Path = RUNS) -> None:
    """Keep the runs of parts that tried or found anything, and make the document's table anew."""
    with open(runs, "a", encoding="utf-8") as file:
        file.writelines(
            json.dumps(line(part), ensure_ascii=False) + "\n" for part in parts if part.tried or part.faults
        )
    rows(document, runs)


def rows(document: Path = DOCUMENT, runs: Path = RUNS) -> None:
    """Make the document's table from the runs that are kept."""
    by_part: dict[str, list[dict[str, Any]]] = {}
    for run in kept(runs):
        by_part.setdefault(run["name"], []).append(run)
    before, rest = document.read_text(encoding="utf-8").split(BEGIN)
    table = "\n".join([HEAD, *map(row, by_part.values())])
    document.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
