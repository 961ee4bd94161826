"""From kept predictions to the scorecard: every measure with its interval, as plain JSON data.

A figure that can't be had says why instead: ``{"value": null, "reason": "..."}``. Predictions are read a
part and a condition at a time and reduced to a few numbers per image.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.corruptions.severities import C_BAR, VALIDATION
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.figures import Intervals, figure, mean_figure, no_figure, pair_figure, resampled
from ipmix.evaluation.outcomes import Outcomes, read_outcomes
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder
from ipmix.measures import anomaly, calibration, consistency, corruption, selective

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
) -> dict[str, Any]:
    """The scorecard of kept predictions.

    Args:
        kept: from :func:`ipmix.evaluation.predicting.predict`, or a third party's file.
        anomalies: the same model's predictions on images of nothing it knows (their labels don't count).
        baseline: another run, by whose errors and flip rates this one's are divided as well.
        seed: of the bootstrap intervals.
        samples: how often images are drawn for an interval; 0 for no intervals.

    Returns:
        JSON data: ``measures`` (name -> value, interval, images, reason), ``corruptions`` (name -> error at
        each severity), ``flips``, ``reliability``, ``risk_coverage``, ``worst``, and the run's description.

    Raises:
        InputError: there are no predictions, or labels are outside the classes.
    """
    conditions, frames, top5, indices, labels = read_outcomes(kept)
    if "clean" not in conditions:
        raise InputError(f"{kept.path} holds no predictions on clean images yet")
    plain = conditions["clean"]
    count = len(plain.whole("correct"))
    interval = Intervals(seed, samples)
    measures: dict[str, dict[str, Any]] = {}
    _add_clean(measures, plain, interval)
    levels = _corruption_levels(conditions)
    corruptions = {
        name: {str(s): float(1 - o.whole("correct").mean()) for s, o in by_severity.items()}
        for name, by_severity in levels.items()
    }
    # AlexNet's table was measured on ImageNet: for other data, dividing by it means nothing.
    imagenet = plain.classes == 1000 or bool(kept.run.get("columns") and plain.classes == 200)
    _add_corruption(measures, levels, interval, imagenet)
    for attack in ("attack", "auto_attack"):
        if attack in conditions:
            # An untouched image lies in the ball: one that is answered wrongly needs no attack.
            attacked = ~conditions[attack].whole("correct")
            wrong = attacked | ~conditions[attack].whole("before").astype(bool)
            measures[f"{attack}_error"] = mean_figure(wrong, interval)
            if attack == "attack":
                measures["attack_error_published"] = mean_figure(attacked, interval)
    _add_consistency(measures, frames, top5, interval)
    if baseline is not None:
        _add_against(measures, baseline, levels, frames, interval)
    if anomalies is not None:
        _add_anomaly(measures, plain, read_outcomes(anomalies)[0]["clean"], interval)
    broken = int(np.isnan(plain.whole("confidence")).sum())
    about = {} if baseline is None else {"baseline": baseline.name}
    return {
        "schema": SCHEMA,
        "run": {key: value for key, value in kept.run.items() if key != "format"} | about,
        "pictures": count,
        "without_answer": _without_answer(conditions),
        "measures": measures,
        "corruptions": corruptions,
        "flips": {
            name: np.mean(consistency.flips(f, reference=consistency.reference_of(name)), axis=0).tolist()
            for name, f in frames.items()
        },
        "reliability": None if broken else _reliability(plain),
        "risk_coverage": None if broken else _risk_coverage(plain),
        "worst": _worst(plain, indices, labels),
        "bootstrap": {"level": 0.95, "samples": samples, "seed": seed},
    }


def _add_clean(measures: dict[str, dict[str, Any]], plain: Outcomes, interval: Intervals) -> None:
    correct, sure = plain.whole("correct"), plain.whole("confidence")
    measures["clean_error"] = mean_figure(~correct, interval)
    if plain.correct_top5:
        measures["clean_error_top5"] = mean_figure(~plain.whole("correct_top5"), interval)
    measures["brier_score"] = mean_figure(plain.whole("brier"), interval)
    measures["negative_log_likelihood"] = mean_figure(plain.whole("loss"), interval)
    of_pairs: dict[str, Callable[[NDArray[Any], NDArray[Any]], float]] = {
        "rms_calibration_error": calibration.rms_calibration_error,
        "rms_calibration_error_published": lambda c, r: calibration.rms_calibration_error(c, r, last_bin="skip"),
        "expected_calibration_error": calibration.expected_calibration_error,
        "maximum_calibration_error": calibration.maximum_calibration_error,
        "area_under_risk_coverage": selective.area_under_risk_coverage,
        "coverage_at_1_percent": lambda c, r: selective.coverage_at_risk(c, r, 0.01),
    }
    for name, measure in of_pairs.items():
        # The bootstrap says nothing true about a maximum: resampling only adds to it.
        chosen = Intervals(0, 0) if name == "maximum_calibration_error" else interval
        measures[name] = pair_figure(measure, sure, correct, chosen, centred="calibration" in name)


def _corruption_levels(conditions: Mapping[str, Outcomes]) -> dict[str, dict[int, Outcomes]]:
    levels: dict[str, dict[int, Outcomes]] = {}
    for key, found in conditions.items():
        if key.startswith("corruption/"):
            _, name, severity = key.split("/")
            levels.setdefault(name, {})[int(severity)] = found
    order = list(corruption.ALEXNET)
    names = sorted(levels, key=lambda n: (order.index(n) if n in order else len(order), n))
    return {name: dict(sorted(levels[name].items())) for name in names}


def _add_corruption(
    measures: dict[str, dict[str, Any]],
    levels: dict[str, dict[int, Outcomes]],
    interval: Intervals,
    imagenet: bool,
) -> None:
    groups = {"validation_corruption_error": VALIDATION, "c_bar_error": C_BAR}
    for measure, members in groups.items():
        if chosen := {name: by for name, by in levels.items() if name in members}:
            measures[measure] = mean_figure(_wrong_shares(chosen).mean(axis=1), interval)
    test = {name: by for name, by in levels.items() if name in corruption.ALEXNET}
    if not test:
        return
    wrong = _wrong_shares(test)
    measures["mean_corruption_error"] = mean_figure(wrong.mean(axis=1), interval)
    complete = len(test) == len(corruption.ALEXNET) and all(len(by) == 5 for by in test.values())
    if imagenet and complete:
        weights = 1.0 / np.array([corruption.ALEXNET[name] for name in test])
        measures["normalised_mean_corruption_error"] = mean_figure(wrong @ weights / len(test), interval)
    values = []
    for by in test.values():
        for outcomes in by.values():
            try:
                values.append(
                    calibration.rms_calibration_error(outcomes.whole("confidence"), outcomes.whole("correct"))
                )
            except InputError as error:
                measures["corruption_rms_calibration_error"] = no_figure(str(error))
                return
    measures["corruption_rms_calibration_error"] = figure(float(np.mean(values)), None, len(wrong))


def _wrong_shares(levels: Mapping[str, Mapping[int, Outcomes]]) -> NDArray[np.float64]:
    """For each image and corruption the share of severities answered wrongly: images are drawn whole."""
    return np.stack(
        [1.0 - np.mean([o.whole("correct") for o in by.values()], axis=0) for by in levels.values()], axis=1
    )


def _add_anomaly(measures: dict[str, dict[str, Any]], known: Outcomes, unknown: Outcomes, interval: Intervals) -> None:
    scores = {
        "": np.concatenate([-known.whole("confidence"), -unknown.whole("confidence")]),
        "_logit": np.concatenate([known.whole("logit_score"), unknown.whole("logit_score")]),
    }
    count = len(known.whole("correct"))
    anomalous = np.arange(len(scores[""])) >= count
    figures: dict[str, Callable[[NDArray[Any], NDArray[Any]], float]] = {
        "anomaly_aupr": anomaly.aupr,
        "anomaly_auroc": anomaly.auroc,
        "anomaly_fpr95": anomaly.fpr95,
    }
    for suffix, found in scores.items():
        for name, measure in figures.items():
            try:
                value = measure(found, anomalous)
            except InputError as error:
                measures[name + suffix] = no_figure(str(error))
                continue
            again = partial(resampled, measure, found, anomalous)
            measures[name + suffix] = figure(
                value, interval.of(again, len(found), [count, len(found) - count]), len(found)
            )


def _add_consistency(
    measures: dict[str, dict[str, Any]],
    frames: dict[str, NDArray[np.int64]],
    top5: dict[str, NDArray[np.float64]],
    interval: Intervals,
) -> None:
    if frames:
        rates = [
            consistency.flips(found, reference=consistency.reference_of(name)).mean(axis=1)
            for name, found in frames.items()
        ]
        measures["mean_flip_probability"] = mean_figure(np.mean(rates, axis=0), interval)
    if top5:
        measures["top5_distance"] = mean_figure(np.mean(list(top5.values()), axis=0), interval)


def _add_against(
    measures: dict[str, dict[str, Any]],
    baseline: Baseline,
    levels: Mapping[str, Mapping[int, Outcomes]],
    frames: Mapping[str, NDArray[np.int64]],
    interval: Intervals,
) -> None:
    """mCE and mFR divided by another run's. The intervals are of this run alone: the divisor is taken as it is."""
    test = {name: by for name, by in levels.items() if name in corruption.ALEXNET}
    if test:
        try:
            divisors = baseline.corruption_errors({name: list(by) for name, by in test.items()})
        except InputError as error:
            measures["baseline_mean_corruption_error"] = no_figure(str(error))
        else:
            shares = _wrong_shares(test) / np.array(divisors)
            measures["baseline_mean_corruption_error"] = mean_figure(shares.mean(axis=1), interval)
    if frames:
        try:
            divisors = baseline.flip_rates(list(frames))
        except InputError as error:
            measures["baseline_mean_flip_rate"] = no_figure(str(error))
        else:
            rates = [
                consistency.flips(found, reference=consistency.reference_of(name)).mean(axis=1) / divisor
                for (name, found), divisor in zip(frames.items(), divisors)
            ]
            measures["baseline_mean_flip_rate"] = mean_figure(np.mean(rates, axis=0), interval)


def _without_answer(conditions: Mapping[str, Outcomes]) -> dict[str, int]:
    counts = {name: int(np.isnan(o.whole("confidence")).sum()) for name, o in conditions.items()}
    return {name: count for name, count in counts.items() if count}


def _reliability(plain: Outcomes) -> dict[str, list[float]]:
    table = calibration.reliability(plain.whole("confidence"), plain.whole("correct"))
    return {
        "edges": table.edges.tolist(),
        "count": table.count.tolist(),
        "confidence": table.confidence.tolist(),
        "accuracy": table.accuracy.tolist(),
    }


def _risk_coverage(plain: Outcomes, points: int = 101) -> dict[str, list[float]]:
    coverage, risk = selective.risk_coverage(plain.whole("confidence"), plain.whole("correct"))
    shown = np.unique(np.linspace(0, len(coverage) - 1, points).round().astype(int))
    return {"coverage": coverage[shown].tolist(), "risk": risk[shown].tolist()}


def _worst(plain: Outcomes, indices: NDArray[np.int64], labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The images with the largest loss that were answered wrongly."""
    loss, wrong = plain.whole("loss"), ~plain.whole("correct")
    order = [i for i in np.argsort(-np.nan_to_num(loss, nan=np.inf), kind="stable") if wrong[i]][:WORST]
    sure, said = plain.whole("confidence"), plain.whole("predicted")
    return [
        {
            "index": int(indices[i]),
            "label": int(labels[i]),
            "predicted": int(said[i]),
            "confidence": None if np.isnan(sure[i]) else float(sure[i]),
        }
        for i in order
    ]
