"""What a study's file holds: its keys, their types and what they mean."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ipmix.experiment.config import EvaluationConfig


@dataclass(frozen=True)
class PassConfig(EvaluationConfig):
    """One pass over test images: what is measured on how many of which."""

    corruptions: tuple[str, ...] = ("none",)
    """Which, by name or group."""

    attack: bool = False
    """Measure the error under PGD."""

    data: str | None = None
    """Other images than the study's own test images: a folder, or {NAME}, which --folder NAME=DIR gives."""

    class_map: str | None = None
    """Which folder of those images is which of the model's classes; see ipmix evaluate."""

    trim: int = 0
    """Pixels to cut off each side of those images first."""


@dataclass(frozen=True)
class ScaleConfig:
    """At which size the cells are run."""

    like: str | None = None
    """Begin with a scale of the file scales.yaml."""

    text: str = ""
    """What it is, in a sentence."""

    changes: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from the cells' own."""

    cells: dict[str, Any] = field(default_factory=dict)
    """Further changes of single cells."""

    only: tuple[str, ...] = ()
    """The cells that there are at this scale; all if left out."""

    passes: dict[str, Any] = field(default_factory=dict)
    """What is measured on which images, by name."""


@dataclass(frozen=True)
class PaperConfig:
    """What the paper printed, corrected."""

    where: str
    """Table 10."""

    measured_on: str
    """Network and data there."""

    rows: dict[str, Any] = field(default_factory=dict)
    """Cell -> measure -> value, or {value, deviation, printed, mark}: printed is what stands there by mistake."""

    notes: tuple[str, ...] = ()
    """What is wrong or unclear in it, each with its mark."""


@dataclass(frozen=True)
class StudyConfig:
    """A study file."""

    title: str
    """In a line."""

    text: str = ""
    """What it asks, and what one has to know."""

    kind: Literal["training", "epoch_time", "attention"] = "training"
    """training: cells are trained and measured; epoch_time: seconds an epoch; attention: Grad-CAM of trained cells."""

    measures: tuple[str, ...] = ()
    """The table's columns: a measure's name, or PASS/measure; one's own as module:Name or by an entry point's name."""

    reference: str | None = None
    """The cell that the others are compared with; the first if left out."""

    paper: PaperConfig | None = None
    """What the paper says."""

    base: dict[str, Any] = field(default_factory=dict)
    """The settings that all cells share, as in an experiment file."""

    cells: dict[str, Any] = field(default_factory=dict)
    """The rows: name -> what differs from the base."""

    scales: dict[str, Any] = field(default_factory=dict)
    """The sizes it can be run at."""


@dataclass(frozen=True)
class PaperValue:
    """A figure of the paper, in its own units (percent but for seconds)."""

    value: float | None
    deviation: float | None = None
    printed: str | None = None
    mark: str | None = None
