"""Anomaly detection: can the model tell, by its own confidence, images of nothing it knows?

Scores and labels follow Hendrycks and Gimpel (ICLR 2017) and ImageNet-O (Hendrycks et al., CVPR 2021): the
positive class is the anomaly, and a higher score means more anomalous.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_logits, confidence, invalid, refuse_nan


def maximum_softmax_score(logits: ArrayLike) -> NDArray[np.float64]:
    """Minus the largest probability, float64[N]: the paper's anomaly score. NaN where there is no answer."""
    return -confidence(logits)


def maximum_logit_score(logits: ArrayLike) -> NDArray[np.float64]:
    """Minus the largest logit, float64[N] (Hendrycks et al., ICML 2022). NaN where there is no answer."""
    array = as_logits(logits)
    score = -array.max(axis=1).astype(np.float64)
    score[invalid(array)] = np.nan
    return score


def aupr(score: ArrayLike, anomalous: ArrayLike) -> float:
    """Area under the precision-recall curve as average precision, in (0, 1]; higher is better.

    The sum over thresholds of (recall gained) * precision, without interpolation; equal scores share one
    threshold. Chance is the share of anomalies: 2,000 of ImageNet-O among 12,000 give 0.167.

    Args:
        score: float [N], higher means more anomalous.
        anomalous: bool [N], at least one of each.
    """
    hits, alarms, anomalies, _ = _counts(score, anomalous)
    precision = hits / (hits + alarms)
    gained = np.diff(hits, prepend=0.0) / anomalies
    return float(np.sum(gained * precision))


def auroc(score: ArrayLike, anomalous: ArrayLike) -> float:
    """Area under the ROC curve: the chance that an anomaly scores above a known image (ties half)."""
    hits, alarms, anomalies, known = _counts(score, anomalous)
    x = np.concatenate(([0.0], alarms / known))
    y = np.concatenate(([0.0], hits / anomalies))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2.0))


def fpr95(
    score: ArrayLike,
    anomalous: ArrayLike,
    *,
    recall: float = 0.95,
    positive: Literal["anomalous", "known"] = "anomalous",
) -> float:
    """False positive rate at 95% true positive rate, in [0, 1]; lower is better. Two definitions are in use.

    ``positive="anomalous"`` (the default; OpenOOD's): the share of known images taken for anomalies, at the highest
    threshold that finds at least 95% of the anomalies. ``positive="known"`` (Hendrycks and Gimpel's kind, ODIN's): the
    share of anomalies taken for known images, at the threshold that keeps at least 95% of the known ones. The two
    are not comparable.

    Thresholds are the scores themselves and an image at the threshold is on the positive side, so that images of
    equal scores go together. Nothing is interpolated: the rate is that of the first threshold which reaches 95%.

    Args:
        score: float [N], higher means more anomalous.
        anomalous: bool [N], at least one of each.
        recall: the true positive rate to be reached, in (0, 1].
        positive: which images are the positive class.

    Raises:
        InputError: as for :func:`aupr`, or an unknown ``positive``.
    """
    if not 0.0 < recall <= 1.0:
        raise InputError(f"recall must be in (0, 1], got {recall}")
    if positive not in ("anomalous", "known"):
        raise InputError(f'positive must be "anomalous" or "known", got {positive!r}')
    hits, alarms, positives, negatives = _counts(score, anomalous, positive == "known")
    # Counts are compared, not fractions: 0.95 * 20 is 19 images, whatever the rounding of 19 / 20.
    needed = np.ceil(recall * positives - 1e-9)
    first = int(np.argmax(hits >= needed))
    return float(alarms[first] / negatives)


def _counts(
    score: ArrayLike, anomalous: ArrayLike, reverse: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], int, int]:
    """Anomalies and known images at or above each distinct threshold, highest first; and their totals.

    ``reverse``: known images and anomalies at or below each, lowest first.
    """
    values = np.asarray(score, dtype=np.float64)
    positive = np.asarray(anomalous)
    if values.ndim != 1 or positive.shape != values.shape:
        raise InputError(
            "score and anomalous must be two vectors of the same length, "
            f"got shapes {list(values.shape)} and {list(positive.shape)}"
        )
    if not np.isin(positive, (0, 1)).all():
        raise InputError("anomalous must hold True and False (or 1 and 0) only")
    refuse_nan(values, "score")
    positive = positive.astype(bool)
    anomalies = int(positive.sum())
    known = positive.size - anomalies
    if not anomalies or not known:
        raise InputError(
            f"anomaly detection needs images of both kinds, got {anomalies} anomalous and {known} known ones"
        )
    if reverse:
        values, positive, anomalies, known = -values, ~positive, known, anomalies
    order = np.argsort(-values, kind="stable")
    last_of_equals = np.flatnonzero(np.append(np.diff(values[order]) != 0.0, True))
    hits = np.cumsum(positive[order])[last_of_equals].astype(np.float64)
    alarms = (last_of_equals + 1) - hits
    return hits, alarms, anomalies, known
