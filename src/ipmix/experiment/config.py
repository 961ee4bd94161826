"""An experiment as frozen dataclasses: data, method, mixing set, training, evaluation."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ipmix.core.errors import InputError
from ipmix.data import datasets
from ipmix.training.config import TrainingConfig

TEST_CROP = 0.875
"""The share of the shorter side that is kept for testing where training cuts out random parts (256 and 224)."""


@dataclass(frozen=True)
class DataConfig:
    """The images.

    Attributes:
        source: a folder (train/<class>/<image>, and the same under test or val), cifar10, cifar100, digits.
        size: bring all images to this side.
        crop: "pad" keeps the images in memory and shifts them in training; "resized" reads files in every
            epoch and brings a random part of each to ``size`` (ImageNet).
        test_split: what to test on after each epoch; test or val, whichever is there, if left out.
        skip_broken: pass over images that can't be decoded.
    """

    source: str
    size: int | None = None
    crop: Literal["pad", "resized"] = "pad"
    test_split: str | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if self.crop == "resized" and self.source in datasets.BUILT_IN:
            raise InputError(f"crop 'resized' reads files from a folder; {self.source} is not one")


@dataclass(frozen=True)
class MethodConfig:
    """The augmentation: a name ("none" for flips and crops alone), a preset, single options."""

    name: str = "ipmix"
    preset: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MixingConfig:
    """The mixing set: a folder, or ``count`` images generated from ``seed``."""

    folder: str | None = None
    count: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured on the test images at the end (see ``ipmix evaluate``).

    Attributes:
        corruptions: which, by name or group.
        severities: of each corruption.
        perturbations: whose sequences give the flip probability.
        attack: measure the error under PGD.
        limit: take this many test images, evenly spread; all if left out. (The test error after each epoch is
            always that of all images.)
    """

    corruptions: tuple[str, ...] = ("test",)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    perturbations: tuple[str, ...] = ()
    attack: bool = True
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit is at least 1, got {self.limit}")


@dataclass(frozen=True)
class ExperimentConfig:
    """One training run and its measurement."""

    data: DataConfig
    method: MethodConfig = MethodConfig()
    mixing: MixingConfig = MixingConfig()
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = EvaluationConfig()
