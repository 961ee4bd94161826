"""The report: one HTML file that needs nothing else, for somebody in a hurry first, a researcher second."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.core.files import write_text
from ipmix.measures.table import HEADLINE, measure_named
from ipmix.report import charts, numbers
from ipmix.report.data_uris import data_uri

SERIES = 6
"""How many colors there are for runs; more runs than that start over."""


@dataclass(frozen=True, eq=False)
class Figure:
    """An image uint8[H, W, C] with a caption."""

    image: NDArray[np.uint8]
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Panel:
    """A titled group of images in rows, each row with a heading of its own (or "")."""

    title: str
    text: str
    rows: Sequence[tuple[str, Sequence[Figure]]]
    scale: int = 64
    """How wide an image is shown, CSS pixels."""
    per_column: int | None = None
    """On wide pages rows go down in columns of this many; by default they flow from left to right."""


def write_page(
    path: str | Path,
    cards: Sequence[Mapping[str, Any]],
    *,
    title: str,
    panels: Sequence[Panel] = (),
    facts: Sequence[tuple[str, str]] = (),
    lead: str = "",
) -> None:
    """Write the page of one or several scorecards in one step; the arguments are :func:`render_page`'s."""
    write_text(path, render_page(cards, title=title, panels=panels, facts=facts, lead=lead))


def render_page(
    cards: Sequence[Mapping[str, Any]],
    *,
    title: str,
    panels: Sequence[Panel] = (),
    facts: Sequence[tuple[str, str]] = (),
    lead: str = "",
) -> str:
    """The page as HTML.

    Args:
        cards: scorecards of :func:`ipmix.evaluation.scorecard.score`; the first is what the others are compared with.
        title: the page's heading.
        panels: groups of images, shown in this order after the figures.
        facts: settings, versions and seeds, as pairs of name and value.
        lead: a sentence under the heading.

    Raises:
        InputError: there is no scorecard, or something else is passed as one.
    """
    from jinja2 import Environment, StrictUndefined

    if not cards:
        raise InputError("a report needs at least one scorecard")
    for card in cards:
        if not isinstance(card, Mapping) or "measures" not in card or "run" not in card:
            raise InputError("a report is made of scorecards (JSON with 'run' and 'measures'); got something else")
    folder = files("ipmix.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    style = folder.joinpath("style.css").read_text(encoding="utf-8")
    names = numbers.run_names(cards)
    page: str = template.render(
        title=title,
        lead=" ".join(filter(None, (lead, f"All answers {numbers.among(cards[0])}." if _restricted(cards) else ""))),
        style=Markup(style),
        policy=content_policy(style),
        runs=[{"name": name, "color": _color(i, len(cards))} for i, name in enumerate(names)],
        headline=_bars(cards, names, [n for n in HEADLINE if n in numbers.measure_names(cards)]),
        verdicts=numbers.verdicts(cards, HEADLINE) if len(cards) > 1 else [],
        table=_table(cards),
        images=[card["pictures"] for card in cards],
        severity_chart=_severity_chart(cards, names),
        heat=_heat(cards, names),
        reliability=_reliability(cards, names),
        risk_chart=_risk_chart(cards, names),
        flip_charts=_flip_charts(cards, names),
        panels=[_panel(panel) for panel in panels],
        facts=facts,
        warnings=_warnings(cards, names),
    )
    return page


def content_policy(style: str) -> str:
    """What a browser lets the page do (Content-Security-Policy, level 3): show its images and obey its own styles.

    No script runs, nothing is loaded from anywhere, no form is sent. Of style sheets only ``style`` counts, by its
    hash; the widths of bars are attributes. Browsers that don't know that difference (before 2022) go by the third
    word.
    """
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"style-src-elem 'sha256-{known}'; style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def _restricted(cards: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the same part of the model's outputs competed in all runs."""
    return len(found := {numbers.among(card) for card in cards}) == 1 and "" not in found


def _color(position: int, count: int) -> int:
    """The baseline is grey where there is something to compare; a single run takes the accent color."""
    return 1 if count == 1 else position % SERIES


def _bars(cards: Sequence[Mapping[str, Any]], names: Sequence[str], measures: Sequence[str]) -> list[dict[str, Any]]:
    blocks = []
    for measure in measures:
        figures = [numbers.figure_of(card, measure) for card in cards]
        reach = [bound for f in figures if f["value"] is not None for bound in (f["value"], *(f["interval"] or ()))]
        # Runs are compared on their own scale; a single one stands against 100%.
        alone = len(cards) == 1 and measure_named(measure).unit == "%"
        top = max(reach, default=0.0) * 1.06 or 1.0
        top = 1.0 if alone and top <= 1.06 else top
        shown = [f["value"] for f in figures if f["value"] is not None]
        best = min(shown, default=None) if measure_named(measure).better == "lower" else max(shown, default=None)
        rows = []
        for i, (run, figure) in enumerate(zip(names, figures)):
            value, interval = figure["value"], figure["interval"]
            rows.append(
                {
                    "run": run,
                    "color": _color(i, len(cards)),
                    "value": numbers.written(measure, value),
                    "interval": numbers.written_interval(measure, interval),
                    "length": 0.0 if value is None else 100.0 * value / top,
                    "low": None if not interval else 100.0 * interval[0] / top,
                    "spread": None if not interval else 100.0 * (interval[1] - interval[0]) / top,
                    "best": len(shown) > 1 and value is not None and value == best,
                    "reason": figure["reason"],
                }
            )
        fewer = {f["pictures"] for f, card in zip(figures, cards) if 0 < f["pictures"] < card["pictures"]}
        meaning = measure_named(measure).meaning + (f", {min(fewer)} images" if fewer else "")
        blocks.append({"title": measure_named(measure).title, "meaning": meaning, "rows": rows})
    return blocks


def _table(cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for name in numbers.measure_names(cards):
        cells = []
        for card in cards:
            figure = numbers.figure_of(card, name)
            cells.append(
                {
                    "value": numbers.written(name, figure["value"]),
                    "interval": numbers.written_interval(name, figure["interval"]),
                    "reason": figure["reason"],
                }
            )
        measure = measure_named(name)
        rows.append({"title": measure.title, "meaning": measure.meaning, "better": measure.better, "cells": cells})
    return rows


def _severity_chart(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Markup | None:
    """Error against severity, mean over corruptions; severity 0 is the clean image."""
    series = []
    for i, (card, name) in enumerate(zip(cards, names)):
        severities = sorted({int(s) for by in card["corruptions"].values() for s in by})
        if not severities:
            continue
        mean = [float(np.mean([by[str(s)] for by in card["corruptions"].values() if str(s) in by])) for s in severities]
        clean = numbers.figure_of(card, "clean_error")["value"]
        series.append(charts.Curve(name, [0, *severities], [clean, *mean], _color(i, len(cards))))
    if not series:
        return None
    ticks = [(x, "clean" if x == 0 else str(int(x))) for x in sorted({x for line in series for x in line.x})]
    return charts.lines(
        series, title="Error by severity", x_label="severity of the corruption", y_label="error",
        x_ticks=ticks, points=True,
    )  # fmt: skip


def _heat(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    maps = []
    for card, name in zip(cards, names):
        if not card["corruptions"]:
            continue
        severities = sorted({int(s) for by in card["corruptions"].values() for s in by})
        rows = []
        for corruption, by in card["corruptions"].items():
            values = [by.get(str(s)) for s in severities]
            known = [v for v in values if v is not None]
            cells = [_cell(v) for v in [*values, float(np.mean(known))]]
            rows.append({"name": corruption.replace("_", " "), "cells": cells})
        maps.append({"run": name, "severities": severities, "rows": rows})
    return maps


def _cell(value: float | None) -> dict[str, Any]:
    if value is None:
        return {"text": "–", "heat": 0, "strong": False}
    return {"text": f"{100 * value:.0f}", "heat": round(100 * value), "strong": value > 0.55}


def _reliability(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for i, (card, name) in enumerate(zip(cards, names)):
        if card["reliability"]:
            chart = charts.reliability(
                **card["reliability"], title=f"Reliability diagram of {name}", color=_color(i, len(cards))
            )
            found.append({"run": name, "chart": chart})
    return found


def _risk_chart(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Markup | None:
    series = [
        charts.Curve(name, card["risk_coverage"]["coverage"], card["risk_coverage"]["risk"], _color(i, len(cards)))
        for i, (card, name) in enumerate(zip(cards, names))
        if card["risk_coverage"]
    ]
    if not series:
        return None
    return charts.lines(
        series, title="Risk and coverage", x_label="share of images answered, most confident first",
        y_label="error among them", x_ticks=[(i / 4, f"{25 * i}%") for i in range(1, 5)],
    )  # fmt: skip


def _flip_charts(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    perturbations = list(dict.fromkeys(name for card in cards for name in card["flips"]))
    found = []
    for perturbation in perturbations:
        series = [
            charts.Curve(name, list(range(1, len(flips) + 1)), flips, _color(i, len(cards)))
            for i, (card, name) in enumerate(zip(cards, names))
            if (flips := card["flips"].get(perturbation))
        ]
        title = perturbation.replace("_", " ")
        chart = charts.lines(
            series, title=f"Flips under {title}", x_label="frame", y_label="answers that changed",
            x_ticks=_frame_ticks(max(len(line.x) for line in series)), width=340, height=220,
        )  # fmt: skip
        found.append({"name": title, "chart": chart})
    return found


def _frame_ticks(count: int) -> list[tuple[float, str]]:
    return [(frame, str(frame)) for frame in sorted({1, *range(10, count + 1, 10)})]


def _panel(panel: Panel) -> dict[str, Any]:
    rows = [
        {"name": name, "figures": [{"uri": data_uri(f.image), "caption": f.caption} for f in figures]}
        for name, figures in panel.rows
    ]
    # Short rows stand beside each other: a row is as wide as its longest strip of thumbnails.
    width = max((len(row["figures"]) for row in rows), default=1) * (panel.scale + 8)
    return {
        "title": panel.title,
        "text": panel.text,
        "rows": rows,
        "scale": panel.scale,
        "width": width,
        "per_column": panel.per_column,
    }


def _warnings(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    found = []
    for card, name in zip(cards, names):
        for condition, count in card["without_answer"].items():
            found.append(
                f"{name}: {count} images have no valid answer (NaN or infinite logits) under {condition}. "
                "They count as wrong; measures that need a probability are not given."
            )
    if len({numbers.among(card) for card in cards}) > 1:
        told = ", ".join(f"{name}: {numbers.among(card) or 'all outputs compete'}" for card, name in zip(cards, names))
        found.append(f"The runs were scored among different classes: their figures don't compare ({told}).")
    if len({card["pictures"] for card in cards}) > 1:
        found.append("The runs were measured on different numbers of images: their figures don't compare.")
    return found
