"""Results as JSON (all figures), a Markdown page (tables) and plots, in one folder."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.results import Check, Curve, Row, Section, Suite
from ipmix.core.files import replacing, write_text
from ipmix.methods import METHODS

BUSY = (0.93, 1.15)
"""Processor seconds per second that a row of one thread should show: below, something else had its processor."""

COLORS = ("#1b6ca8", "#d1495b", "#3a9d5d", "#8a5fbf")
Lines = dict[str, Sequence[tuple[float, float]]]
INK, GRID = "#222222", "#dddddd"


def write(suite: Suite, folder: Path) -> list[Path]:
    """Write ``<name>.json``, ``<name>.md`` and, where there is something to draw, ``<name>*.png``; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{suite.name}.json", folder / f"{suite.name}.md"]
    plots = _plots(suite, folder)
    write_text(written[0], json.dumps(as_json(suite), indent=1, allow_nan=False) + "\n")
    write_text(written[1], markdown(suite, [path.name for path in plots]))
    return written + plots


def as_json(suite: Suite) -> dict[str, Any]:
    """Everything, in types that JSON knows; checks with their verdict."""
    content = asdict(suite)
    for check, entry in zip(suite.checks, content["checks"]):
        entry["verdict"] = check.verdict
    return content


def markdown(suite: Suite, plots: Sequence[str] = ()) -> str:
    """The page: circumstances, targets, plots, tables."""
    lines = [f"# {suite.title}", "", *_circumstances(suite), ""]
    if suite.checks:
        lines += ["## Targets", "", *targets(suite.checks), ""]
    lines += [line for name in plots for line in (f"![{suite.title}]({name})", "")]
    if suite.summary:
        lines += [suite.summary, ""]
    for section in suite.sections:
        lines += [f"## {section.title}", "", *table(section), ""]
    if suite.text:
        lines += ["```text", suite.text.rstrip(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _circumstances(suite: Suite) -> list[str]:
    words = dict(suite.metadata)
    lines = [f"Images: {suite.images}."] if suite.images else []
    versions = words.pop("versions", None)
    lines += [f"{name.capitalize()}: {value}." for name, value in words.items() if value is not None]
    if isinstance(versions, dict):
        lines.append("Versions: " + ", ".join(f"{name} {value}" for name, value in versions.items()) + ".")
    return [f"- {line}" for line in lines]


def targets(checks: Sequence[Check]) -> list[str]:
    """The targets as a Markdown table."""
    lines = ["| | measured | target | aim | |", "|---|---:|---:|---:|---|"]
    for check in checks:
        sign = "at most" if check.at_most else "at least"
        aim = "" if check.aim is None else number(check.aim)
        lines.append(
            f"| {check.name} ({check.unit}) | {number(check.value)} | {sign} {number(check.least)} | {aim} "
            f"| {check.verdict} |"
        )
    return lines


def table(section: Section) -> list[str]:
    """A section as Markdown: its note, its rows, what was absent."""
    beside, memory = bool(section.beside), any(row.memory for row in section.rows)
    notes = any(row.note for row in section.rows)
    heads = ["", section.unit, "slowest to fastest round"]
    compared = f"{section.beside} is times as fast" if section.inverse else f"times {section.beside}"
    heads += [compared] * beside + ["MiB before", "MiB at most"] * memory + ["note"] * notes
    lines = [section.note, ""] if section.note else []
    lines += ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1 - notes) + "---|" * notes]
    for row in section.rows:
        cells = [row.name + suspicion(row), number(row.rate)]
        cells.append(f"{number(row.slowest)} to {number(row.fastest)}")
        cells += [number(row.times) if row.times is not None else ""] * beside
        cells += [f"{value:.0f}" for value in row.memory] if row.memory else ["", ""] * memory
        lines.append("| " + " | ".join(cells + [row.note] * notes) + " |")
    if section.absent:
        lines += ["", "Absent:", *(f"- {one.name}: {one.reason}" for one in section.absent)]
    return lines


def suspicion(row: Row) -> str:
    """What to distrust about a row of one thread; "" for nothing, and for rows of several threads."""
    if row.threads > 1 or BUSY[0] <= row.busy <= BUSY[1]:
        return ""
    return " (disturbed)" if row.busy < BUSY[0] else " (used more than one thread)"


def number(value: float) -> str:
    """Three figures, or whole above 100: 0.0123, 4.56, 78.9, 123,456."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _plots(suite: Suite, folder: Path) -> list[Path]:
    if suite.curves:
        return [_draw_curves(suite.curves, folder / f"{suite.name}.png")]
    drawn = [section for section in suite.sections if section.drawn and section.rows]
    return [_draw_dots(drawn, folder / f"{suite.name}.png")] if drawn else []


def _draw_dots(sections: Sequence[Section], path: Path) -> Path:
    """One panel a section (peers: fastest on top): the median as a dot, slowest to fastest round as a line."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    heights = [0.3 * len(section.rows) + 0.9 for section in sections]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    panels = figure.subplots(len(sections), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, section in zip(panels, sections):
        beside_peers = len({is_ours(row) for row in section.rows}) == 2
        ordered = section.inverse or beside_peers
        rows = sorted(section.rows, key=lambda row: row.rate) if ordered else section.rows[::-1]
        least, widest = min(row.slowest for row in rows), max(row.fastest for row in rows)
        logarithmic = widest > 30 * least
        panel.set_xscale("log" if logarithmic else "linear")
        if logarithmic:  # from a power of ten, so that the first tick has its number; room for the last number
            panel.set_xlim(10 ** math.floor(math.log10(least / 1.1)), widest * 6)
        else:
            panel.set_xlim(0, widest * 1.12)
        for place, row in enumerate(rows):
            color = COLORS[0] if is_ours(row) else COLORS[1]
            panel.plot((row.slowest, row.fastest), (place, place), color=color, linewidth=1.4, alpha=0.5)
            panel.plot(row.rate, place, marker="o", markersize=5, color=color)
            panel.annotate(
                number(row.rate), (row.fastest, place), (5, 0), textcoords="offset points",
                va="center", fontsize=8, color=INK,
            )  # fmt: skip
        panel.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8, color=INK)
        panel.set_ylim(-0.7, len(rows) - 0.3)
        title = f"{section.title} ({section.unit}{', logarithmic' if logarithmic else ''})"
        panel.set_title(title, loc="left", fontsize=9, color=INK)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        panel.xaxis.set_minor_formatter(lambda value, _: "")
        panel.tick_params(axis="x", labelsize=8)
        panel.tick_params(axis="y", length=0)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.grid(color=GRID, linewidth=0.6)
        panel.set_axisbelow(True)
        if beside_peers:
            names = ("ipmix", "other libraries")
            dots = [Line2D([], [], marker="o", linestyle="", markersize=5, color=color) for color in COLORS[:2]]
            panel.legend(dots, names, loc="lower right", frameon=False, fontsize=8)
    return _save(figure, path)


def is_ours(row: Row) -> bool:
    """Whether a row is of ipmix, where a section compares it with other libraries."""
    return row.name in METHODS or row.name.startswith("IPMix")


def _draw_curves(curves: Sequence[Curve], path: Path) -> Path:
    """The side's curve in two panels (images, megapixels); others of one axis share one, relative to their first."""
    from matplotlib.figure import Figure

    groups: dict[str, Lines] = {}
    panels_of: list[tuple[str, str, Lines]] = []
    for curve in curves:
        if curve.axis == "pixels a side":
            named: Lines = {spelled(label): pairs for label, pairs in curve.points.items()}
            panels_of.append((curve.axis, "images/s", named))
            millions: Lines = {label: [(x, rate * x * x / 1e6) for x, rate in pairs] for label, pairs in named.items()}
            panels_of.append((curve.axis, "megapixels/s", millions))
            continue
        relative: Lines = {
            label: [(x, rate / pairs[0][1]) for x, rate in pairs] for label, pairs in curve.points.items()
        }
        if curve.axis not in groups:
            groups[curve.axis] = {}
            panels_of.append((curve.axis, "images/s, times the first point's", groups[curve.axis]))
        groups[curve.axis].update(relative)
    down = math.ceil(len(panels_of) / 2)
    figure = Figure(figsize=(10, 3.3 * down), layout="constrained")
    panels = figure.subplots(down, 2, squeeze=False).ravel()
    for panel, (axis, unit, lines) in zip(panels, panels_of):
        _draw_lines(panel, axis, unit, lines)
    for panel in panels[len(panels_of) :]:
        panel.set_axis_off()
    return _save(figure, path)


TITLES = {
    ("pixels a side", "images/s"): "Images a second, by size",
    ("pixels a side", "megapixels/s"): "Megapixels a second, by size",
    ("k", ""): "Width: k, the number of chains",
    ("t", ""): "Depth: t, the most steps in a chain",
    ("images a call", ""): "Images in one call",
    ("threads", ""): "Threads",
}
"""Panel titles, by axis and unit ("" for any)."""

AXES = {"k": "k (chains)", "t": "t (steps)", "pixels a side": "side (pixels)"}


def spelled(label: str) -> str:
    """A line's name in a figure, without words that only benchmarks/README.md explains."""
    return label.replace("yardstick", "experimental fused kernel, the authors' form")


def _draw_lines(panel: Any, axis: str, unit: str, lines: Lines) -> None:
    for color, (label, pairs) in zip(COLORS, lines.items()):
        panel.plot(*zip(*pairs), marker="o", markersize=3.5, linewidth=1.4, color=color, label=label)
    places = sorted({x for pairs in lines.values() for x, _ in pairs})
    if axis in ("pixels a side", "images a call"):
        panel.set_xscale("log", base=2)
        shown = places if len(places) <= 11 else [x for x in places if math.log2(x).is_integer()]
        panel.set_xticks(shown, [f"{x:g}" for x in shown])
        panel.minorticks_off()
    else:
        panel.set_xticks(places, [f"{x:g}" for x in places])
    if axis == "pixels a side" and unit == "images/s":
        panel.set_yscale("log")
    else:
        panel.set_ylim(0, 1.08 * max(y for pairs in lines.values() for _, y in pairs))
    if axis == "threads":
        panel.plot(places, places, linestyle="--", linewidth=1, color="#888888", label="every thread in full")
    panel.set_title(TITLES.get((axis, unit)) or TITLES.get((axis, ""), axis), loc="left", fontsize=10, color=INK)
    panel.set_xlabel(AXES.get(axis, axis), fontsize=9, color=INK)
    panel.set_ylabel(unit, fontsize=9, color=INK)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color=GRID, linewidth=0.6)
    panel.legend(frameon=False, fontsize=8)


def _save(figure: Any, path: Path) -> Path:
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=130, facecolor="white", metadata={"Software": None})
    return path
