"""Selective prediction: if the model may pass on the images it is least confident of, how good is the rest?

Geifman and El-Yaniv (NeurIPS 2017). Coverage is the share of images answered, risk the error among them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.checking import check_share
from ipmix.measures.outputs import as_confidence_and_correct


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The risk-coverage curve: coverage float64[M] rising to 1, risk float64[M].

    One point per distinct confidence, because a threshold can't separate equals.
    """
    confidence, correct = as_confidence_and_correct(confidence, correct)
    order = np.argsort(-confidence, kind="stable")
    last_of_equals = np.flatnonzero(np.append(np.diff(confidence[order]) != 0.0, True))
    answered = last_of_equals + 1.0
    wrong = np.cumsum(1.0 - correct[order])[last_of_equals]
    return answered / confidence.size, wrong / answered


def area_under_risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURC: mean risk over all coverages, lower is better. Steps between points, so equals count as one."""
    coverage, risk = risk_coverage(confidence, correct)
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk))


def area_under_response_rate(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURRA: mean accuracy over all response rates, higher is better: 1 - AURC (ImageNet-A's companion)."""
    return 1.0 - area_under_risk_coverage(confidence, correct)


def coverage_at_risk(confidence: ArrayLike, correct: ArrayLike, risk: float) -> float:
    """The largest share of images that can be answered with an error of at most ``risk``; 0 if none can."""
    check_share("risk", risk)
    coverage, risks = risk_coverage(confidence, correct)
    within = np.flatnonzero(risks <= risk)
    return float(coverage[within[-1]]) if within.size else 0.0


def risk_at_coverage(confidence: ArrayLike, correct: ArrayLike, coverage: float) -> float:
    """The error when at least the most confident ``coverage`` of the images are answered."""
    check_share("coverage", coverage, least=False)
    coverages, risks = risk_coverage(confidence, correct)
    return float(risks[np.argmax(coverages >= coverage - 1e-12)])
