"""From kept predictions to the scorecard: every measure with its interval, as plain JSON data.

A figure that can't be had says why instead: ``{"value": null, "reason": "..."}``. Predictions are read a
shard and a condition at a time and reduced to a few numbers per image; each measure's function (of
:data:`ipmix.measures.table.MEASURES`) is given those that it is about.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ipmix.core.errors import InputError
from ipmix.evaluation import arguments as given
from ipmix.evaluation import beside
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.figures import Arguments, Intervals, figure
from ipmix.evaluation.held_out import HeldOut, conformal_entry, temperature_entry
from ipmix.evaluation.outcomes import GivenScores, RunOutcomes, read_outcomes
from ipmix.evaluation.own_measures import numbers_of, own_measures
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder
from ipmix.measures.comparing import PerImage
from ipmix.measures.table import BINNED, measure_named
from ipmix.report.comparison import Scored
from ipmix.report.numbers import unfinished, written
from ipmix.report.scorecards import SCHEMA

SAMPLES = 1000

HIGH_ERROR = 0.2
"""A clean error above it may come from a normalisation that was left out."""


def score(
    kept: PredictionFolder | PredictionFile,
    *,
    anomalies: PredictionFolder | PredictionFile | None = None,
    baseline: Baseline | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
    scores: GivenScores = "auto",
    own: Iterable[str] = (),
) -> dict[str, Any]:
    """The scorecard of kept predictions; arguments, returned card and errors as :func:`scored`."""
    found = scored(kept, anomalies=anomalies, baseline=baseline, seed=seed, samples=samples, scores=scores, own=own)
    return dict(found.card)


def scored(
    kept: PredictionFolder | PredictionFile,
    *,
    anomalies: PredictionFolder | PredictionFile | None = None,
    baseline: Baseline | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
    scores: GivenScores = "auto",
    own: Iterable[str] = (),
) -> Scored:
    """The scorecard of kept predictions, and the outcomes image by image that a comparison needs.

    Args:
        kept: from :func:`ipmix.evaluation.predicting.predict`, or a third party's file.
        anomalies: the same model's predictions on images of nothing it knows (their labels don't count).
        baseline: another run, by whose errors and flip rates this one's are divided as well.
        seed: of the bootstrap intervals.
        samples: how often images are drawn for an interval; 0 for no intervals.
        scores: what predictions in somebody else's file are: logits, or probabilities, also in percent; "auto" decides
            from all rows.
        own: measures of one's own, ``module:Name`` (see docs/extending.md).

    Returns:
        ``card``, JSON data: ``measures`` (name -> value, interval, images, reason, noise floor), ``corruptions`` (name
        -> error at each severity), ``flips``, ``top5``, ``reliability``, ``risk_coverage``, ``temperature``,
        ``conformal``, ``worst``, the run's description and how it was made.

    Raises:
        InputError: there are no predictions, or labels are outside the classes.
    """
    intervals, own_functions = Intervals(seed, samples), own_measures(own)
    found = read_outcomes(kept, scores)
    unknown = None if anomalies is None else read_outcomes(anomalies, scores).clean
    if anomalies is not None and unknown is not None and unknown.classes != found.clean.classes:
        raise InputError(
            f"{anomalies.path} (anomalies) holds outputs for {unknown.classes} classes and {kept.path} for "
            f"{found.clean.classes}: expected predictions of the same model on both"
        )
    levels, made = found.by_corruption(), kept.made
    difficulty = int((kept.run.get("plan") or {}).get("difficulty", 1))
    arguments = given.of_clean(found.clean) | given.of_corruptions(levels, found.clean, kept.run, made)
    arguments |= given.of_attacks(found.conditions) | given.of_sequences(found, difficulty)
    if baseline is not None:
        arguments |= given.against_baseline(baseline, levels, found.clean, found.frames, difficulty)
    if unknown is not None:
        arguments |= given.of_anomalies(found.clean, unknown)
    arguments |= numbers_of(kept, own_functions)
    answered = bool(found.clean.correct) and not np.isnan(found.clean.whole("confidence")).any()
    about = {} if baseline is None else {"baseline": baseline.name}
    measures = {
        name: figure(measure_named(name), each, intervals, binned=name in BINNED) for name, each in arguments.items()
    }
    card = {
        "schema": SCHEMA,
        "run": {key: value for key, value in kept.run.items() if key != "format"} | about,
        "pictures": len(found.labels),
        "among": given.among(kept.run, found.clean.classes),
        "scores": found.scores,
        "frost": kept.run.get("frost", "not known") if "frost" in levels else None,
        "made": made,
        "hints": [*_hints(measures["clean_error"]["value"], made), *_unfinished(anomalies, baseline)],
        "without_answer": beside.without_answer(found),
        "measures": measures,
        "corruptions": {
            name: {str(severity): float(1 - o.whole("correct").mean()) for severity, o in by_severity.items()}
            for name, by_severity in levels.items()
        },
        "corruption_intervals": beside.corruption_intervals(levels),
        "severities": beside.by_severity(levels, intervals),
        "flips": {name: np.mean(given.flips(name, frames), axis=0).tolist() for name, frames in found.frames.items()},
        "top5": {name: float(distances.mean()) for name, distances in found.top5.items()},
        "reliability": beside.reliability(found.clean) if answered else None,
        "risk_coverage": beside.risk_coverage(found.clean) if answered else None,
        "temperature": _temperature(found),
        "conformal": _conformal(found, intervals),
        "worst": beside.worst(found),
        "bootstrap": {"level": 0.95, "samples": samples, "seed": seed},
    }
    return Scored(card, _per_image(found, arguments, measures))


def _per_image(
    found: RunOutcomes, arguments: Mapping[str, Arguments], measures: Mapping[str, Mapping[str, Any]]
) -> PerImage:
    """The outcomes behind the figures that there are, without those whose difference can't be told."""
    chosen = {
        name: each
        for name, each in arguments.items()
        if not isinstance(each, InputError)
        and measures[name]["value"] is not None
        and measure_named(name).interval != "none"
    }
    return PerImage(chosen, found.indices, found.labels)


def _temperature(found: RunOutcomes) -> dict[str, Any]:
    clean = found.clean
    return temperature_entry(
        found.held_out,
        (clean.whole("confidence"), clean.whole("loss")),
        (clean.whole("scaled_confidence"), clean.whole("scaled_loss")),
        clean.whole("correct"),
        found.indices,
    )


def _conformal(found: RunOutcomes, intervals: Intervals) -> dict[str, Any]:
    by_severity = {"clean": [found.clean]}
    for condition, outcomes in sorted(found.conditions.items(), key=lambda pair: pair[0].severity or 0):
        if condition.severity is not None:
            by_severity.setdefault(str(condition.severity), []).append(outcomes)
    if not isinstance(found.held_out, HeldOut):
        return conformal_entry(found.held_out, {}, found.indices, intervals)
    sets = {name: [(o.whole("covered"), o.whole("set_size")) for o in each] for name, each in by_severity.items()}
    return conformal_entry(found.held_out, sets, found.indices, intervals)


def _unfinished(anomalies: PredictionFolder | PredictionFile | None, baseline: Baseline | None) -> list[str]:
    """Of what else stands behind the figures, what did not come to its end."""
    found = [f"The baseline {baseline.name}: {baseline.unfinished}"] if baseline and baseline.unfinished else []
    if isinstance(anomalies, PredictionFolder):
        done, count = anomalies.progress()
        part = unfinished({"partial": {"images": done, "of": count}}) if done < count else ""
        found += [f"The anomalies of {anomalies.path}: {part}"] if part else []
    return found


def _hints(clean_error: float | None, made: Mapping[str, Any]) -> list[str]:
    """What a reader should look at before the figures are believed."""
    if clean_error is None or clean_error <= HIGH_ERROR or "normalisation" not in made or made["normalisation"]:
        return []
    return [
        f"{written('clean_error', clean_error)} of clean images are answered wrongly, and no normalisation is known "
        "for this model: it was given pixels in [0, 1] as they are. If it was trained on normalised images, pass "
        "--mean and --std (often 0.485,0.456,0.406 and 0.229,0.224,0.225): leaving them out alone raises the error"
    ]
