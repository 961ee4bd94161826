"""Charts as inline SVG: drawn with the page's own colors, so that they follow light, dark and print.

Runs differ by color, by the shape of their markers, and from the ninth on by the dashes of their lines: as many as a
page can hold are told apart, also without color.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

COLORS, DASHES = 8, 4

MARKERS = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",  # circle
    "M-3 -3h6v6h-6z",  # square
    "M0 -4L3.8 3H-3.8z",  # triangle
    "M0 -4.4L4.4 0L0 4.4L-4.4 0z",  # diamond
    "M0 4L3.8 -3H-3.8z",  # triangle, point down
    "M-1.2 -4h2.4v2.8h2.8v2.4h-2.8v2.8h-2.4v-2.8h-2.8v-2.4h2.8z",  # cross
    "M-4 -1.4h8v2.8h-8z",  # bar
)
"""Seven shapes and eight colors: no two of 56 runs have both alike."""

SPARSE = 12
"""A curve of more points gets about six markers, so that its line is seen."""

THIN = 10
"""Bins of fewer answers are drawn pale and narrow."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart. ``style`` is the run's number: it says color, marker and dashes."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: int = 0
    bounds: Sequence[Sequence[float] | None] = ()
    """The interval (low, high) of each point, drawn as a line across; empty for none."""
    told: Sequence[str] = ()
    """What each point is, told with its value."""


LEFT, RIGHT, TOP, BOTTOM = 54, 18, 12, 38


def classes(style: int) -> str:
    """The classes of CSS that give a run's color and dashes."""
    return f"s{style % COLORS} d{style // COLORS % DASHES}"


def key(style: int) -> Markup:
    """A run's line and marker, as small as a letter: for legends."""
    return Markup(
        f'<svg class="key {classes(style)}" viewBox="0 0 30 12" width="30" height="12" aria-hidden="true">'
        f'<line class="line" x1="1" x2="29" y1="6" y2="6"/><path class="dot" d="{_marker(style)}" '
        'transform="translate(15 6)"/></svg>'
    )


def lines(
    series: Sequence[Curve],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    width: int = 460,
    height: int = 280,
) -> Markup:
    """Lines over a common x axis. y is shown in percent, from 0 to a round number above the largest value."""
    xs = [x for line in series for x in line.x]
    ys = [y for line in series for y in line.y]
    x_low, x_high = min(xs), max(xs)
    if x_high == x_low:
        x_high = x_low + 1.0
    ends = [end for line in series for pair in line.bounds if pair for end in pair]
    y_high = ceiling(max(*ys, *ends, 0.0))
    inner_width, inner_height = width - LEFT - RIGHT, height - TOP - BOTTOM

    def across(x: float) -> float:
        return LEFT + inner_width * (x - x_low) / (x_high - x_low)

    def up(y: float) -> float:
        return TOP + inner_height * (1.0 - y / y_high)

    parts = [_opening(width, height, title)]
    for step in range(6):
        value = y_high * step / 5
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>')
        parts.append(_text(LEFT - 6, up(value) + 4, f"{100 * value:.3g}%", "end"))
    ticks = x_ticks or [(x_low + (x_high - x_low) * i / 4, "") for i in range(5)]
    for value, label in ticks:
        parts.append(_text(across(value), height - BOTTOM + 16, label or f"{value:.3g}", "middle"))
    parts.append(_text(LEFT + inner_width / 2, height - 4, x_label, "middle", "axis"))
    middle = TOP + inner_height / 2
    parts.append(_upright(middle, y_label))
    apart = min(2.4, 16.0 / len(series))
    for place, line in enumerate(series):
        aside = apart * (place - (len(series) - 1) / 2) if line.bounds else 0.0  # so that intervals stand side by side
        points = [(across(x) + aside, up(y)) for x, y in zip(line.x, line.y)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<g class="{classes(line.style)}">')
        parts.append(f'<polyline class="line" points="{path}"><title>{escape(line.label)}</title></polyline>')
        for (x, _), pair in zip(points, line.bounds):
            if pair:
                parts.append(
                    f'<line class="line range" x1="{x:.1f}" x2="{x:.1f}" '
                    f'y1="{up(pair[0]):.1f}" y2="{up(pair[1]):.1f}"/>'
                )
        for i in _marked(len(points), place):
            (x, y), pair = points[i], line.bounds[i] if line.bounds else None
            told = f", {line.told[i]}" if line.told else ""
            parts.append(
                f'<path class="dot" d="{_marker(line.style)}" transform="translate({x:.1f} {y:.1f})">'
                f"<title>{escape(line.label)}: {100 * line.y[i]:.1f}%{_in_brackets(pair)}{escape(told)}</title></path>"
            )
        parts.append("</g>")
    parts.append("</svg>")
    return Markup("".join(parts))


def reliability(
    edges: Sequence[float],
    count: Sequence[int],
    confidence: Sequence[float],
    accuracy: Sequence[float],
    *,
    title: str,
    style: int = 0,
    low: Sequence[float] = (),
    high: Sequence[float] = (),
) -> Markup:
    """A reliability diagram: accuracy of each bin of confidence against the diagonal, and where images lie.

    ``low`` and ``high``, the ends of each accuracy's interval, are drawn as a line where they are given. The gap
    between confidence and accuracy is colored by its side: "over" where confidence is too high, "under" where it is
    too low. Bins of fewer than :data:`THIN` images are pale and narrow.
    """
    width, height, strip = 384, 216, 44
    left, top = 58, 10
    base = top + height + 14 + strip  # what the bars of counts stand on
    parts = [_opening(left + width + 18, base + 42, title)]
    for step in range(5):
        value = step / 4
        y = top + height * (1 - value)
        parts.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, f"{100 * value:.0f}%", "end"))
        parts.append(_text(left + width * value, base + 16, f"{100 * value:.0f}%", "middle"))
    total, most = max(sum(count), 1), max(max(count), 1)
    parts.append(_text(left - 6, base - strip + 9, f"{most:,}", "end"))
    parts.append(_text(left - 6, base + 2, "0", "end"))
    parts.append(f'<g class="{classes(style)}">')
    for i, number in enumerate(count):
        if not number:
            continue
        x, wide = left + width * edges[i] + 0.5, width * (edges[i + 1] - edges[i]) - 1
        tall = max(strip * number / most, 0.8)
        parts.append(
            f'<rect class="count" x="{x:.1f}" width="{wide:.1f}" y="{base - tall:.1f}" height="{tall:.1f}">'
            f"<title>{number} images, {100 * number / total:.1f}%</title></rect>"
        )
        kind = ""
        if number < THIN:
            kind, x, wide = ' class="thin"', x + wide / 4, wide / 2
        nearer, farther = sorted((accuracy[i], confidence[i]))
        bounds = (low[i], high[i]) if low and high else None
        side = "over" if confidence[i] > accuracy[i] else "under"
        told = (
            f"{number} images: confidence {100 * confidence[i]:.1f}%, correct {100 * accuracy[i]:.1f}%"
            f"{_in_brackets(bounds)}"
        )
        parts.append(
            f"<g{kind}><title>{told}</title>"
            f'<rect class="fill" x="{x:.1f}" width="{wide:.1f}" y="{top + height * (1 - nearer):.1f}" '
            f'height="{height * nearer:.1f}"/>'
            f'<rect class="gap {side}" x="{x:.1f}" width="{wide:.1f}" y="{top + height * (1 - farther):.1f}" '
            f'height="{max(height * (farther - nearer), 0.8):.1f}"/>'
        )
        if bounds:
            middle = x + wide / 2
            parts.append(
                f'<line class="interval" x1="{middle:.1f}" x2="{middle:.1f}" '
                f'y1="{top + height * (1 - bounds[0]):.1f}" y2="{top + height * (1 - bounds[1]):.1f}"/>'
            )
        parts.append("</g>")
    parts.append(f'</g><line class="base" x1="{left}" x2="{left + width}" y1="{base}" y2="{base}"/>')
    parts.append(f'<line class="diagonal" x1="{left}" y1="{top + height}" x2="{left + width}" y2="{top}"/>')
    parts.append(_text(left + width / 2, base + 35, "confidence", "middle", "axis"))
    parts.append(_upright(top + height / 2, "correct answers"))
    parts.append(_upright(base - strip / 2, "images") + "</svg>")
    return Markup("".join(parts))


def ceiling(value: float) -> float:
    """A round number of at least ``value``: the top of an axis whose five steps are round as well."""
    for top in (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0):
        if value <= top:
            return top
    return value


def _marked(count: int, place: int) -> Sequence[int]:
    """Which points get a marker: all, or of many about six, at other places for each run."""
    if count <= SPARSE:
        return range(count)
    step = -(-count // 6)
    return range((place * step // 3) % step, count, step)


def _marker(style: int) -> str:
    return MARKERS[style % len(MARKERS)]


def _opening(width: float, height: float, title: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
    )


def _in_brackets(pair: Sequence[float] | None) -> str:
    return f" ({100 * pair[0]:.1f}–{100 * pair[1]:.1f})" if pair else ""


def _text(x: float, y: float, content: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def _upright(y: float, content: str) -> str:
    """The label of a y axis, around this height."""
    turned = f"translate(13 {y:.0f}) rotate(-90)"
    return f'<text class="axis" text-anchor="middle" transform="{turned}">{escape(content)}</text>'
