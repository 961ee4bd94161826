"""Checks in the forms of systems for continuous integration: JUnit's XML, and a summary in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from ipmix.core.errors import plain
from ipmix.report import tables
from ipmix.report.gates import Checked


def junit(found: Checked, name: str) -> str:
    """The checks as a JUnit test suite; with none, one test that the measuring came to its end.

    Args:
        found: the checks.
        name: of the run.
    """
    rows = found.rows
    suite = ElementTree.Element(
        "testsuite",
        name=f"ipmix: {plain(name)}",
        tests=str(max(1, len(rows))),
        failures=str(len(found.failed)),
        errors="0",
    )
    for row in rows:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"ipmix.{plain(name)}", name=f"{row.name}: {row.asked}"
        )
        if not row.passed:
            ElementTree.SubElement(
                case, "failure", message=f"{row.name}: {row.found}"
            ).text = f"{row.asked}: {row.found}"
    if not rows:
        ElementTree.SubElement(suite, "testcase", classname=f"ipmix.{plain(name)}", name="measured")
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def summary(found: Checked, cards: Sequence[Mapping[str, Any]]) -> str:
    """The checks and the figures in Markdown, failed checks first."""
    lines = []
    if found.rows:
        count = len(found.failed)
        lines += [f"## {'All checks passed' if not count else f'{count} of {len(found.rows)} checks failed'}", ""]
        lines += ["| | measure | found | asked |", "|---|---|---|---|"]
        for row in sorted(found.rows, key=lambda row: row.passed):
            cells = (tables.inline(row.name), tables.inline(row.found), tables.inline(row.asked))
            lines.append(f"| {'passed' if row.passed else '**failed**'} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join([*lines, "## Figures", "", tables.markdown(cards)]).rstrip() + "\n"
