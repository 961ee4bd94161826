"""The figures of docs/reliability.md: a row for each part, replaced when the part is run again."""

import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

from tests.reliability.harness import Part

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: written by python -m tests.reliability --record -->", "<!-- end of figures -->"
HEAD = "| part | one try | tries | faults | took | notes | on |\n|---|---|---:|---:|---:|---|---|"


def row(part: Part) -> str:
    """A part as a line of the table."""
    where = f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}"
    notes = "; ".join(part.notes)
    return (
        f"| {part.name} | {part.what} | {part.tried:,} | {len(part.faults):,} | {part.seconds:,.0f} s | {notes} "
        f"| {where} |"
    )


def record(parts: Sequence[Part], document: Path = DOCUMENT) -> None:
    """Put the rows of parts that tried anything into the document's table, in place of those of the same names."""
    text = document.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    rows = {found[1]: found[0] for found in re.finditer(r"^\| ([^|]+?) \|.*$", table, re.M) if found[1] != "part"}
    rows.pop("---", None)
    rows |= {part.name: row(part) for part in parts if part.tried}
    document.write_text(
        f"{before}{BEGIN}\n\n{HEAD}\n" + "\n".join(rows.values()) + f"\n\n{END}{after}", encoding="utf-8"
    )
