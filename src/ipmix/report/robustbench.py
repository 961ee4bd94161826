"""A scorecard as a claim for RobustBench's leaderboards: its ``model_info`` entry, and the text of a submission."""

from collections.abc import Mapping
from typing import Any

from ipmix.core.errors import InputError
from ipmix.core.json_text import json_text
from ipmix.measures.corruption import ALEXNET
from ipmix.report.numbers import figure_of, unfinished
from ipmix.report.tables import inline

DATASETS = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}
"""The data sets that have a leaderboard, and how many classes each has."""

TO_FILL = ("link", "name", "authors", "venue", "architecture", "additional_data")
"""What no measurement can know: the paper, its authors, and whether other data was used for training."""

TEST_CORRUPTIONS = 15
NORMS = {"linf": "Linf", "l2": "L2"}


def model_info(card: Mapping[str, Any], about: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The entry for ``model_info/DATASET/THREAT/NAME.json``; accuracies in percent, as text with two decimals.

    The threat is common corruptions where all 15 were measured at all severities, or else AutoAttack.

    Args:
        card: a scorecard.
        about: link, name (of the paper), authors, venue, architecture, additional_data (true or false),
            footnote, and dataset where the card's own can't be told. What is left out stays empty.

    Raises:
        InputError: an unknown key, a data set without a leaderboard, an evaluation that did not come to its end, or
            neither threat was measured.
    """
    given = dict(about or {})
    if unknown := given.keys() - {*TO_FILL, "dataset", "footnote"}:
        raise InputError(f"a claim has no {', '.join(sorted(unknown))}; it has {', '.join(TO_FILL)}, dataset, footnote")
    if part := unfinished(card):
        raise InputError(f"a claim is about a whole evaluation. {part}: run the same ipmix evaluate again to finish it")
    error = figure_of(card, "clean_error")["value"]
    entry: dict[str, Any] = {key: given.get(key, "") for key in TO_FILL}
    entry["additional_data"] = _yes_or_no(given.get("additional_data", "false"))
    entry["architecture"] = given.get("architecture") or str(card["run"].get("model", {}).get("name", ""))
    entry |= {"number_forward_passes": 1, "dataset": _dataset(card, given), "eps": None}
    entry["clean_acc"] = _accuracy(error)
    if _has_corruptions(card):
        entry["reported"] = entry["corruptions_acc"] = _accuracy(figure_of(card, "mean_corruption_error")["value"])
        if entry["dataset"] == "imagenet":
            against = figure_of(card, "normalised_mean_corruption_error")["value"]
            entry["corruptions_mce"] = "" if against is None else f"{100 * against:.2f}"
    elif (attacked := figure_of(card, "auto_attack_error")["value"]) is not None:
        entry["eps"] = _radius(card["run"]["plan"]["auto_attack"]["epsilon"]) if "plan" in card["run"] else ""
        entry["reported"] = entry["autoattack_acc"] = _accuracy(attacked)
    else:
        raise InputError(
            "RobustBench takes claims under common corruptions (all 15 at severities 1 to 5) or under AutoAttack; "
            "this scorecard has neither. Run ipmix evaluate with --corruptions test, or --autoattack"
        )
    if "footnote" in given:
        entry["footnote"] = given["footnote"]
    return entry


def model_info_text(card: Mapping[str, Any], about: Mapping[str, str] | None = None) -> str:
    """:func:`model_info` as a JSON file."""
    return json_text(model_info(card, about), indent=2) + "\n"


def claim_text(card: Mapping[str, Any], about: Mapping[str, str] | None = None) -> str:
    """The submission as Markdown, with the fields that RobustBench's form for new models asks for.

    Raises:
        InputError: as :func:`model_info`.
    """
    entry = model_info(card, about)
    corruptions = "corruptions_acc" in entry
    plan = card["run"].get("plan", {})
    if corruptions:
        threat, measure, radius = "Common Corruptions", "mean_corruption_error", "N/A"
        how = (
            f"ipmix evaluate: {TEST_CORRUPTIONS} corruptions at severities 1 to 5, made on the fly in the "
            f"{plan.get('form', 'unknown')} form (not the published files), seed {plan.get('seed', 'unknown')}"
        )
    else:
        norm = plan.get("auto_attack", {}).get("norm", "")
        threat, measure, radius = NORMS.get(norm, "Linf"), "auto_attack_error", entry["eps"] or "unknown"
        how = f"ipmix evaluate: AutoAttack, standard version, seed {plan.get('seed', 'unknown')}"
    images = figure_of(card, measure)["pictures"]
    fields = {
        "Architecture": inline(entry["architecture"]),
        "Threat Model": threat,
        "eps": radius,
        "Clean accuracy": f"{entry['clean_acc']}% ({card['pictures']} test images)",
        "Robust accuracy": f"{entry['reported']}% ({images} test images{_interval(card, measure)})",
        "Additional data": str(entry["additional_data"]).lower(),
        "Evaluation method": inline(how),
        "Checkpoint and code": "",
    }
    paper = {"Paper Title": entry["name"], "Paper URL": entry["link"], "Paper authors": entry["authors"]}
    return (
        f"# Paper Information\n\n{_fields(paper)}\n\n# Leaderboard Claim(s)\n\n## Model 1\n\n{_fields(fields)}\n\n"
        f"Weights: sha256 {inline(card['run'].get('model', {}).get('sha256', 'unknown'))}\n"
    )


def _has_corruptions(card: Mapping[str, Any]) -> bool:
    return all(len(card["corruptions"].get(name, ())) == 5 for name in ALEXNET)


def _dataset(card: Mapping[str, Any], given: Mapping[str, str]) -> str:
    data = card["run"].get("data", {})
    name, classes = str(data.get("name", "")).lower(), len(data.get("classes", ()))
    told = given.get("dataset") or next(
        (known for known, count in reversed(DATASETS.items()) if name.startswith(known) and classes == count), ""
    )
    if told not in DATASETS:
        raise InputError(
            f"can't tell the leaderboard's data set from {data.get('name', 'the scorecard')!r}; pass dataset= one of "
            f"{', '.join(DATASETS)}, with all of its classes"
        )
    return told


def _accuracy(error: float) -> str:
    return f"{100.0 * (1.0 - error):.2f}"


def _radius(epsilon: float) -> str:
    steps = 255.0 * epsilon
    return f"{round(steps)}/255" if abs(steps - round(steps)) < 1e-6 else f"{epsilon:.6g}"


def _interval(card: Mapping[str, Any], measure: str) -> str:
    interval = figure_of(card, measure)["interval"]
    if not interval:
        return ""
    return f"; 95% interval over them {_accuracy(interval[1])} to {_accuracy(interval[0])}"


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InputError(f"additional_data is true or false, got {text!r}")
    return text.lower() == "true"


def _fields(fields: Mapping[str, str]) -> str:
    return "\n".join(f"- **{key}**: {' '.join(str(value).split())}" for key, value in fields.items())
