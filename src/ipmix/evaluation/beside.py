"""What a scorecard shows beside its measures: cells, curves and bars with their intervals, the worst answers."""

from typing import Any

import numpy as np

from ipmix.evaluation.arguments import Levels
from ipmix.evaluation.figures import Intervals
from ipmix.evaluation.outcomes import Outcomes, RunOutcomes
from ipmix.measures import calibration, proportions, selective

WORST = 24


def corruption_intervals(levels: Levels) -> dict[str, dict[str, list[float]]]:
    """The exact interval of each corruption's error at each severity."""
    return {
        name: {str(severity): _exact(outcomes) for severity, outcomes in by_severity.items()}
        for name, by_severity in levels.items()
    }


def by_severity(levels: Levels, intervals: Intervals) -> dict[str, dict[str, Any]]:
    """The mean error over all corruptions at each severity, with its interval over images."""
    found: dict[str, dict[str, Any]] = {}
    for severity in sorted({s for each in levels.values() for s in each}):
        wrong = [~each[severity].whole("correct") for each in levels.values() if severity in each]
        shares = np.mean(wrong, axis=0)
        found[str(severity)] = {"value": float(shares.mean()), "interval": intervals.of_mean(shares)}
    return found


def reliability(clean: Outcomes) -> dict[str, list[float]]:
    """The bars of the reliability diagram, with the exact intervals of their accuracies."""
    table = calibration.reliability(clean.whole("confidence"), clean.whole("correct"))
    bounds = proportions.intervals(np.rint(table.accuracy * table.count), table.count)
    return {
        "edges": table.edges.tolist(),
        "count": table.count.tolist(),
        "confidence": table.confidence.tolist(),
        "accuracy": table.accuracy.tolist(),
        "low": bounds[:, 0].tolist(),
        "high": bounds[:, 1].tolist(),
    }


def risk_coverage(clean: Outcomes, points: int = 101) -> dict[str, list[float]]:
    """The risk-coverage curve at some of its points."""
    coverage, risk = selective.risk_coverage(clean.whole("confidence"), clean.whole("correct"))
    shown = np.unique(np.linspace(0, len(coverage) - 1, points).round().astype(int))
    return {"coverage": coverage[shown].tolist(), "risk": risk[shown].tolist()}


def worst(found: RunOutcomes) -> list[dict[str, Any]]:
    """The images with the largest loss that were answered wrongly."""
    loss, correct = found.clean.whole("loss"), found.clean.whole("correct")
    confidence, predicted = found.clean.whole("confidence"), found.clean.whole("predicted")
    order = [i for i in np.argsort(-np.nan_to_num(loss, nan=np.inf), kind="stable") if not correct[i]][:WORST]
    return [
        {
            "index": int(found.indices[i]),
            "label": int(found.labels[i]),
            "predicted": int(predicted[i]),
            "confidence": None if np.isnan(confidence[i]) else float(confidence[i]),
        }
        for i in order
    ]


def without_answer(found: RunOutcomes) -> dict[str, int]:
    """Condition -> how many images the model had no answer for."""
    counts = {condition.key: int(np.isnan(o.whole("confidence")).sum()) for condition, o in found.conditions.items()}
    return {key: count for key, count in counts.items() if count}


def _exact(outcomes: Outcomes) -> list[float]:
    correct = outcomes.whole("correct")
    return list(proportions.interval(int((~correct).sum()), len(correct)))
