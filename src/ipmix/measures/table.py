"""The scorecard's measures, each once: its name, what it is called and means, its unit, its function, what it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError
from ipmix.core.extensions import is_own
from ipmix.measures import anomaly, calibration, consistency, selective
from ipmix.measures.corruption import ALEXNET, ALEXNET_CLEAN

Needed = Literal["clean", "corruption", "frames", "top5", "attack", "auto_attack", "anomalies", "baseline"]
"""Kinds of conditions under which there must be predictions; predictions on anomalies; another run's scorecard."""


def mean(values: NDArray[np.floating]) -> float:
    """The mean of one number an image; InputError that counts them if some are NaN or infinite."""
    found = float(np.mean(values))
    if not np.isfinite(found):
        broken = int((~np.isfinite(values)).sum())
        raise InputError(f"{broken} of {values.size} images have no finite value")
    return found


@dataclass(frozen=True, slots=True)
class Measure:
    """How a figure is computed, named and shown.

    Attributes:
        title: what it is called on the page and in tables.
        meaning: what it says, in a few words.
        function: from arrays whose first axis is the images to the figure: by default one number an image, of which it
            is the mean; or confidence float64[N] and correct bool[N]; or anomaly scores float64[N] and anomalous
            bool[N].
        needs: what must have been measured for it.
        unit: "%" for fractions that are shown times 100; "" for numbers shown as they are.
        better: which way is better.
        interval: "percentile" and "centred" bootstrap intervals, the latter for distances, which resampling
            enlarges; "none" where resampling says nothing true.
        bounds: between which values one image's number lies, where the figure is their mean; None if it has no end.
    """

    title: str
    meaning: str
    function: Callable[..., float] = mean
    needs: tuple[Needed, ...] = ("clean",)
    unit: Literal["%", ""] = "%"
    better: Literal["lower", "higher"] = "lower"
    interval: Literal["percentile", "centred", "none"] = "percentile"
    bounds: tuple[float, float] | None = (0.0, 1.0)


def _scale(clean: float) -> float:
    """What an image that is wrong under all corruptions counts, divided by AlexNet's rises above ``clean``."""
    return float(np.mean([1.0 / (error - clean) for error in ALEXNET.values()]))


_KNOWN: tuple[Needed, ...] = ("clean", "anomalies")

MEASURES: dict[str, Measure] = {
    "clean_error": Measure("Clean error", "wrong answers on untouched images"),
    "clean_error_top5": Measure("Clean error, top 5", "the label is not among the five likeliest classes"),
    "mean_corruption_error": Measure(
        "Corruption error (mCE)", "wrong answers, mean over 15 corruptions at 5 severities", needs=("corruption",)
    ),
    "chosen_corruption_error": Measure(
        "Mean error over chosen corruptions",
        "wrong answers; no mCE, which goes over 15 corruptions at 5 severities",
        needs=("corruption",),
    ),
    "normalised_mean_corruption_error": Measure(
        "mCE against AlexNet",
        "each corruption's error divided by AlexNet's; 100% is AlexNet",
        needs=("corruption",),
        bounds=(0.0, _scale(0.0)),
    ),
    "relative_mean_corruption_error": Measure(
        "Relative mCE",
        "how much more is wrong under the 15 corruptions than on clean images",
        needs=("corruption",),
        bounds=(-1.0, 1.0),
    ),
    "normalised_relative_mean_corruption_error": Measure(
        "Relative mCE against AlexNet",
        "each corruption's rise of the error divided by AlexNet's; 100% is AlexNet",
        needs=("corruption",),
        bounds=(-_scale(ALEXNET_CLEAN), _scale(ALEXNET_CLEAN)),
    ),
    "baseline_mean_corruption_error": Measure(
        "mCE against the baseline",
        "each corruption's error divided by the baseline run's; 100% is the baseline",
        needs=("corruption", "baseline"),
        bounds=None,
    ),
    "baseline_chosen_corruption_error": Measure(
        "Chosen corruptions against the baseline",
        "each chosen corruption's error divided by the baseline run's; 100% is the baseline; no mCE",
        needs=("corruption", "baseline"),
        bounds=None,
    ),
    "baseline_relative_mean_corruption_error": Measure(
        "Relative mCE against the baseline",
        "each corruption's rise of the error divided by the baseline run's; 100% is the baseline",
        needs=("corruption", "baseline"),
        bounds=None,
    ),
    "validation_corruption_error": Measure(
        "Validation corruptions", "wrong answers under speckle, blur, spatter, saturate", needs=("corruption",)
    ),
    "c_bar_error": Measure("C-bar error", "wrong answers, mean over the C-bar corruptions", needs=("corruption",)),
    "attack_error": Measure(
        "Adversarial error", "wrong answers before or after a gradient attack (PGD)", needs=("attack",)
    ),
    "attack_error_published": Measure(
        "PGD, attacked images alone", "the same as published code counts it, to compare with papers", needs=("attack",)
    ),
    "auto_attack_error": Measure(
        "AutoAttack error",
        "wrong answers before or after the standard AutoAttack, four attacks",
        needs=("auto_attack",),
    ),
    "rms_calibration_error": Measure(
        "Calibration error (RMS)",
        "distance of confidence from accuracy, bins of 100 images",
        calibration.rms_calibration_error,
        interval="centred",
    ),
    "rms_calibration_error_published": Measure(
        "RMS, last bin skipped",
        "the same as published code counts it, to compare with papers",
        calibration.published_rms_calibration_error,
        interval="centred",
    ),
    "rms_calibration_error_debiased": Measure(
        "RMS, debiased",
        "the same without what chance adds in bins of 100",
        calibration.debiased_rms_calibration_error,
        interval="none",
    ),
    "mean_flip_probability": Measure(
        "Flip probability (mFP)",
        "answers that change from frame to frame, mean over the ten perturbations of -P",
        needs=("frames",),
    ),
    "chosen_flip_probability": Measure(
        "Mean flip probability over chosen perturbations",
        "answers that change from frame to frame; no mFP, which goes over the ten perturbations of -P",
        needs=("frames",),
    ),
    "baseline_mean_flip_rate": Measure(
        "mFR against the baseline",
        "each flip rate divided by the baseline run's; 100% is the baseline",
        needs=("frames", "baseline"),
        bounds=None,
    ),
    "baseline_chosen_flip_rate": Measure(
        "Chosen perturbations against the baseline",
        "each chosen perturbation's flip rate divided by the baseline run's; 100% is the baseline; no mFR",
        needs=("frames", "baseline"),
        bounds=None,
    ),
    "top5_distance": Measure(
        "Top-5 distance (mT5D)",
        "how far the five likeliest classes move, at most 18, mean over the ten perturbations of -P",
        needs=("top5",),
        unit="",
        bounds=(0.0, float(consistency.FARTHEST)),
    ),
    "chosen_top5_distance": Measure(
        "Mean top-5 distance over chosen perturbations",
        "how far the five likeliest classes move, at most 18; not over the ten perturbations of -P",
        needs=("top5",),
        unit="",
        bounds=(0.0, float(consistency.FARTHEST)),
    ),
    "expected_calibration_error": Measure(
        "ECE", "15 equally wide bins", calibration.expected_calibration_error, interval="centred"
    ),
    "expected_calibration_error_debiased": Measure(
        "ECE, debiased",
        "the same without what chance adds in 15 bins",
        calibration.debiased_expected_calibration_error,
        interval="none",
    ),
    # The bootstrap says nothing true about a maximum: resampling only adds to it.
    "maximum_calibration_error": Measure(
        "MCE", "the worst of 15 equally wide bins", calibration.maximum_calibration_error, interval="none"
    ),
    "corruption_rms_calibration_error": Measure(
        "RMS under corruption",
        "mean RMS calibration error over corruptions and severities",
        calibration.mean_rms_calibration_error,
        needs=("corruption",),
        interval="none",
    ),
    "brier_score": Measure(
        "Brier score", "squared distance of probabilities from the label", unit="", bounds=(0.0, 2.0)
    ),
    "negative_log_likelihood": Measure("Log loss", "mean -log(probability of the label), nats", unit="", bounds=None),
    "area_under_risk_coverage": Measure(
        "Risk-coverage (AURC)", "mean error over all coverages", selective.area_under_risk_coverage
    ),
    "coverage_at_1_percent": Measure(
        "Coverage at 1% risk",
        "images that can be answered with 1% error",
        partial(selective.coverage_at_risk, risk=0.01),
        better="higher",
    ),
    "anomaly_aupr": Measure(
        "Anomaly AUPR",
        "precision and recall of noticing unknown images by confidence",
        anomaly.aupr,
        needs=_KNOWN,
        better="higher",
    ),
    "anomaly_auroc": Measure(
        "Anomaly AUROC", "unknown images ranked above known ones", anomaly.auroc, needs=_KNOWN, better="higher"
    ),
    "anomaly_fpr95": Measure(
        "Anomaly FPR95", "false alarms when 95% of unknown images are found", anomaly.fpr95, needs=_KNOWN
    ),
    "anomaly_aupr_logit": Measure(
        "Anomaly AUPR, logit", "the same by the largest logit", anomaly.aupr, needs=_KNOWN, better="higher"
    ),
    "anomaly_auroc_logit": Measure(
        "Anomaly AUROC, logit", "the same by the largest logit", anomaly.auroc, needs=_KNOWN, better="higher"
    ),
    "anomaly_fpr95_logit": Measure(
        "Anomaly FPR95, logit", "the same by the largest logit", anomaly.fpr95, needs=_KNOWN
    ),
}

HEADLINE = (
    "clean_error",
    "mean_corruption_error",
    "chosen_corruption_error",
    "mean_flip_probability",
    "chosen_flip_probability",
    "attack_error",
    "rms_calibration_error",
)
"""The paper's measures on CIFAR, in its order of columns. Of two corruption errors or flip probabilities a run has one.
"""

SINGLE = ("clean_error", "clean_error_top5", "attack_error", "attack_error_published", "auto_attack_error")
"""Single proportions: one answer an image, right or wrong, so that their intervals are exact."""

BINNED = (
    "rms_calibration_error",
    "rms_calibration_error_published",
    "expected_calibration_error",
    "maximum_calibration_error",
)
"""Measures to which bins add something by chance: each comes with its noise floor."""

AGAINST_PUBLISHED = (
    "mean_corruption_error",
    "normalised_mean_corruption_error",
    "baseline_mean_corruption_error",
    "chosen_corruption_error",
    "baseline_chosen_corruption_error",
    "relative_mean_corruption_error",
    "normalised_relative_mean_corruption_error",
    "baseline_relative_mean_corruption_error",
    "mean_flip_probability",
    "chosen_flip_probability",
    "baseline_mean_flip_rate",
    "baseline_chosen_flip_rate",
    "top5_distance",
    "chosen_top5_distance",
)
"""What benchmarks on -C and -P print, together in one table."""


def measure_named(name: str) -> Measure:
    """The measure of this name: of :data:`MEASURES`, or ``module:Name`` of one's own, which is not imported.

    Raises:
        KeyError: it is neither.
    """
    if name not in MEASURES and is_own(name):
        return Measure(name, "a measure of one's own, better when smaller", unit="", bounds=None)
    return MEASURES[name]
