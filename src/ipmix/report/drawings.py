"""The page's charts, each made from the scorecards that have what it shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ipmix.report import charts, numbers

Cards = Sequence[Mapping[str, Any]]


def style_of(place: int, count: int) -> int:
    """The number of a run's color and marker: grey for what others are compared with, the accent color for one run."""
    return 1 if count == 1 else place


def severity_chart(cards: Cards, names: Sequence[str]) -> Markup | None:
    """Error against severity, mean over corruptions; severity 0 is the clean image."""
    series = []
    for i, (card, name) in enumerate(zip(cards, names)):
        severities = sorted({int(s) for by in card["corruptions"].values() for s in by})
        if not severities:
            continue
        mean = [float(np.mean([by[str(s)] for by in card["corruptions"].values() if str(s) in by])) for s in severities]
        clean = numbers.figure_of(card, "clean_error")
        known = card.get("severities", {})
        bounds = [clean["interval"], *(known.get(str(s), {}).get("interval") for s in severities)]
        x, y = [0.0, *severities], [clean["value"], *mean]
        told = ["clean", *(f"severity {s}" for s in severities)]
        first = 0 if clean["value"] is not None else 1  # only corrupted images were measured
        counts = [clean["pictures"], *[card["pictures"]] * len(severities)]
        series.append(
            charts.Curve(
                name, x[first:], y[first:], style_of(i, len(cards)), bounds[first:],
                [f"{at}, {n} images" for at, n in zip(told, counts)][first:],
            )
        )  # fmt: skip
    if not series:
        return None
    ticks = [(x, "clean" if x == 0 else str(int(x))) for x in sorted({x for line in series for x in line.x})]
    return charts.lines(
        series, title="Error by severity", x_label="severity of the corruption", y_label="error", x_ticks=ticks
    )


def reliability(cards: Cards, names: Sequence[str]) -> list[dict[str, Any]]:
    """A reliability diagram for each run that has one."""
    return [
        {
            "run": name,
            "chart": charts.reliability(
                **card["reliability"], title=f"Reliability diagram of {name}", style=style_of(i, len(cards))
            ),
        }
        for i, (card, name) in enumerate(zip(cards, names))
        if card["reliability"]
    ]


def risk_chart(cards: Cards, names: Sequence[str]) -> Markup | None:
    """Error among the answers given against how many are given, the most confident first."""
    series = []
    for i, (card, name) in enumerate(zip(cards, names)):
        if not (curve := card["risk_coverage"]):
            continue
        told = [f"{100 * share:.0f}% answered, {round(share * card['pictures'])} images" for share in curve["coverage"]]
        series.append(charts.Curve(name, curve["coverage"], curve["risk"], style_of(i, len(cards)), told=told))
    if not series:
        return None
    return charts.lines(
        series, title="Risk and coverage", x_label="share of images answered, most confident first",
        y_label="error among them", x_ticks=[(i / 4, f"{25 * i}%") for i in range(1, 5)],
    )  # fmt: skip


def flip_charts(cards: Cards, names: Sequence[str]) -> list[dict[str, Any]]:
    """For each perturbation, how many answers change at each frame of its sequences."""
    perturbations = list(dict.fromkeys(name for card in cards for name in card["flips"]))
    found = []
    for perturbation in perturbations:
        series = [
            charts.Curve(
                name, list(range(1, len(flips) + 1)), flips, style_of(i, len(cards)),
                told=[f"frame {frame}, {card['pictures']} images" for frame in range(1, len(flips) + 1)],
            )
            for i, (card, name) in enumerate(zip(cards, names))
            if (flips := card["flips"].get(perturbation))
        ]  # fmt: skip
        title = perturbation.replace("_", " ")
        chart = charts.lines(
            series, title=f"Flips under {title}", x_label="frame", y_label="answers that changed",
            x_ticks=_frame_ticks(max(len(line.x) for line in series)), width=340, height=220,
        )  # fmt: skip
        found.append({"name": title, "chart": chart})
    return found


def _frame_ticks(count: int) -> list[tuple[float, str]]:
    return [(frame, str(frame)) for frame in sorted({1, *range(10, count + 1, 10)})]
