"""An experiment as frozen dataclasses: data, method, mixing set, training, evaluation; and how it is carried out.

The text below each field is what the command line's help and the schema of experiment files say of it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ipmix.core.bounds import MIXING_MOST, SIDE_LEAST, SIDE_MOST, THREADS_MOST
from ipmix.core.errors import InputError
from ipmix.core.ranges import INT64, SEED, Range, check_range, check_ranges, numbers
from ipmix.training.config import TrainingConfig

TEST_CROP = 0.875
"""The share of the shorter side that is kept for testing where training cuts out random parts (256 and 224)."""


@dataclass(frozen=True)
class DataConfig:
    """The images."""

    source: str
    """A folder (train/<class>/<image>, and the same under test or val), cifar10, cifar100 or digits."""

    size: int | None = None
    """Bring all images to this side."""

    crop: Literal["pad", "resized"] = "pad"
    """pad keeps images in memory and shifts them; resized reads files in every epoch and brings a random part of each
    to the training's crop_size (ImageNet)."""

    test_split: str | None = None
    """What to test on after each epoch; test or val, whichever is there, if left out."""

    exif: bool = True
    """Turn images upright; false (--no-exif): read images as they are stored, without turning them upright by their
    EXIF tag, as torchvision does."""

    exact: bool = False
    """With crop resized: decode JPEG files in full, also those of which a part is shrunk to half or less, and resize
    parts by Pillow (slower; the pixels of torchvision's transforms on Pillow images)."""

    skip_broken: bool = False
    """Pass over images that can't be decoded."""

    def __post_init__(self) -> None:
        check_ranges(self, {"size": Range(SIDE_LEAST, SIDE_MOST)})
        if self.test_split not in (None, "train", "test", "val"):
            raise InputError(f"test_split is one of train, test, val, got {self.test_split!r}")
        if self.crop != "resized":
            return
        from ipmix.data.built_in import BUILT_IN  # here: help needs no images

        if self.source in BUILT_IN:
            raise InputError(f"crop 'resized' reads files from a folder; {self.source} is not one")
        if self.size is not None:
            raise InputError(
                f"crop 'resized' brings random parts to crop_size: give that, and leave out size (got {self.size})"
            )


@dataclass(frozen=True)
class MethodConfig:
    """The augmentation."""

    name: str = "ipmix"
    """The method; none for flips and crops alone."""

    preset: str | None = None
    """The method's settings by name, such as paper-cifar or code-cifar."""

    options: dict[str, Any] = field(default_factory=dict)
    """The method's single settings."""


@dataclass(frozen=True)
class MixingConfig:
    """The images that IPMix and PixMix mix in."""

    folder: str | None = None
    """A folder of images or a made mixing set to mix in."""

    count: int = 2000
    """How many mixing images are generated where none are given."""

    seed: int = 0
    """Seed of the generated mixing images."""

    mix: str | None = None
    """Which kinds are generated, as kind=count,... (counts that don't sum to the whole are weights): ifs, fractaldb,
    mandelbrot, julia, escape (both), flame; a mixture of all if left out."""

    def __post_init__(self) -> None:
        check_range("the count of mixing images", self.count, Range(1, MIXING_MOST))
        check_range("the seed of mixing images", self.seed, SEED)


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured on the test images at the end (see ipmix evaluate)."""

    corruptions: tuple[str, ...] = ("test",)
    """Which, by name or group."""

    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Of each corruption."""

    perturbations: tuple[str, ...] = ()
    """Perturbation sequences for the flip probability."""

    attack: bool = True
    """Measure the error under PGD."""

    own_measures: tuple[str, ...] = ()
    """Measures of one's own on the clean images: module:Name, or the name of an installed package's entry point."""

    limit: int | None = None
    """Take this many test images, evenly spread; all if left out. (The test error after each epoch is always that of
    all images.)"""

    def __post_init__(self) -> None:
        check_ranges(self, {"limit": Range(1, INT64[1])})
        for severity in self.severities:
            check_range("each of severities", severity, Range(1, 5))


@dataclass(frozen=True)
class ExperimentConfig:
    """One training run and its measurement."""

    data: DataConfig
    method: MethodConfig = MethodConfig()
    mixing: MixingConfig = MixingConfig()
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = EvaluationConfig()


@dataclass(frozen=True)
class ExecutionConfig:
    """How a run is carried out: where, how fast, and over what; none of it changes a figure."""

    root: Path | None = None
    """Where CIFAR's files lie."""

    download: bool = False
    """Fetch CIFAR if it is missing."""

    threads: int = 1
    """Threads of augmentation and corruptions; they don't change the result."""

    engine: Literal["compiled", "numpy", "reference"] = "compiled"
    """What augments."""

    device: Literal["auto", "cpu"] = "auto"
    """auto takes an accelerator if there is one."""

    checkpoint_seconds: float = 300.0
    """Save the state this often, besides after each epoch."""

    trackers: tuple[str, ...] = ()
    """Where the figures go besides the folder: tensorboard, or others that Accelerate knows."""

    resume: bool = False
    """Go on with the run in the folder, if there is one."""

    force: bool = False
    """Replace the run in the folder."""

    quiet: bool = False
    """Show no progress."""

    def __post_init__(self) -> None:
        if self.resume and self.force:
            raise InputError("--resume goes on with a run and --force replaces it: pass one of them")
        check_ranges(self, {"threads": Range(1, THREADS_MOST), "checkpoint_seconds": numbers()})
