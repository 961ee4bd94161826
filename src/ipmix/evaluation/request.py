"""What ``ipmix evaluate`` was asked: which model, which data, and in words what to measure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ipmix.core.bounds import CLASSES_MOST, SIDE_LEAST, SIDE_MOST
from ipmix.core.checking import check_choice, check_run_name
from ipmix.core.errors import InputError, refuse_idle
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.core.ranges import INT64, SEED, Range, check_range, check_ranges
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
    clean: str | None = None
    """Where ``data`` are corrupted images that lie on the disk: the clean ones that they were made of."""
    labels_are_outputs: bool = False
    """The data's classes have no names: labels are numbers of the model's outputs, as in an ``.npz``."""

    def __post_init__(self) -> None:
        if self.name is not None:
            check_run_name(self.name)
        check_ranges(
            self,
            {
                "size": Range(SIDE_LEAST, SIDE_MOST),
                "limit": Range(1, INT64[1]),
                "classes": Range(1, CLASSES_MOST),
                "trim": Range(0, SIDE_MOST),
            },
        )
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
        check_ranges(self, {"seed": SEED})
        own_measures(self.own)
        if not self.corruptions:
            raise InputError("corruptions is empty; give at least one, or none for clean images alone")
        for severity in self.severities:
            check_range("each of the severities", severity, Range(1, 5))
        check_choice("form", self.form, ("original", "corrected"))
        for option in ("corruptions", "severities", "perturbations"):
            given = getattr(self, option)
            if twice := [value for place, value in enumerate(given) if value in given[:place]]:
                raise InputError(f"--{option} gives {twice[0]} twice: leave one out")
        for key, words in (("corruptions", self.corruptions), ("perturbations", self.perturbations)):
            if "none" in words and len(words) > 1:
                raise InputError(f"{key} none stands alone, got {', '.join(words)}: leave none out, or all others")
        if self.corruptions == ("none",):
            refuse_idle({"--severities": self.severities != (1, 2, 3, 4, 5)}, "there are no corruptions")
            if self.perturbations in ((), ("none",)):
                refuse_idle({"--form": self.form != "original"}, "there are no corruptions and no perturbations")

    def plan(self, side: int) -> EvaluationPlan:
        """The plan for images whose shorter side is ``side``: there are two C-bar sets, for small and large."""
        groups = {
            "none": (),
            "test": CORRUPTIONS,
            "validation": VALIDATION,
            "bar": C_BAR_CIFAR if side <= SMALL_SIDE else C_BAR_IMAGENET,
        }
        paper = PERTURBATIONS_CIFAR if side <= SMALL_SIDE else PERTURBATIONS_IMAGENET
        sequences = {"none": (), "paper": paper, "cifar": PERTURBATIONS_CIFAR, "imagenet": PERTURBATIONS_IMAGENET}
        return EvaluationPlan(
            corruptions=_expanded(self.corruptions, groups),
            severities=tuple(dict.fromkeys(self.severities)),
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
