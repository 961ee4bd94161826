"""What ``ipmix evaluate`` was asked: which model, which data, and in words what to measure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ipmix.core.checking import check_choice, check_count
from ipmix.core.errors import InputError
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.corruptions.severities import (
    C_BAR_CIFAR,
    C_BAR_IMAGENET,
    CORRUPTIONS,
    PERTURBATIONS_CIFAR,
    PERTURBATIONS_IMAGENET,
    VALIDATION,
)
from ipmix.evaluation.own_measures import own_measures
from ipmix.evaluation.plan import AttackConfig, AutoAttackConfig, EvaluationPlan
from ipmix.measures.subsets import subset
from ipmix.models.classifier import check_normalisation


@dataclass(frozen=True)
class EvaluationRequest:
    """Which model on which images, and where results go; see ``ipmix evaluate --help``."""

    model: str
    data: str
    out: Path
    name: str | None = None
    split: str | None = None
    size: int | None = None
    crop: float | None = None
    interpolation: Literal["bilinear", "bicubic"] | None = None
    trim: int = 0
    exif: bool = True
    subset: str | None = None
    class_map: str | None = None
    baseline: Path | None = None
    limit: int | None = None
    anomalies: Path | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    classes: int | None = None
    root: Path | None = None
    trust: bool = False
    skip_broken: bool = False
    restrict: bool = False
    """Only the outputs of the data's classes compete, not all of the model's."""

    def __post_init__(self) -> None:
        for name, value in (("size", self.size), ("limit", self.limit), ("classes", self.classes)):
            if value is not None:
                check_count(name, value, 1)
        check_count("trim", self.trim, 0)
        if self.crop is not None and not 0.0 < self.crop <= 1.0:
            raise InputError(f"crop is a share of the side in (0, 1], got {self.crop}")
        if self.interpolation is not None:
            check_choice("interpolation", self.interpolation, ("bilinear", "bicubic"))
        if (self.mean is None) != (self.std is None):
            raise InputError("--mean and --std are given together, or neither")
        if self.mean is not None and self.std is not None:
            check_normalisation(self.mean, self.std)
        if self.subset is not None:
            subset(self.subset)
        if self.anomalies is not None and not Path(self.anomalies).exists():
            raise InputError(f"there is no {self.anomalies} (anomalies); expected a folder of images")


@dataclass(frozen=True)
class MeasureRequest:
    """What to measure, in words such as "test", "bar" and "cifar"; see ``ipmix evaluate --help``."""

    corruptions: tuple[str, ...] = ("test",)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    form: Literal["original", "corrected"] = "original"
    perturbations: tuple[str, ...] = ()
    attack: AttackConfig | None = field(default_factory=AttackConfig)
    auto_attack: AutoAttackConfig | None = None
    seed: int = 0
    own: tuple[str, ...] = ()
    """Measures of one's own, module:Name."""

    def __post_init__(self) -> None:
        own_measures(self.own)
        check_count("seed", self.seed, 0, 2**63 - 1)
        if not self.corruptions:
            raise InputError("corruptions is empty; give at least one, or none for clean images alone")
        for severity in self.severities:
            check_count("each of the severities", severity, 1, 5)
        check_choice("form", self.form, ("original", "corrected"))
        for attack in (self.attack, self.auto_attack):
            if attack is not None:
                _check_attack(attack)

    def plan(self, side: int) -> EvaluationPlan:
        """The plan for images whose shorter side is ``side``: there are two C-bar sets, for small and large."""
        groups = {
            "none": (),
            "test": CORRUPTIONS,
            "validation": VALIDATION,
            "bar": C_BAR_CIFAR if side <= SMALL_SIDE else C_BAR_IMAGENET,
        }
        sequences = {"none": (), "cifar": PERTURBATIONS_CIFAR, "imagenet": PERTURBATIONS_IMAGENET}
        return EvaluationPlan(
            corruptions=_expanded(self.corruptions, groups),
            severities=tuple(self.severities),
            form=self.form,
            attack=self.attack,
            auto_attack=self.auto_attack,
            perturbations=_expanded(self.perturbations, sequences),
            seed=self.seed,
        )


def _check_attack(attack: AttackConfig | AutoAttackConfig) -> None:
    check_choice("norm", attack.norm, ("linf", "l2"))
    if attack.images is not None:
        check_count("images to attack", attack.images, 1)
    _check_reach("epsilon", attack.epsilon)
    if isinstance(attack, AttackConfig):
        check_choice("centre", attack.centre, ("clean", "noisy"))
        check_count("steps", attack.steps, 1)
        check_count("restarts", attack.restarts, 1)
        _check_reach("step_size", attack.step_size)


def _check_reach(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{name} is a finite number of at least 0, in units of the pixel range, got {value}")


def _expanded(words: Sequence[str], groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for word in words:
        found += groups.get(word, (word,))
    return tuple(dict.fromkeys(found))
