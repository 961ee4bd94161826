"""Corruptions and perturbations of images: -C, C-bar and -P, for any size, compiled; test sets of them on disk.

It knows nothing of models, methods or scores.

``corrupt`` and ``perturb`` are pure functions of (seed, name, severity or difficulty, index). The names are
in :mod:`ipmix.corruptions.severities`, together with every constant and the rule for sizes other than 32
and 224.
"""

from ipmix.corruptions.common.frost import comparable as frost_comparable
from ipmix.corruptions.corrupting import corrupt
from ipmix.corruptions.perturbing import perturb
from ipmix.corruptions.severities import (
    ALL_CORRUPTIONS,
    C_BAR,
    C_BAR_CIFAR,
    C_BAR_IMAGENET,
    CORRUPTIONS,
    PERTURBATIONS,
    PERTURBATIONS_CIFAR,
    PERTURBATIONS_IMAGENET,
    PERTURBATIONS_VALIDATION,
    VALIDATION,
)
from ipmix.corruptions.test_sets.published import open_set

__all__ = [
    "ALL_CORRUPTIONS",
    "CORRUPTIONS",
    "C_BAR",
    "C_BAR_CIFAR",
    "C_BAR_IMAGENET",
    "PERTURBATIONS",
    "PERTURBATIONS_CIFAR",
    "PERTURBATIONS_IMAGENET",
    "PERTURBATIONS_VALIDATION",
    "VALIDATION",
    "corrupt",
    "frost_comparable",
    "open_set",
    "perturb",
]
