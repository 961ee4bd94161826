"""Tables of the page beside the measures: published baselines, temperature scaling, prediction sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ipmix.measures.corruption import ALEXNET, ALEXNET_CLEAN
from ipmix.measures.table import AGAINST_PUBLISHED, MEASURES
from ipmix.report import numbers

PUBLISHED: dict[str, Mapping[str, float]] = {
    "AlexNet": {
        "mean_corruption_error": float(np.mean(list(ALEXNET.values()))),
        "normalised_mean_corruption_error": 1.0,
        "relative_mean_corruption_error": float(np.mean(list(ALEXNET.values()))) - ALEXNET_CLEAN,
        "normalised_relative_mean_corruption_error": 1.0,
    },
    "ResNet-50": {"normalised_mean_corruption_error": 0.767},
}
"""Published figures on ImageNet-C (Hendrycks and Dietterich, ICLR 2019); AlexNet's are what mCE divides by."""


def against_published(cards: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What benchmarks on -C and -P print, with published figures where the runs compare with them; None if nothing."""
    names = [name for name in AGAINST_PUBLISHED if name in numbers.measure_names(cards)]
    if not names:
        return None
    comparable = any(numbers.figure_of(card, "normalised_mean_corruption_error")["value"] is not None for card in cards)
    published = PUBLISHED if comparable else {}
    rows = []
    for name in names:
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
        rows.append(
            {
                "title": numbers.title_of(name, cards),
                "meaning": MEASURES[name].meaning,
                "cells": cells,
                "published": [numbers.written(name, table.get(name)) for table in published.values()],
                "images": numbers.images_of(name, cards),
            }
        )
    return {"rows": rows, "published": list(published), "told": _told(names)}


def _told(names: Sequence[str]) -> str:
    """What kinds of figures the table holds, in a sentence."""
    errors = {
        "as they are": ("mean_corruption_error", "chosen_corruption_error"),
        "against AlexNet": ("normalised_mean_corruption_error", "normalised_relative_mean_corruption_error"),
        "against the baseline": tuple(name for name in names if name.startswith("baseline_") and "flip" not in name),
        "minus the error on clean images": tuple(name for name in names if "relative" in name),
    }
    told = [kind for kind, members in errors.items() if set(members) & set(names)]
    parts = [f"errors under corruption: {_and(told)}"] if told else []
    sequences = {"flips": "flip", "top-5 distances": "top5"}
    if told := [kind for kind, word in sequences.items() if any(word in name for name in names)]:
        parts.append(f"{_and(told)} over perturbation sequences")
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def temperature(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Calibration before and after temperature scaling, a table for each run that has it."""
    found = []
    for card, name in zip(cards, names):
        entry = card.get("temperature") or {}
        if "temperature" not in entry:
            continue
        rows = []
        for measure in entry["before"]:
            before, after = entry["before"][measure], entry["after"][measure]
            rows.append(
                {
                    "title": MEASURES[measure].title,
                    "before": _marked(measure, before),
                    "after": _marked(measure, after),
                    "floor": numbers.written_floor(measure, after),
                }
            )
        found.append(
            {
                "run": name, "temperature": f"{entry['temperature']:.3g}", "rows": rows,
                "fitted_on": entry["fitted_on"], "images": entry["pictures"],
            }
        )  # fmt: skip
    return found


def conformal(cards: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Coverage and mean size of the prediction sets, clean and at each severity, a table for each run that has them."""
    found = []
    for card, name in zip(cards, names):
        entry = card.get("conformal") or {}
        if "conditions" not in entry:
            continue
        rows = []
        for condition, values in entry["conditions"].items():
            interval = values["size_interval"]
            rows.append(
                {
                    "condition": condition if condition == "clean" else f"severity {condition}",
                    "coverage": numbers.written("clean_error", values["coverage"]),
                    "interval": numbers.written_interval("clean_error", values["interval"]),
                    "kept": values["interval"] is None or values["interval"][1] >= entry["level"],
                    "size": f"{values['size']:.2f}",
                    "size_interval": "–".join(f"{end:.2f}" for end in interval) if interval else "",
                }
            )
        found.append(
            {
                "run": name, "level": f"{100 * entry['level']:.0f}%", "rows": rows, "images": entry["pictures"],
                "fitted_on": entry["fitted_on"],
            }
        )  # fmt: skip
    return found


def _marked(measure: str, entry: Mapping[str, Any]) -> str:
    return ("~" if numbers.below_floor(entry) else "") + numbers.written(measure, entry["value"])
