"""Scorecards in files: read back, and written as a page, Markdown, CSV, JSON or a model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError
from ipmix.core.json_text import json_text
from ipmix.measures.table import HEADLINE
from ipmix.report import robustbench, tables
from ipmix.report.comparison import Comparison, Scored, compare_runs
from ipmix.report.facts import facts_of, facts_of_runs
from ipmix.report.numbers import figure_of, measure_names, run_names, title_of, unfinished
from ipmix.report.page import render_page

ENDINGS = {".html": "html", ".htm": "html", ".md": "markdown", ".csv": "csv", ".json": "json"}

ABOUT_ONE = ("model-card", "robustbench", "robustbench-claim")


def format_of(path: Path) -> str:
    """What a file's ending stands for."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: can't tell what to write; end the name in {', '.join(ENDINGS)}, or pass --format")
    return ENDINGS[path.suffix.lower()]


def rendered(
    cards: Sequence[Mapping[str, Any]],
    form: str,
    *,
    title: str | None = None,
    about: Mapping[str, str] | None = None,
    comparisons: Sequence[Comparison] | None = None,
) -> str:
    """The scorecards as text in one of the forms of ``ipmix report --format``.

    Args:
        cards: scorecards.
        form: of the text.
        title: the page's or card's heading.
        about: for claims, what can't be measured.
        comparisons: of the runs with the first; by default those of the scorecards alone.
    """
    if comparisons is None:
        comparisons = compare_runs([Scored(card) for card in cards]) if len(cards) > 1 else ()
    if form in ABOUT_ONE and len(cards) != 1:
        raise InputError(f"a {form} is about one model; got {len(cards)} results")
    if about and not form.startswith("robustbench"):
        raise InputError(f"--about is for --format robustbench and robustbench-claim, not for {form}")
    if form == "html":
        names = run_names(cards)
        heading = f"How safe is {names[0]}?" if len(cards) == 1 else "Safety scorecards compared"
        return render_page(cards, title=title or heading, facts=facts_of_runs(cards), comparisons=comparisons)
    if form == "markdown":
        return tables.markdown(cards, comparisons)
    if form == "csv":
        return tables.to_csv(cards)
    if form == "model-card":
        return model_card(cards[0], title=title)
    if form == "robustbench":
        return robustbench.model_info_text(cards[0], about)
    if form == "robustbench-claim":
        return robustbench.claim_text(cards[0], about)
    content = {
        "schema": "ipmix comparison 1",
        "runs": dict(zip(run_names(cards), cards)),
        "comparisons": [found.to_dict() for found in comparisons],
    }
    return json_text(content, indent=1) + "\n"


def model_card(card: Mapping[str, Any], *, title: str | None = None) -> str:
    """A Hugging Face model card: its metadata block, the scorecard as a table, and how it was measured."""
    name = title or str(card["run"].get("name", "model"))
    data = card["run"].get("data", {}).get("name", "unknown data")
    part = unfinished(card).lower()
    metrics = []
    for measure in HEADLINE:
        value = figure_of(card, measure)["value"]
        if value is not None:
            metrics.append({"type": measure, "name": title_of(measure, [card]), "value": round(value, 6)})
    metadata = {
        "library_name": "ipmix",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "robustness", "calibration"],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"name": f"{data} ({part})" if part else data, "type": data},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
    # JSON is YAML: nothing in a name can break out of the block.
    block = "\n".join(f"{key}: {json_text(value)}" for key, value in metadata.items())
    facts = "\n".join(f"- {tables.inline(key)}: {tables.inline(value)}" for key, value in facts_of(card))
    missing = [
        f"- {title_of(m, [card])}: {tables.inline(figure_of(card, m)['reason'])}"
        for m in measure_names([card])
        if figure_of(card, m)["value"] is None
    ]
    not_given = "\n\nNot given:\n\n" + "\n".join(missing) if missing else ""
    return (
        f"---\n{block}\n---\n\n# {tables.inline(name)}\n\n## Safety scorecard\n\n"
        f"Measured on {card['pictures']} images of {tables.inline(data)}; in brackets, 95% intervals over "
        f"the images.\n\n{tables.markdown([card])}{not_given}\n\n## How it was measured\n\n{facts}\n"
    )
