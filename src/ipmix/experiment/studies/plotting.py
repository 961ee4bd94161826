"""A study's table as a picture: a panel for each measure, or a plane of two of them."""

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.files import refuse_existing, refuse_no_folder, replacing
from ipmix.experiment.studies.comparing import Comparison, Figures
from ipmix.experiment.studies.labels import Label, place_labels
from ipmix.experiment.studies.measuring import column_of, near
from ipmix.experiment.studies.rendering import seed_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "#1f5fbf"
PAPER = "#6f6f6f"
BARS = "#9db8e0"

KINDS = {"png": "Description", "svg": "Description", "pdf": "Subject"}
"""The kinds of pictures, and where each keeps in words what it shows."""

NAME_MOST = 40
"""Letters of a name that are shown."""


@dataclass(frozen=True)
class _Point:
    """A row's point in the plane: ours, over the seeds that have both figures, or the paper's."""

    name: str
    x: float
    y: float
    dx: float = 0.0
    dy: float = 0.0
    ours: bool = True


def check_plot(path: Path, measures: Sequence[str], plane: Sequence[str], *, force: bool = False) -> None:
    """Refuse a plot that can't be drawn or written, before anything is read.

    Args:
        path: the file; its ending is the kind of picture.
        measures: the study's.
        plane: none, or the two of them for a plane, across and up.
        force: the file may exist.

    Raises:
        InputError: matplotlib isn't there; the ending is none of :data:`KINDS`; the folder isn't there; the file
            exists; ``plane`` isn't two different measures of the study.
    """
    if find_spec("matplotlib") is None:
        raise InputError("a plot needs matplotlib: pip install matplotlib, or leave out --plot")
    try:
        import matplotlib  # noqa: F401
    except ValueError as error:  # a backend or a file of settings that it can't do with
        raise InputError(f"matplotlib can't be used here: {first_line(error)}") from None
    for measure in plane:
        if measure not in measures:
            raise InputError(f"--plane: {plain(repr(measure))} is no measure of the study; {near(measure, measures)}")
    if plane and (len(plane) != 2 or plane[0] == plane[1]):
        raise InputError(
            f"--plane takes two different measures, and the study has {', '.join(measures)}; got {','.join(plane)}"
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
        path: the file to write. What it shows is in its metadata in words.
        plane: two measures, one against the other; a panel for each measure of the study if empty.
        paper: draw the paper's figures too.
        force: replace the file if it exists.

    Raises:
        InputError: see :func:`check_plot`; or there are no figures to draw, or matplotlib can't write them.
    """
    kind = _ending(path)
    check_plot(path, table.study.config.measures, plane, force=force)
    from matplotlib import style

    # As it is made for, whatever a matplotlibrc says; names with dollar signs are no formulas.
    ours = {"text.parse_math": False, "svg.hashsalt": "ipmix"}
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})  # the same figures, the same file
    with style.context(["default", ours], after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # of a name in letters that the font lacks
        figure, shown = _plane(table, plane[0], plane[1], paper) if plane else _panels(table, paper)
        said = {KINDS[kind]: f"{plain(table.study.name)}, scale {plain(table.scale)}; {'; '.join(shown)}"}
        try:
            with replacing(path) as file:
                figure.savefig(file, format=kind, metadata={**said, **undated})
        except ValueError as error:  # what matplotlib reads of the surroundings: SOURCE_DATE_EPOCH
            raise InputError(f"{path}: matplotlib can't write it: {first_line(error)}") from None


def _panels(table: Comparison, paper: bool) -> tuple["Figure", list[str]]:
    """A panel for each measure that there are figures of; the picture and what it shows in words."""
    from matplotlib.figure import Figure

    printed = {(cell, measure): value for cell in table.cells for measure in table.study.config.measures
               if paper and (value := _paper(table, cell, measure)) is not None}  # fmt: skip
    if not any(one.by_seed for row in table.figures.values() for one in row.values()):
        raise InputError("there are no results to plot yet")

    def there(cell: str, measure: str) -> bool:
        return bool(table.figures[cell][measure].by_seed) or (cell, measure) in printed

    measures = [one for one in table.study.config.measures if any(there(cell, one) for cell in table.cells)]
    cells = [cell for cell in table.cells if any(there(cell, one) for one in measures)]
    names = [_called(table, cell) for cell in cells]
    width = 2.4 * len(measures) + 0.5 + 0.075 * max(map(len, names))
    figure = Figure(figsize=(width, 0.34 * len(cells) + 1.4), layout="constrained")
    places = list(range(len(cells)))[::-1]
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    shown, spread = [], False
    for panel, measure in zip(panels, measures, strict=True):
        for at, cell, name in zip(places, cells, names, strict=True):
            ours = table.figures[cell][measure]
            if ours.mean is not None:
                spread |= ours.deviation is not None
                panel.errorbar(ours.mean, at, xerr=ours.deviation or 0.0, fmt="o", color=OURS, ecolor=BARS, zorder=3)
                shown.append(f"{name}: {_words(table, measure, ours)}")
            if (cell, measure) in printed:
                panel.plot(printed[cell, measure], at, "x", color=PAPER)
                shown.append(f"{name} (paper): {measure} {printed[cell, measure]:g}")
        panel.set_title(textwrap.fill(_named(measure), 26), fontsize=9)
        panel.set_ylim(-0.6, len(cells) - 0.4)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(places, names, fontsize=9)
    figure.suptitle(_caption(table, spread, bool(printed)), fontsize=9, x=0.01, ha="left")
    return figure, shown


def _plane(table: Comparison, across: str, up: str, paper: bool) -> tuple["Figure", list[str]]:
    """One measure against another, each point with its name; the picture and what it shows in words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points, shown, halves = [], [], []
    for cell in table.cells:
        name, row = _called(table, cell), table.figures[cell]
        shared = sorted(row[across].by_seed.keys() & row[up].by_seed.keys())
        x, y = (Figures({seed: row[measure].by_seed[seed] for seed in shared}) for measure in (across, up))
        if x.mean is not None and y.mean is not None:
            points.append(_Point(name, x.mean, y.mean, x.deviation or 0.0, y.deviation or 0.0))
            shown.append(f"{name}: {_words(table, across, x)}, {_words(table, up, y)}")
        elif row[across].by_seed or row[up].by_seed:
            halves.append(name)
    if not points:
        raise InputError(f"there is nothing to plot: no row has figures of both {across} and {up} of the same seed")
    for cell in table.cells if paper else ():
        name, left, top = _called(table, cell), _paper(table, cell, across), _paper(table, cell, up)
        if left is not None and top is not None:
            points.append(_Point(name, left, top, ours=False))
            shown.append(f"{name} (paper): {across} {left:g}, {up} {top:g}")
        elif left is not None or top is not None:
            halves.append(f"{name} (paper)")
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.subplots()
    for one in points:
        color, marker = (OURS, "o") if one.ours else (PAPER, "x")
        axes.errorbar(one.x, one.y, xerr=one.dx, yerr=one.dy, fmt=marker, color=color, ecolor=BARS, zorder=3)
    axes.set_xlabel(_named(across))
    axes.set_ylabel(_named(up))
    axes.grid(alpha=0.3)
    axes.margins(0.14)
    lines = _caption(table, any(one.dx or one.dy for one in points), not all(one.ours for one in points))
    if halves:
        lines += "\n" + textwrap.fill(f"left out, with one of the two figures alone: {', '.join(halves)}", 110)
    axes.set_title(lines, fontsize=9, loc="left")
    figure.draw_without_rendering()  # names are placed where everything else will stand
    labels = [Label(one.name, one.x, one.y, one.dx, one.dy, OURS if one.ours else PAPER) for one in points]
    place_labels(axes, FigureCanvasAgg(figure).get_renderer(), labels)
    return figure, shown


def _caption(table: Comparison, spread: bool, paper: bool) -> str:
    """What a picture shows, at which scale and over which seeds."""
    title = "\n".join(textwrap.wrap(plain(table.study.config.title, most=200), 110))
    marks = f"scale {plain(table.scale, most=NAME_MOST)}, {seed_words(table.seeds)}"
    marks += "; bars: standard deviation over seeds" if spread else ""
    marks += "; dots: ours, crosses: the paper's" if paper else ""
    return f"{title}\n{marks}"


def _words(table: Comparison, measure: str, ours: Figures) -> str:
    digits = column_of(measure).digits
    words = f"{measure} {ours.mean:.{digits}f}"
    words += f" ± {ours.deviation:.{digits}f}" if ours.deviation is not None else ""
    return f"{words} ({seed_words(tuple(ours.by_seed))})"


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
