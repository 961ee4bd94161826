"""Names beside the points of a plot, where they cover nothing and it is plain which point each belongs to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT_SIZE = 8

WAYS = (0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 338, 202, 68, 112, 292, 248)
"""Where a name may stand as seen from its point, in degrees, best first."""

GAPS = (7, 10, 14, 20, 28, 38, 50, 65, 80, 100)
"""How far from its point, in pixels of the screen, nearest first."""

MARK = 5.0
"""Pixels that a point takes to each side."""

FAR = 14
"""From here on a line leads from the point to its name."""

CLEAR = 1.2
"""A name without a line is so many times nearer to its own point than to what is drawn of any other."""

LINE = 12.0
COVERING = 1000.0
"""What a line, and anything that it covers, counts beside a pixel of distance."""

NAME = 5
"""What a name covers is so many times as bad as what a line crosses."""


@dataclass(frozen=True)
class Label:
    """A point of a plot, in the units of its axes, with its name.

    Attributes:
        name: what stands beside it.
        x, y: where it is.
        dx, dy: how far its error bars reach.
        color: of the name.
    """

    name: str
    x: float
    y: float
    dx: float
    dy: float
    color: str


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The place in it that is nearest to a point."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place_labels(axes: "Axes", renderer: Any, labels: Sequence[Label]) -> None:
    """Write the names into axes whose limits and layout are final.

    Args:
        axes: a plot's.
        renderer: what measures text.
        labels: the points, drawn already, and their names.
    """
    points = [tuple(map(float, axes.transData.transform((one.x, one.y)))) for one in labels]
    marks = [_marks(axes, one) for one in labels]
    frame = axes.get_window_extent(renderer)
    inside = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    to_points = 72.0 / axes.figure.get_dpi()
    written: list[Box] = []
    for number, one in enumerate(labels):
        x, y = points[number]
        text = axes.annotate(
            one.name, (one.x, one.y), (0, 0), textcoords="offset points", fontsize=FONT_SIZE, color=one.color,
            ha="center", va="center",
        )  # fmt: skip
        size = text.get_window_extent(renderer)
        others = [box for place, of in enumerate(marks) if place != number for box in of]
        box, line = _chosen(x, y, (size.width, size.height), inside, marks[number], [*others, *written], len(others))
        written += [box, *line]
        text.set_position((((box.left + box.right) / 2 - x) * to_points, ((box.bottom + box.top) / 2 - y) * to_points))
        if line:
            end = box.nearest(x, y)
            axes.annotate(
                "", (one.x, one.y), ((end[0] - x) * to_points, (end[1] - y) * to_points), textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": one.color, "lw": 0.5, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip


def _marks(axes: "Axes", one: Label) -> tuple[Box, ...]:
    """What is drawn of a point: its mark and its bars."""
    x, y = axes.transData.transform((one.x, one.y))
    found = [Box(x - MARK, y - MARK, x + MARK, y + MARK)]
    for dx, dy in ((one.dx, 0.0), (0.0, one.dy)):
        low, high = (axes.transData.transform((one.x + sign * dx, one.y + sign * dy)) for sign in (-1, 1))
        found.append(Box(low[0] - 1, low[1] - 1, high[0] + 1, high[1] + 1))
    return tuple(found)


def _chosen(
    x: float, y: float, size: tuple[float, float], inside: Box, own: Sequence[Box], taken: Sequence[Box], marks: int,
) -> tuple[Box, list[Box]]:  # fmt: skip
    """Where a name stands, and the boxes along the line that leads there (none without a line).

    Where nothing is free, it stands where it covers least. The first ``marks`` of ``taken`` are other points'.
    """
    best: tuple[float, Box, list[Box]] | None = None
    around = np.array([astuple(box) for box in taken]).reshape(-1, 4)
    for gap, box in _places(x, y, *size):
        if best is not None and gap >= best[0]:
            break
        if not (inside.left < box.left and box.right < inside.right):
            continue
        if not (inside.bottom < box.bottom and box.top < inside.top):
            continue
        line = []
        if gap >= FAR or _nearest(box, around[:marks]) < CLEAR * gap:
            line = _along(x, y, *box.nearest(x, y))
        covered = NAME * (sum(map(box.overlaps, own)) + int(_overlaps([box], around).sum()))
        if line:
            covered += int(_overlaps(line, around).any(axis=0).sum())
        score = gap + COVERING * covered + (LINE if line else 0.0)
        if best is None or score < best[0]:
            best = (score, box, line)
    if best is None:  # wider than the axes
        width, height = size
        return Box(x - width / 2, y + MARK, x + width / 2, y + MARK + height), []
    return best[1], best[2]


def _overlaps(boxes: Sequence[Box], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool[n, m]: which of the n boxes overlaps which of the m others (left, bottom, right, top)."""
    left, bottom, right, top = np.array([astuple(box) for box in boxes]).T[..., None]
    return (left < others[:, 2]) & (others[:, 0] < right) & (bottom < others[:, 3]) & (others[:, 1] < top)


def _nearest(box: Box, others: NDArray[np.float64]) -> float:
    """How far a box is from the nearest of others; infinitely if there are none."""
    across = np.maximum(np.maximum(box.left - others[:, 2], others[:, 0] - box.right), 0.0)
    up = np.maximum(np.maximum(box.bottom - others[:, 3], others[:, 1] - box.top), 0.0)
    return float(np.hypot(across, up).min(initial=math.inf))


def _places(x: float, y: float, width: float, height: float) -> Iterator[tuple[int, Box]]:
    for gap in GAPS:
        for way in WAYS:
            across, up = math.cos(math.radians(way)), math.sin(math.radians(way))
            middle_x = x + gap * across + width / 2 * max(-1.0, min(1.0, 1.5 * across))
            middle_y = y + gap * up + height / 2 * max(-1.0, min(1.0, 1.5 * up))
            yield gap, Box(middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2)


def _along(x: float, y: float, end_x: float, end_y: float) -> list[Box]:
    """Small boxes along a line, but for its beginning and end, where it touches its own point and name."""
    length = math.hypot(end_x - x, end_y - y)
    steps = int(length / 2)
    boxes = []
    for step in range(1, steps):
        at_x, at_y = x + (end_x - x) * step / steps, y + (end_y - y) * step / steps
        boxes.append(Box(at_x - 0.6, at_y - 0.6, at_x + 0.6, at_y + 0.6))
    return boxes
