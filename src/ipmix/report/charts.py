"""Charts as inline SVG: drawn with the page's own colors, so that they follow light, dark and print."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart. ``color`` is a number: the page's n-th series color."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    color: int = 0
    bounds: Sequence[Sequence[float] | None] = ()
    """The interval (low, high) of each point, drawn as a line across; empty for none."""


LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 38


def lines(
    series: Sequence[Curve],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    points: bool = False,
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
    y_high = _ceiling(max(*ys, *ends, 0.0))
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
    parts.append(
        f'<text class="axis" text-anchor="middle" transform="translate(11 {middle:.0f}) rotate(-90)">'
        f"{escape(y_label)}</text>"
    )
    for line in series:
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(line.x, line.y))
        parts.append(
            f'<polyline class="line s{line.color}" points="{path}"><title>{escape(line.label)}</title></polyline>'
        )
        bounds = line.bounds or [None] * len(line.x)
        for x, pair in zip(line.x, bounds):
            if pair:
                parts.append(
                    f'<line class="line range s{line.color}" x1="{across(x):.1f}" x2="{across(x):.1f}" '
                    f'y1="{up(pair[0]):.1f}" y2="{up(pair[1]):.1f}"/>'
                )
        if points:
            parts += [
                f'<circle class="dot s{line.color}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.2">'
                f"<title>{escape(line.label)}: {100 * y:.1f}%{_in_brackets(pair)}</title></circle>"
                for x, y, pair in zip(line.x, line.y, bounds)
            ]
    parts.append("</svg>")
    return Markup("".join(parts))


def reliability(
    edges: Sequence[float],
    count: Sequence[int],
    confidence: Sequence[float],
    accuracy: Sequence[float],
    *,
    title: str,
    color: int = 0,
    low: Sequence[float] = (),
    high: Sequence[float] = (),
) -> Markup:
    """A reliability diagram: accuracy of each bin of confidence against the diagonal, and where images lie.

    ``low`` and ``high``, the ends of each accuracy's interval, are drawn as a line where they are given.
    The red part of a column is the gap between confidence and accuracy.
    """
    size, strip = 200, 44
    left, top = 52, 10
    parts = [_opening(left + size + 12, top + size + strip + 46, title)]
    for step in range(5):
        value = step / 4
        y = top + size * (1 - value)
        parts.append(f'<line class="grid" x1="{left}" x2="{left + size}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, f"{100 * value:.0f}%", "end"))
        parts.append(_text(left + size * value, top + size + strip + 18, f"{100 * value:.0f}%", "middle"))
    total, most = max(sum(count), 1), max(max(count), 1)
    for i, number in enumerate(count):
        if not number:
            continue
        x, wide = left + size * edges[i], size * (edges[i + 1] - edges[i])
        nearer, farther = sorted((accuracy[i], confidence[i]))
        bounds = (low[i], high[i]) if low and high else None
        parts.append(
            f'<rect class="fill s{color}" x="{x + 0.5:.1f}" width="{wide - 1:.1f}" '
            f'y="{top + size * (1 - accuracy[i]):.1f}" height="{size * accuracy[i]:.1f}">'
            f"<title>{number} images: confidence {100 * confidence[i]:.1f}%, "
            f"correct {100 * accuracy[i]:.1f}%{_in_brackets(bounds)}</title></rect>"
            f'<rect class="gap" x="{x + 0.5:.1f}" width="{wide - 1:.1f}" '
            f'y="{top + size * (1 - farther):.1f}" height="{max(size * (farther - nearer), 0.8):.1f}"/>'
        )
        if bounds:
            middle = x + wide / 2
            parts.append(
                f'<line class="interval" x1="{middle:.1f}" x2="{middle:.1f}" '
                f'y1="{top + size * (1 - bounds[0]):.1f}" y2="{top + size * (1 - bounds[1]):.1f}"/>'
            )
        share = strip * number / most * 0.85
        parts.append(
            f'<rect class="count" x="{x + 0.5:.1f}" width="{wide - 1:.1f}" y="{top + size + 2:.1f}" '
            f'height="{max(share, 0.8):.1f}"><title>{number} images, {100 * number / total:.1f}%</title></rect>'
        )
    parts.append(f'<line class="diagonal" x1="{left}" y1="{top + size}" x2="{left + size}" y2="{top}"/>')
    parts.append(_text(left + size / 2, top + size + strip + 36, "confidence", "middle", "axis"))
    parts.append(
        f'<text class="axis" text-anchor="middle" transform="translate(10 {top + size / 2}) rotate(-90)">'
        "correct answers</text></svg>"
    )
    return Markup("".join(parts))


def _opening(width: float, height: float, title: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
    )


def _in_brackets(pair: Sequence[float] | None) -> str:
    return f" ({100 * pair[0]:.1f}–{100 * pair[1]:.1f})" if pair else ""


def _text(x: float, y: float, content: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def _ceiling(value: float) -> float:
    """A round number of at least ``value``: the top of an axis whose five steps are round as well."""
    for top in (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0):
        if value <= top:
            return top
    return value
