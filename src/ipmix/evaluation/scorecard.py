"""From kept predictions to the scorecard: every measure with its interval, as plain JSON data.

A figure that can't be had says why instead: ``{"value": null, "reason": "..."}``. Predictions are read a
shard and a condition at a time and reduced to a few numbers per image; each measure's function (of
:data:`ipmix.measures.table.MEASURES`) is given those that it is about.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.corruptions.severities import C_BAR, VALIDATION
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.conditions import ATTACKS, Condition
from ipmix.evaluation.figures import Arguments, Intervals, figure
from ipmix.evaluation.outcomes import GivenScores, Outcomes, RunOutcomes, read_outcomes
from ipmix.evaluation.own_measures import numbers_of, own_measures
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder
from ipmix.measures import calibration, consistency, selective
from ipmix.measures.corruption import ALEXNET
from ipmix.measures.table import measure_named

SCHEMA = "ipmix scorecard 1"
SAMPLES = 1000
WORST = 24


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
    """The scorecard of kept predictions.

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
        JSON data: ``measures`` (name -> value, interval, images, reason), ``corruptions`` (name -> error at
        each severity), ``flips``, ``reliability``, ``risk_coverage``, ``worst``, and the run's description.

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
    levels = found.by_corruption()
    # AlexNet's table was measured on ImageNet: for other data, dividing by it means nothing.
    among = _among(kept.run, found.clean.classes)
    imagenet = found.clean.classes == 1000 or (found.clean.classes == 200 and among["outputs"] in (1000, None))
    arguments = _of_clean(found.clean) | _of_corruptions(levels, imagenet)
    for kind in ATTACKS:
        if (attacked := found.conditions.get(Condition(kind))) is not None:
            # An untouched image lies in the ball: one that is answered wrongly needs no attack.
            arguments[f"{kind}_error"] = (np.maximum(_wrong(attacked), 1.0 - attacked.whole("before")),)
            if kind == "attack":
                arguments["attack_error_published"] = (_wrong(attacked),)
    arguments |= _of_sequences(found)
    if baseline is not None:
        arguments |= _against_baseline(baseline, levels, found.frames)
    if unknown is not None:
        arguments |= _of_anomalies(found.clean, unknown)
    arguments |= numbers_of(kept, own_functions)
    answered = not np.isnan(found.clean.whole("confidence")).any()
    about = {} if baseline is None else {"baseline": baseline.name}
    return {
        "schema": SCHEMA,
        "run": {key: value for key, value in kept.run.items() if key != "format"} | about,
        "pictures": len(found.labels),
        "among": among,
        "scores": found.scores,
        "without_answer": _without_answer(found.conditions),
        "measures": {name: figure(measure_named(name), given, intervals) for name, given in arguments.items()},
        "corruptions": {
            name: {str(severity): float(1 - o.whole("correct").mean()) for severity, o in by_severity.items()}
            for name, by_severity in levels.items()
        },
        "flips": {name: np.mean(_flips(name, frames), axis=0).tolist() for name, frames in found.frames.items()},
        "reliability": _reliability(found.clean) if answered else None,
        "risk_coverage": _risk_coverage(found.clean) if answered else None,
        "worst": _worst(found),
        "bootstrap": {"level": 0.95, "samples": samples, "seed": seed},
    }


# --- what each measure's function is given -----------------------------------------------------------------


def _of_clean(clean: Outcomes) -> dict[str, Arguments]:
    pair = clean.whole("confidence"), clean.whole("correct")
    found: dict[str, Arguments] = {"clean_error": (_wrong(clean),)}
    if clean.correct_top5:
        found["clean_error_top5"] = ((~clean.whole("correct_top5")).astype(np.float64),)
    found["brier_score"] = (clean.whole("brier"),)
    found["negative_log_likelihood"] = (clean.whole("loss"),)
    names = (
        "rms_calibration_error", "rms_calibration_error_published", "expected_calibration_error",
        "maximum_calibration_error", "area_under_risk_coverage", "coverage_at_1_percent",
    )  # fmt: skip
    return found | dict.fromkeys(names, pair)


def _of_corruptions(levels: Mapping[str, Mapping[int, Outcomes]], imagenet: bool) -> dict[str, Arguments]:
    found: dict[str, Arguments] = {}
    for measure, members in (("validation_corruption_error", VALIDATION), ("c_bar_error", C_BAR)):
        if chosen := {name: by_severity for name, by_severity in levels.items() if name in members}:
            found[measure] = (_wrong_shares(chosen).mean(axis=1),)
    test = _test_corruptions(levels)
    if not test:
        return found
    shares = _wrong_shares(test)
    found["mean_corruption_error"] = (shares.mean(axis=1),)
    complete = len(test) == len(ALEXNET) and all(len(by_severity) == 5 for by_severity in test.values())
    if imagenet and complete:
        weights = 1.0 / np.array([ALEXNET[name] for name in test])
        found["normalised_mean_corruption_error"] = (shares @ weights / len(test),)
    every = [outcomes for by_severity in test.values() for outcomes in by_severity.values()]
    found["corruption_rms_calibration_error"] = (
        np.stack([outcomes.whole("confidence") for outcomes in every], axis=1),
        np.stack([outcomes.whole("correct") for outcomes in every], axis=1),
    )
    return found


def _of_sequences(found: RunOutcomes) -> dict[str, Arguments]:
    arguments: dict[str, Arguments] = {}
    if found.frames:
        rates = [_flips(name, frames).mean(axis=1) for name, frames in found.frames.items()]
        arguments["mean_flip_probability"] = (np.mean(rates, axis=0),)
    if found.top5:
        distances = np.mean(list(found.top5.values()), axis=0)
        arguments["top5_distance"] = (distances.astype(np.float64),)
    return arguments


def _against_baseline(
    baseline: Baseline, levels: Mapping[str, Mapping[int, Outcomes]], frames: Mapping[str, NDArray[np.int64]]
) -> dict[str, Arguments]:
    """mCE and mFR divided by another run's. The intervals are of this run alone: the divisor is taken as it is."""
    found: dict[str, Arguments] = {}
    if test := _test_corruptions(levels):
        try:
            divisors = baseline.corruption_errors({name: list(by_severity) for name, by_severity in test.items()})
            found["baseline_mean_corruption_error"] = ((_wrong_shares(test) / np.array(divisors)).mean(axis=1),)
        except InputError as error:
            found["baseline_mean_corruption_error"] = error
    if frames:
        try:
            divisors = baseline.flip_rates(list(frames))
            rates = [_flips(name, f).mean(axis=1) / divisor for (name, f), divisor in zip(frames.items(), divisors)]
            found["baseline_mean_flip_rate"] = (np.mean(rates, axis=0),)
        except InputError as error:
            found["baseline_mean_flip_rate"] = error
    return found


def _of_anomalies(known: Outcomes, unknown: Outcomes) -> dict[str, Arguments]:
    """Anomaly scores of known images, then of unknown ones; and which are which."""
    by_confidence = np.concatenate([-known.whole("confidence"), -unknown.whole("confidence")])
    by_logit = np.concatenate([known.whole("logit_score"), unknown.whole("logit_score")])
    anomalous = np.arange(len(by_logit)) >= len(known.whole("correct"))
    found: dict[str, Arguments] = {}
    for suffix, scores in (("", by_confidence), ("_logit", by_logit)):
        for name in ("anomaly_aupr", "anomaly_auroc", "anomaly_fpr95"):
            found[name + suffix] = (scores, anomalous)
    return found


def _wrong(outcomes: Outcomes) -> NDArray[np.float64]:
    """1 for each image that is answered wrongly, else 0."""
    return (~outcomes.whole("correct")).astype(np.float64)


def _wrong_shares(levels: Mapping[str, Mapping[int, Outcomes]]) -> NDArray[np.float64]:
    """For each image and corruption the share of severities answered wrongly: images are drawn whole."""
    return np.stack(
        [1.0 - np.mean([o.whole("correct") for o in by_severity.values()], axis=0) for by_severity in levels.values()],
        axis=1,
    )


def _test_corruptions(levels: Mapping[str, Mapping[int, Outcomes]]) -> dict[str, Mapping[int, Outcomes]]:
    """Of the corruptions that were measured the 15 of -C, over which the mean corruption error goes."""
    return {name: by_severity for name, by_severity in levels.items() if name in ALEXNET}


def _flips(perturbation: str, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    return consistency.flips(frames, reference=consistency.reference_of(perturbation))


def _among(run: Mapping[str, Any], classes: int) -> dict[str, int | bool | None]:
    """How many classes competed, how many outputs the model has (None: not known), and whether all of them did."""
    columns, outputs = run.get("columns"), run.get("outputs")
    if not columns:
        return {"classes": classes, "outputs": classes, "all": True}
    competing = sum(1 if isinstance(entry, int) else len(entry) for entry in columns)
    return {"classes": classes, "outputs": outputs, "all": competing == outputs}


# --- what is shown beside the measures -----------------------------------------------------------------------


def _without_answer(conditions: Mapping[Condition, Outcomes]) -> dict[str, int]:
    counts = {condition.key: int(np.isnan(o.whole("confidence")).sum()) for condition, o in conditions.items()}
    return {key: count for key, count in counts.items() if count}


def _reliability(clean: Outcomes) -> dict[str, list[float]]:
    table = calibration.reliability(clean.whole("confidence"), clean.whole("correct"))
    return {
        "edges": table.edges.tolist(),
        "count": table.count.tolist(),
        "confidence": table.confidence.tolist(),
        "accuracy": table.accuracy.tolist(),
    }


def _risk_coverage(clean: Outcomes, points: int = 101) -> dict[str, list[float]]:
    coverage, risk = selective.risk_coverage(clean.whole("confidence"), clean.whole("correct"))
    shown = np.unique(np.linspace(0, len(coverage) - 1, points).round().astype(int))
    return {"coverage": coverage[shown].tolist(), "risk": risk[shown].tolist()}


def _worst(found: RunOutcomes) -> list[dict[str, Any]]:
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
