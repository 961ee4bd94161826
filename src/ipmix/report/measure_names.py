"""The scorecard's measures: what each is called, what it means, and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """How a figure is named and shown."""

    title: str
    meaning: str
    unit: str = "%"
    """"%" for fractions that are shown times 100; "" for numbers shown as they are."""
    better: str = "lower"


MEASURES: dict[str, Measure] = {
    "clean_error": Measure("Clean error", "wrong answers on untouched images"),
    "clean_error_top5": Measure("Clean error, top 5", "the label is not among the five likeliest classes"),
    "mean_corruption_error": Measure("Corruption error (mCE)", "wrong answers, mean over corruptions"),
    "normalised_mean_corruption_error": Measure(
        "mCE against AlexNet", "each corruption's error divided by AlexNet's; 100% is AlexNet"
    ),
    "baseline_mean_corruption_error": Measure(
        "mCE against the baseline", "each corruption's error divided by the baseline run's; 100% is the baseline"
    ),
    "validation_corruption_error": Measure(
        "Validation corruptions", "wrong answers under speckle, blur, spatter, saturate"
    ),
    "c_bar_error": Measure("C-bar error", "wrong answers, mean over the C-bar corruptions"),
    "attack_error": Measure("Adversarial error", "wrong answers before or after a gradient attack (PGD)"),
    "attack_error_published": Measure(
        "PGD, attacked images alone", "the same as published code counts it, to compare with papers"
    ),
    "auto_attack_error": Measure(
        "AutoAttack error", "wrong answers before or after the standard AutoAttack, four attacks"
    ),
    "rms_calibration_error": Measure(
        "Calibration error (RMS)", "distance of confidence from accuracy, bins of 100 images"
    ),
    "rms_calibration_error_published": Measure(
        "RMS, last bin skipped", "the same as published code counts it, to compare with papers"
    ),
    "mean_flip_probability": Measure("Flip probability (mFP)", "answers that change from frame to frame"),
    "baseline_mean_flip_rate": Measure(
        "mFR against the baseline", "each flip rate divided by the baseline run's; 100% is the baseline"
    ),
    "top5_distance": Measure("Top-5 distance", "how far the five likeliest classes move, of 15", unit=""),
    "expected_calibration_error": Measure("ECE", "15 equally wide bins"),
    "maximum_calibration_error": Measure("MCE", "the worst of 15 equally wide bins"),
    "corruption_rms_calibration_error": Measure(
        "RMS under corruption", "mean RMS calibration error over corruptions and severities"
    ),
    "brier_score": Measure("Brier score", "squared distance of probabilities from the label", unit=""),
    "negative_log_likelihood": Measure("Log loss", "mean -log(probability of the label), nats", unit=""),
    "area_under_risk_coverage": Measure("Risk-coverage (AURC)", "mean error over all coverages"),
    "coverage_at_1_percent": Measure(
        "Coverage at 1% risk", "images that can be answered with 1% error", better="higher"
    ),
    "anomaly_aupr": Measure(
        "Anomaly AUPR", "precision and recall of noticing unknown images by confidence", better="higher"
    ),
    "anomaly_auroc": Measure("Anomaly AUROC", "unknown images ranked above known ones", better="higher"),
    "anomaly_fpr95": Measure("Anomaly FPR95", "false alarms when 95% of unknown images are found"),
    "anomaly_aupr_logit": Measure("Anomaly AUPR, logit", "the same by the largest logit", better="higher"),
    "anomaly_auroc_logit": Measure("Anomaly AUROC, logit", "the same by the largest logit", better="higher"),
    "anomaly_fpr95_logit": Measure("Anomaly FPR95, logit", "the same by the largest logit"),
}
HEADLINE = (
    "clean_error",
    "mean_corruption_error",
    "mean_flip_probability",
    "attack_error",
    "rms_calibration_error",
)
"""The paper's measures on CIFAR, in its order of columns."""
