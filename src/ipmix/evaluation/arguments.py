"""What each measure's function is given, from a run's outcomes: arrays whose first axis is the images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.corruptions.severities import C_BAR, VALIDATION
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.conditions import ATTACKS, Condition
from ipmix.evaluation.figures import Arguments
from ipmix.evaluation.outcomes import Outcomes, RunOutcomes
from ipmix.measures import consistency
from ipmix.measures.corruption import ALEXNET, ALEXNET_CLEAN, is_whole

Levels = Mapping[str, Mapping[int, Outcomes]]
"""Corruption -> severity -> outcomes."""

PUBLISHED_SIDE = 224
"""Pixels: the side of the images behind AlexNet's table."""


def of_clean(clean: Outcomes) -> dict[str, Arguments]:
    """Of untouched images; the reason where only corrupted ones were measured."""
    if not clean.correct:
        reason = InputError("no clean images were given (--clean)")
        return dict.fromkeys(("clean_error", "rms_calibration_error"), reason)
    pair = clean.whole("confidence"), clean.whole("correct")
    found: dict[str, Arguments] = {"clean_error": (wrong(clean),)}
    if clean.correct_top5:
        found["clean_error_top5"] = ((~clean.whole("correct_top5")).astype(np.float64),)
    found["brier_score"] = (clean.whole("brier"),)
    found["negative_log_likelihood"] = (clean.whole("loss"),)
    names = (
        "rms_calibration_error", "rms_calibration_error_published", "rms_calibration_error_debiased",
        "expected_calibration_error", "expected_calibration_error_debiased", "maximum_calibration_error",
        "area_under_risk_coverage", "coverage_at_1_percent",
    )  # fmt: skip
    return found | dict.fromkeys(names, pair)


def of_corruptions(
    levels: Levels, clean: Outcomes, run: Mapping[str, Any], made: Mapping[str, Any]
) -> dict[str, Arguments]:
    """Of corrupted images: mCE where it is one, else the mean over what was chosen."""
    found: dict[str, Arguments] = {}
    for measure, members in (("validation_corruption_error", VALIDATION), ("c_bar_error", C_BAR)):
        if chosen := {name: by_severity for name, by_severity in levels.items() if name in members}:
            found[measure] = (wrong_shares(chosen).mean(axis=1),)
    test = of_the_fifteen(levels)
    if not test:
        return found
    shares = wrong_shares(test)
    if is_whole(test):
        found["mean_corruption_error"] = (shares.mean(axis=1),)
        rise = None
        if clean.correct:
            rise = shares - wrong(clean)[:, None]
            found["relative_mean_corruption_error"] = (rise.mean(axis=1),)
        if _is_imagenet(clean, run):
            against = np.array([ALEXNET[name] for name in test])
            refusal = _not_against_alexnet(run, made)
            found["normalised_mean_corruption_error"] = refusal or ((shares / against).mean(axis=1),)
            if rise is not None:
                found["normalised_relative_mean_corruption_error"] = refusal or (
                    (rise / (against - ALEXNET_CLEAN)).mean(axis=1),
                )
    else:
        found["chosen_corruption_error"] = (shares.mean(axis=1),)
    every = [outcomes for by_severity in test.values() for outcomes in by_severity.values()]
    found["corruption_rms_calibration_error"] = (
        np.stack([outcomes.whole("confidence") for outcomes in every], axis=1),
        np.stack([outcomes.whole("correct") for outcomes in every], axis=1),
    )
    return found


def of_attacks(conditions: Mapping[Condition, Outcomes]) -> dict[str, Arguments]:
    """Of attacked images, which may be fewer than all."""
    found: dict[str, Arguments] = {}
    for kind in ATTACKS:
        if (attacked := conditions.get(Condition(kind))) is not None:
            # An untouched image lies in the ball: one that is answered wrongly needs no attack.
            found[f"{kind}_error"] = (np.maximum(wrong(attacked), 1.0 - attacked.whole("before")),)
            if kind == "attack":
                found["attack_error_published"] = (wrong(attacked),)
    return found


def of_sequences(run: RunOutcomes, difficulty: int) -> dict[str, Arguments]:
    """Of perturbation sequences: by the benchmark's names where it is the benchmark, else those of a choice."""
    found: dict[str, Arguments] = {}
    if run.frames:
        rates = [flips(name, frames).mean(axis=1) for name, frames in run.frames.items()]
        whole = consistency.is_whole(run.frames, difficulty)
        found["mean_flip_probability" if whole else "chosen_flip_probability"] = (np.mean(rates, axis=0),)
    if run.top5:
        distances = np.mean(list(run.top5.values()), axis=0)
        whole = consistency.is_whole(run.top5, difficulty)
        found["top5_distance" if whole else "chosen_top5_distance"] = (distances.astype(np.float64),)
    return found


def against_baseline(
    baseline: Baseline,
    levels: Levels,
    clean: Outcomes,
    frames: Mapping[str, NDArray[np.int64]],
    difficulty: int,
) -> dict[str, Arguments]:
    """mCE and mFR divided by another run's. The intervals are of this run alone: the divisor is taken as it is."""
    found: dict[str, Arguments] = {}
    if test := of_the_fifteen(levels):
        severities = {name: list(by_severity) for name, by_severity in test.items()}
        shares, whole = wrong_shares(test), is_whole(test)
        name = f"baseline_{'mean' if whole else 'chosen'}_corruption_error"
        try:
            found[name] = ((shares / np.array(baseline.corruption_errors(severities))).mean(axis=1),)
        except InputError as error:
            found[name] = error
        if whole and clean.correct:
            name = "baseline_relative_mean_corruption_error"
            try:
                rises = np.array(baseline.corruption_rises(severities))
                found[name] = (((shares - wrong(clean)[:, None]) / rises).mean(axis=1),)
            except InputError as error:
                found[name] = error
    if frames:
        name = f"baseline_{'mean' if consistency.is_whole(frames, difficulty) else 'chosen'}_flip_rate"
        try:
            rates = [
                flips(kind, f).mean(axis=1) / divisor
                for (kind, f), divisor in zip(frames.items(), baseline.flip_rates(list(frames)))
            ]
            found[name] = (np.mean(rates, axis=0),)
        except InputError as error:
            found[name] = error
    return found


def of_anomalies(known: Outcomes, unknown: Outcomes) -> dict[str, Arguments]:
    """Anomaly scores of known images, then of unknown ones; and which are which."""
    by_confidence = np.concatenate([-known.whole("confidence"), -unknown.whole("confidence")])
    by_logit = np.concatenate([known.whole("logit_score"), unknown.whole("logit_score")])
    anomalous = np.arange(len(by_logit)) >= len(known.whole("correct"))
    found: dict[str, Arguments] = {}
    for suffix, scores in (("", by_confidence), ("_logit", by_logit)):
        for name in ("anomaly_aupr", "anomaly_auroc", "anomaly_fpr95"):
            found[name + suffix] = (scores, anomalous)
    return found


def wrong(outcomes: Outcomes) -> NDArray[np.float64]:
    """1 for each image that is answered wrongly, else 0."""
    return (~outcomes.whole("correct")).astype(np.float64)


def wrong_shares(levels: Levels) -> NDArray[np.float64]:
    """For each image and corruption the share of severities answered wrongly: images are drawn whole."""
    return np.stack(
        [1.0 - np.mean([o.whole("correct") for o in by_severity.values()], axis=0) for by_severity in levels.values()],
        axis=1,
    )


def of_the_fifteen(levels: Levels) -> dict[str, Mapping[int, Outcomes]]:
    """Of the corruptions that were measured the 15 of -C, over which the mean corruption error goes."""
    return {name: by_severity for name, by_severity in levels.items() if name in ALEXNET}


def flips(perturbation: str, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which answers changed, bool[N, T - 1], against the frame that the perturbation is compared with."""
    return consistency.flips(frames, reference=consistency.reference_of(perturbation))


def among(run: Mapping[str, Any], classes: int) -> dict[str, int | bool | None]:
    """How many classes competed, how many outputs the model has (None: not known), and whether all of them did."""
    columns, outputs = run.get("columns"), run.get("outputs")
    if not columns:
        return {"classes": classes, "outputs": classes, "all": True}
    competing = sum(1 if isinstance(entry, int) else len(entry) for entry in columns)
    return {"classes": classes, "outputs": outputs, "all": competing == outputs}


def _is_imagenet(clean: Outcomes, run: Mapping[str, Any]) -> bool:
    """AlexNet's table was measured on ImageNet: for other data, dividing by it means nothing."""
    outputs = among(run, clean.classes)["outputs"]
    return clean.classes == 1000 or (clean.classes == 200 and outputs in (1000, None))


def _not_against_alexnet(run: Mapping[str, Any], made: Mapping[str, Any]) -> InputError | None:
    """Why a run may not be divided by AlexNet's table; None if nothing speaks against it."""
    side = (run.get("form") or {}).get("size") or made.get("side")
    if side is not None and side != PUBLISHED_SIDE:
        return InputError(f"AlexNet's table is of images of {PUBLISHED_SIDE} pixels, these have {side}")
    frost = run.get("frost")
    if frost == "procedural":
        return InputError(
            "frost was grown by a procedure, and AlexNet's table is of the published photographs; install "
            "imagecorruptions, or name their folder in IPMIX_FROST_IMAGES"
        )
    if frost is None and "plan" in run:
        return InputError("which frost was used isn't known, and AlexNet's table is of the published photographs")
    return None
