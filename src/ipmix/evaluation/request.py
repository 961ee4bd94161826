"""What ``ipmix evaluate`` was asked: which model, which data, and in words what to measure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.corruptions.severities import (
    C_BAR_CIFAR,
    C_BAR_IMAGENET,
    CORRUPTIONS,
    PERTURBATIONS_CIFAR,
    PERTURBATIONS_IMAGENET,
    VALIDATION,
)
from ipmix.evaluation.plan import AttackConfig, AutoAttackConfig, EvaluationPlan


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


def _expanded(words: Sequence[str], groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for word in words:
        found += groups.get(word, (word,))
    return tuple(dict.fromkeys(found))
