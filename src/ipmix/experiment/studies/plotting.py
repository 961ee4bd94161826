"""A study's table as a picture: a panel for each measure, or a plane of two of them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipmix.core.errors import InputError, plain
from ipmix.core.files import refuse_existing, refuse_no_folder, replacing
from ipmix.experiment.studies.comparing import Comparison
from ipmix.experiment.studies.measuring import column_of, near

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS = "#1f5fbf"
PAPER = "#6f6f6f"
BARS = "#9db8e0"

KINDS = {"png": "Description", "svg": "Description", "pdf": "Subject"}
"""The kinds of pictures, and where each keeps in words what it shows."""

NAME_MOST = 40
"""Letters of a name that are shown."""

WAYS = ((8, 0), (-8, 0), (0, 8), (0, -8), (7, 7), (-7, 7), (7, -7), (-7, -7))
"""Where a point's name may stand, in points (1/72 inch) from it, the first that is free."""

RINGS = (1.0, 1.5, 2.2, 3.0, 4.0, 5.0)
"""The same again, so many times as far."""

FAR = 2.0
"""From here on a line leads to the name."""


@dataclass(frozen=True)
class _Point:
    """A point of the plane, its deviations, its name and its looks."""

    x: float
    y: float
    dx: float
    dy: float
    name: str
    color: str
    marker: str


def check_plot(path: Path, measures: Sequence[str], plane: Sequence[str], *, force: bool = False) -> None:
    """Refuse a plot that can't be drawn or written, before anything is read.

    Args:
        path: the file; its ending is the kind of picture.
        measures: the study's.
        plane: none, or the two of them for a plane, across and up.
        force: the file may exist.

    Raises:
        InputError: matplotlib isn't there; the ending is none that it writes; the folder isn't there; the file exists;
            ``plane`` isn't two different measures of the study.
    """
    if find_spec("matplotlib") is None:
        raise InputError("a plot needs matplotlib: pip install matplotlib, or leave out --plot")
    for measure in plane:
        if measure not in measures:
            raise InputError(f"--plane: {measure!r} is no measure of the study; {near(measure, measures)}")
    if plane and (len(plane) != 2 or plane[0] == plane[1]):
        raise InputError(
            f"--plane takes two different measures, such as {','.join(measures[:2])}; got {','.join(plane)}"
        )
    if _ending(path) not in KINDS:
        raise InputError(
            f"{path} (--plot): the ending says which kind of picture it is; expected .{', .'.join(KINDS)}, got "
            f"{plain(repr(path.suffix), most=40) if path.suffix else 'none'}"
        )
    refuse_no_folder(path)
    refuse_existing(path, force=force)


def plot(table: Comparison, path: Path, plane: Sequence[str] = (), *, paper: bool = True, force: bool = False) -> None:
    """Draw our means and deviations over seeds, and the paper's figures where there are some.

    Args:
        table: the figures.
        path: the file to write.
        plane: two measures, one against the other; a panel for each measure of the study if empty.
        paper: draw the paper's figures too.
        force: replace the file if it exists.

    Raises:
        InputError: see :func:`check_plot`; or there are no figures to draw.
    """
    kind = _ending(path)
    check_plot(path, table.study.config.measures, plane, force=force)
    from matplotlib import style

    # As it is made for, whatever a matplotlibrc says; names with dollar signs are no formulas.
    ours = {"text.parse_math": False, "svg.hashsalt": "ipmix"}
    said = {KINDS[kind]: description(table, plane or table.study.config.measures, paper=paper)}
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})  # the same figures, the same file
    with style.context(["default", ours], after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # of a name in letters that the font lacks
        figure = _plane(table, plane[0], plane[1], paper) if plane else _panels(table, paper)
        with replacing(path) as file:
            figure.savefig(file, format=kind, metadata={**said, **undated})


def description(table: Comparison, measures: Sequence[str], *, paper: bool) -> str:
    """What a plot shows in words, which PNG, SVG and PDF hold: the scale, the seeds, and each point."""
    rows = []
    for cell in table.cells:
        figures = []
        for measure in measures:
            ours, digits = table.figures[cell][measure], column_of(measure).digits
            if ours.mean is not None:
                spread = "" if ours.deviation is None else f" ± {ours.deviation:.{digits}f}"
                figures.append(f"{measure} {ours.mean:.{digits}f}{spread}")
            if paper and (printed := _paper(table, cell, measure)) is not None:
                figures.append(f"{measure} {printed:g} (paper)")
        rows.append(f"{plain(cell)}: {', '.join(figures) or 'nothing'}")
    seeds = ", ".join(map(str, table.seeds))
    return f"{plain(table.study.name)}, scale {plain(table.scale)}, seeds {seeds}; {'; '.join(rows)}"


def _panels(table: Comparison, paper: bool) -> "Figure":
    from matplotlib.figure import Figure

    measures = [one for one in table.study.config.measures if any(table.figures[c][one].by_seed for c in table.cells)]
    if not measures:
        raise InputError("there are no results to plot yet")
    figure = Figure(figsize=(2.6 * len(measures) + 1.6, 0.34 * len(table.cells) + 1.1), layout="constrained")
    places = list(range(len(table.cells)))[::-1]
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    handles: dict[str, Any] = {}
    for panel, measure in zip(panels, measures, strict=True):
        found = [(at, table.figures[cell][measure]) for at, cell in zip(places, table.cells, strict=True)]
        found = [(at, one) for at, one in found if one.mean is not None]
        handles["ours"] = panel.errorbar(
            [one.mean for _, one in found], [at for at, _ in found], xerr=[one.deviation or 0.0 for _, one in found],
            fmt="o", color=OURS,
        )  # fmt: skip
        printed = [(at, value) for at, cell in zip(places, table.cells, strict=True)
                   if paper and (value := _paper(table, cell, measure)) is not None]  # fmt: skip
        if printed:
            (handles["paper"],) = panel.plot(
                [value for _, value in printed], [at for at, _ in printed], "x", color=PAPER
            )
        panel.set_title(_named(measure), fontsize=9)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(places, [_called(table, cell) for cell in table.cells])
    if len(handles) > 1:
        figure.legend(handles.values(), handles.keys(), fontsize=8, ncols=2, loc="outside upper left", frameon=False)
    return figure


def _plane(table: Comparison, across: str, up: str, paper: bool) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.subplots()
    points: list[_Point] = []
    for cell in table.cells:
        x, y = table.figures[cell][across], table.figures[cell][up]
        if x.mean is not None and y.mean is not None:
            own = (x.deviation or 0.0, y.deviation or 0.0)
            points.append(_Point(x.mean, y.mean, *own, _called(table, cell), OURS, "o"))
    if not points:
        raise InputError("there are no results to plot yet")
    for cell in table.cells:
        left, top = (_paper(table, cell, measure) for measure in (across, up))
        if paper and left is not None and top is not None:
            points.append(_Point(left, top, 0.0, 0.0, _called(table, cell), PAPER, "x"))
    for one in points:
        axes.errorbar(one.x, one.y, xerr=one.dx, yerr=one.dy, fmt=one.marker, color=one.color, ecolor=BARS, zorder=3)
    axes.set_xlabel(_named(across))
    axes.set_ylabel(_named(up))
    axes.grid(alpha=0.3)
    axes.margins(0.12)
    if any(one.color == PAPER for one in points):
        axes.set_title("dots: ours, crosses: the paper's", fontsize=9, loc="left")
    figure.draw_without_rendering()  # names are placed where everything else will stand
    _name_points(axes, FigureCanvasAgg(figure).get_renderer(), points)
    return figure


def _name_points(axes: "Axes", renderer: Any, points: Sequence[_Point]) -> None:
    """A name beside each point, where it covers neither a point nor another name and stays within the axes."""
    from matplotlib.transforms import Bbox

    place = axes.transData.transform
    taken = []
    for one in points:
        x, y = place((one.x, one.y))
        taken.append(Bbox.from_extents(x - 5, y - 5, x + 5, y + 5))
        for dx, dy in ((one.dx, 0.0), (0.0, one.dy)):  # the bars
            low, high = place((one.x - dx, one.y - dy)), place((one.x + dx, one.y + dy))
            taken.append(Bbox.from_extents(low[0] - 1, low[1] - 1, high[0] + 1, high[1] + 1))
    frame = axes.get_window_extent(renderer)
    for one in points:
        text = axes.annotate(one.name, (one.x, one.y), (0, 0), textcoords="offset points", fontsize=8, color=one.color)
        for ring, (dx, dy) in ((ring, way) for ring in RINGS for way in WAYS):
            text.set_position((dx * ring, dy * ring))
            text.set_horizontalalignment("left" if dx > 0 else "right" if dx < 0 else "center")
            text.set_verticalalignment("bottom" if dy > 0 else "top" if dy < 0 else "center")
            box = text.get_window_extent(renderer)
            within = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            if within and not any(box.overlaps(other) for other in taken):
                if ring >= FAR:
                    axes.annotate("", (one.x, one.y), text.get_position(), textcoords="offset points",
                                  arrowprops={"arrowstyle": "-", "color": one.color, "lw": 0.5})  # fmt: skip
                break
        taken.append(text.get_window_extent(renderer))


def _called(table: Comparison, cell: str) -> str:
    """A cell's name as a picture can hold it."""
    return plain(table.study.called(cell), most=NAME_MOST)


def _named(measure: str) -> str:
    """A measure's heading, with its unit where that is percent."""
    column = column_of(measure)
    title = plain(column.title, most=NAME_MOST)
    return f"{title} (%)" if column.factor == 100 else title


def _paper(table: Comparison, cell: str, measure: str) -> float | None:
    found = table.paper(cell, measure)
    return None if found is None else found.value


def _ending(path: Path) -> str:
    return path.suffix.removeprefix(".").lower()
