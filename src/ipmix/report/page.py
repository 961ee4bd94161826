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

from ipmix.core.errors import InputError, plain_lines
from ipmix.core.files import write_text
from ipmix.measures.table import HEADLINE, measure_named
from ipmix.report import charts, drawings, numbers, sections, summary
from ipmix.report.comparison import Comparison, Scored, compare_runs, explained, verdicts
from ipmix.report.data_uris import data_uri

LISTED = 2
"""Of more comparisons than this, one table tells; of fewer, each has a list."""

ACROSS = 8
"""Rows of up to this many images stay rows on narrow pages, with smaller images; longer ones, and a row that stands
alone, go on below."""

NAMED = 3
"""Of more runs' noise floors, the range is told."""


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
    comparisons: Sequence[Comparison] | None = None,
) -> None:
    """Write the page of one or several scorecards in one step; the arguments are :func:`render_page`'s."""
    page = render_page(cards, title=title, panels=panels, facts=facts, lead=lead, comparisons=comparisons)
    write_text(path, page)


def render_page(
    cards: Sequence[Mapping[str, Any]],
    *,
    title: str,
    panels: Sequence[Panel] = (),
    facts: Sequence[tuple[str, str]] = (),
    lead: str = "",
    comparisons: Sequence[Comparison] | None = None,
) -> str:
    """The page as HTML.

    Args:
        cards: scorecards of :func:`ipmix.evaluation.scorecard.score`; the first is what the others are compared with.
        title: the page's heading.
        panels: groups of images, shown in this order after the figures.
        facts: settings, versions and seeds, as pairs of name and value.
        lead: a sentence under the heading.
        comparisons: of each further run with the first, of :func:`ipmix.report.comparison.compare_runs`; by default
            those of the scorecards alone, which aren't paired.

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
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    title, lead = plain_lines(title), plain_lines(lead)
    names = numbers.run_names(cards)
    if comparisons is None:
        comparisons = compare_runs([Scored(card) for card in cards]) if len(cards) > 1 else ()
    measures = [name for name in HEADLINE if name in numbers.measure_names(cards)]
    top, against = _scale(cards, measures), _against(comparisons)
    page: str = template.render(
        title=title,
        lead=" ".join(filter(None, (lead, f"All answers {numbers.among(cards[0])}." if _restricted(cards) else ""))),
        style=Markup(style),
        script=Markup(script),
        policy=content_policy(style, script),
        runs=[
            {"name": name, "key": charts.key(drawings.style_of(i, len(cards))), "said": said}
            for i, (name, said) in enumerate(zip(names, map(summary.in_a_sentence, cards)))
        ],
        summary=summary.against_the_first(comparisons) or summary.in_a_sentence(cards[0]),
        headline=_bars(cards, names, measures, comparisons, top),
        scale=[f"{100 * top * i / 2:.3g}%" for i in range(3)],
        against=against,
        comparisons=[
            _compared(cards, i, found) for i, found in enumerate(comparisons, 1) if found.differing or against is None
        ],
        table=_table(cards),
        published=sections.against_published(cards),
        temperature=sections.temperature(cards, names),
        conformal=sections.conformal(cards, names),
        severity_chart=drawings.severity_chart(cards, names),
        heat=_heat(cards, names),
        reliability=drawings.reliability(cards, names),
        thin=charts.THIN,
        risk_chart=drawings.risk_chart(cards, names),
        flip_charts=drawings.flip_charts(cards, names),
        panels=[_panel(panel) for panel in panels],
        facts=facts,
        warnings=_warnings(cards, names),
    )
    return page


def content_policy(style: str, script: str) -> str:
    """What a browser lets the page do (Content-Security-Policy, level 3): show its images and obey its own styles.

    Of scripts and style sheets only ``script`` and ``style`` count, by their hashes; nothing is loaded from anywhere,
    no form is sent. The widths of bars are attributes. Browsers that don't know the difference between styles (before
    2022) go by the third word.
    """
    known = {"script": script, "style": style}
    hashes = {name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for name, text in known.items()}
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{hashes['script']}'; "
        f"style-src-elem 'sha256-{hashes['style']}'; style-src-attr 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'"
    )


def _restricted(cards: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the same part of the model's outputs competed in all runs."""
    return len(found := {numbers.among(card) for card in cards}) == 1 and "" not in found


def _styled(place: int, count: int) -> str:
    return charts.classes(drawings.style_of(place, count))


def _compared(cards: Sequence[Mapping[str, Any]], place: int, found: Comparison) -> dict[str, Any]:
    return {
        "first": found.first,
        "second": found.second,
        "differing": found.differing,
        "verdicts": verdicts([cards[0], cards[place]], HEADLINE, found),
        "explained": explained(found),
    }


def _decided(measure: str, comparisons: Sequence[Comparison], place: int) -> bool:
    """Whether the run at this place is certain to be better than the first; the first, than all others."""
    found = [row.verdict if (row := each.row(measure)) else "undecided" for each in comparisons]
    return bool(found) and (all(v == "worse" for v in found) if place == 0 else found[place - 1] == "better")


def _bars(
    cards: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    measures: Sequence[str],
    comparisons: Sequence[Comparison],
    top: float,
) -> list[dict[str, Any]]:
    """The cards of the measures, all drawn on one scale from 0 to ``top``."""
    blocks = []
    for measure in measures:
        rows = []
        for i, (run, card) in enumerate(zip(names, cards)):
            figure = numbers.figure_of(card, measure)
            value, interval = figure["value"], figure["interval"]
            told = f"{run}: {numbers.written(measure, value)}"
            if interval:
                told += f" ({numbers.written_interval(measure, interval)})"
            rows.append(
                {
                    "run": run,
                    "style": _styled(i, len(cards)),
                    "value": ("~" if numbers.below_floor(figure) else "") + numbers.written(measure, value),
                    "told": "" if value is None else f"{told}, {figure['pictures']} images",
                    "length": 0.0 if value is None else 100.0 * value / top,
                    "low": None if not interval else 100.0 * interval[0] / top,
                    "spread": None if not interval else 100.0 * (interval[1] - interval[0]) / top,
                    "best": _decided(measure, comparisons, i),
                    "reason": figure["reason"],
                }
            )
        meaning = f"{measure_named(measure).meaning}; {numbers.images_of(measure, cards)} images"
        floor = _chance(measure, cards, names)
        blocks.append({"title": numbers.title_of(measure, cards), "meaning": meaning, "rows": rows, "floor": floor})
    return blocks


def _chance(measure: str, cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """What "~" before a figure says, once for all runs that have it; empty where none has."""
    found = [(name, numbers.figure_of(card, measure)) for name, card in zip(names, cards)]
    found = [(name, figure) for name, figure in found if numbers.below_floor(figure)]
    if not found:
        return ""
    if len(found) > NAMED:
        ends = [sorted(figure["floor"][key] for _, figure in found) for key in ("mean", "high")]
        mean, high = (numbers.written_interval(measure, (each[0], each[-1])) + "%" for each in ends)
        told = [f"{mean} on average, up to {high}"]
    else:
        told = [
            (f"{name}: " if len(cards) > 1 else "")
            + "{} on average, up to {}".format(
                *(numbers.written(measure, figure["floor"][key]) for key in ("mean", "high"))
            )
            for name, figure in found
        ]
    return (
        "~ Chance alone could be behind it: on so few images, even a perfectly calibrated model scores this much "
        f"({'; '.join(told)})."
    )


def _scale(cards: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> float:
    """Where the bars of all cards end: at 100% for one run, else at a round number above every figure."""
    figures = [numbers.figure_of(card, measure) for card in cards for measure in measures]
    reach = [bound for f in figures if f["value"] is not None for bound in (f["value"], *(f["interval"] or ()))]
    return 1.0 if len(cards) == 1 else charts.ceiling(max(reach, default=1.0))


def _against(comparisons: Sequence[Comparison]) -> dict[str, Any] | None:
    """Many comparisons as one table, a line for each run; None where each gets a list of its own."""
    judged = [found for found in comparisons if not found.differing]
    if len(judged) <= LISTED:
        return None
    measures = [name for name in HEADLINE if any(found.row(name) for found in judged)]
    titles = {row.name: row.title for found in judged for row in found.rows}
    lines = []
    for found in judged:
        cells = []
        for name in measures:
            row = found.row(name)
            change = "–" if row is None else numbers.written_change(row.name, row.difference, None)
            interval = "" if row is None or row.interval is None else numbers.written_change(
                row.name, row.difference, row.interval
            )[len(change) + 1 :]  # fmt: skip
            cells.append({"change": change, "interval": interval, "verdict": "none" if row is None else row.verdict})
        lines.append({"run": found.second, "cells": cells})
    return {
        "first": judged[0].first, "titles": [titles[name] for name in measures], "lines": lines,
        "kind": "paired differences" if all(found.paired for found in judged) else "differences",
        "explained": " ".join(dict.fromkeys(map(explained, judged))),
    }  # fmt: skip


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
                    "floor": numbers.written_floor(name, figure),
                    "below": numbers.below_floor(figure),
                }
            )
        measure = measure_named(name)
        rows.append(
            {
                "title": numbers.title_of(name, cards), "meaning": measure.meaning, "better": measure.better,
                "cells": cells, "images": numbers.images_of(name, cards),
            }
        )  # fmt: skip
    return rows


def _heat(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    maps = []
    for card, name in zip(cards, names):
        if not card["corruptions"]:
            continue
        severities = sorted({int(s) for by in card["corruptions"].values() for s in by})
        rows = []
        for corruption, by in card["corruptions"].items():
            bounds = card.get("corruption_intervals", {}).get(corruption, {})
            cells = [_cell(by.get(str(s)), bounds.get(str(s)), card["pictures"]) for s in severities]
            cells.append(_cell(float(np.mean(list(by.values()))), told=f"mean of {len(by)} severities"))
            rows.append({"name": corruption.replace("_", " "), "cells": cells})
        maps.append({"run": name, "severities": severities, "rows": rows})
    return maps


def _cell(value: float | None, bounds: Sequence[float] | None = None, count: int = 0, told: str = "") -> dict[str, Any]:
    if value is None:
        return {"text": "–", "value": "", "heat": 0, "told": ""}
    if bounds:
        told = f"({100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}), {count} images"
    told = f"{100 * value:.1f}%{'' if bounds else ','} {told}".rstrip(", ")
    return {"text": f"{100 * value:.0f}", "value": f"{value:.6f}", "heat": round(value, 2), "told": told}


def _panel(panel: Panel) -> dict[str, Any]:
    rows = [
        {"name": name, "figures": [{"uri": data_uri(f.image), "caption": f.caption} for f in figures]}
        for name, figures in panel.rows
    ]
    # Short rows stand beside each other: a row is as wide as its longest strip of thumbnails.
    longest = max((len(row["figures"]) for row in rows), default=1)
    return {
        "title": panel.title,
        "text": panel.text,
        "rows": rows,
        "scale": panel.scale,
        "width": longest * (panel.scale + 8),
        "across": longest if len(rows) > 1 and longest <= ACROSS else None,
        "per_column": panel.per_column,
    }


def _warnings(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """What readers must know first; what holds for several runs is said once."""
    found: dict[str, list[str]] = {}
    for card, name in zip(cards, names):
        told = [f"{text}." for text in filter(None, [numbers.unfinished(card)])]
        told += [
            f"{numbers.unanswered_under(condition, count)}. "
            "They count as wrong; measures that need a probability are not given."
            for condition, count in card["without_answer"].items()
        ]
        told += [f"{note}." for note in (numbers.frost_note(card), *card.get("hints", ())) if note]
        for text in told:
            found.setdefault(text, []).append(name)
    whole = len(cards) > 1
    return [
        f"{'All runs' if whole and len(runs) == len(cards) else ', '.join(runs)}: {text}"
        for text, runs in found.items()
    ]
