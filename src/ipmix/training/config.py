"""The settings of training. The text below each field is what the command line's help says of it."""

import typing
from dataclasses import dataclass
from typing import Any, Literal

from ipmix.core.bounds import BATCH_MOST, BIAS_FACTOR_MOST, CROP_MOST, EPOCHS_MOST, PAD_MOST, SIDE_LEAST
from ipmix.core.errors import InputError, plain
from ipmix.core.ranges import INT64, SEED, Range, check_ranges, numbers

Schedule = Literal["cosine", "steps", "constant", "triangle"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. The defaults are the paper's on CIFAR (appendix A.1) for wide ResNets."""

    model: str = "wrn-40-4"
    """The network: wrn-D-W, resnext-29, resnet-18-cifar, vit-small-cifar, fast-cifar, torchvision:NAME, timm:NAME, or
    module:Name of one's own (docs/extending.md); a residual network with -dubin behind its name has the norms that
    AugMax needs."""

    epochs: int = 100
    """Passes over the training images (paper: 100; ResNet and ResNeXt 200)."""

    batch_size: int = 128
    """Images in one step, over all processes and accumulation slices together."""

    lr: float = 0.1
    """The learning rate at its highest; it is not rescaled with the batch or the number of processes."""

    min_lr: float = 1e-6
    """Where the cosine ends."""

    warmup_epochs: float = 0.0
    """The learning rate climbs linearly from 0 over this many epochs first."""

    schedule: Schedule = "cosine"
    """How the learning rate goes: cosine falls at each step, steps to a tenth after each third of the epochs, constant
    not at all; triangle climbs from min_lr in a straight line and falls back to it in another."""

    triangle_climb: float | None = None
    """The triangle's share of all steps before its top; a quarter if left out."""

    optimizer: OptimizerName = "sgd"
    """What follows the gradient."""

    momentum: float = 0.9
    """Of SGD."""

    nesterov: bool = True
    """Nesterov's form of SGD's momentum, as in the authors' code."""

    weight_decay: float = 1e-4
    """Pull on the weights: 0.0001 in the paper, 0.0005 in the authors' code."""

    norm_bias_factor: float | None = None
    """BatchNorm's biases learn at this many times the others' rate (and are pulled as much by weight decay); as the
    others if left out."""

    jsd: bool = False
    """Make predictions consistent over the clean image and two augmented views by the Jensen-Shannon divergence (the
    paper's headline results; three times the computing)."""

    jsd_coefficient: float = 12.0
    """The weight of that."""

    label_smoothing: float = 0.0
    """This share of each target is spread evenly over all classes."""

    precision: Precision = "float32"
    """Of the network; the losses are always float32."""

    channels_last: bool = True
    """Keep tensors in NHWC memory order."""

    compile: bool = False
    """Let torch.compile fuse the network."""

    accumulate: int = 1
    """Compute each batch in this many slices, one after the other, to save memory; in fewer where a slice would have a
    single image and the network has BatchNorm."""

    clip_norm: float | None = None
    """The gradient's largest norm; no limit if left out."""

    ema_decay: float | None = None
    """Keep an exponential moving average of the weights with this decay, such as 0.999, and measure and publish it."""

    sync_batchnorm: bool = False
    """BatchNorm's statistics over all processes (CUDA only)."""

    dropout: float | None = None
    """The network's rate; its own default if left out."""

    flip: bool = True
    """Mirror images at random; turn it off where left and right differ (digits, text)."""

    pad: int = 4
    """Zero pixels on each side of an image before the random crop."""

    crop_size: int = 224
    """Side of the random part that is cut out of each image file, when training on files (ImageNet)."""

    pretrained: bool = False
    """Start from weights that torchvision or timm publishes."""

    weights: str | None = None
    """Start from a file of weights."""

    seed: int = 0
    """Of the first weights, the order, the crops, the augmentation and the dropout; on a CPU the same seed
    gives the same network."""

    log_steps: int = 50
    """A line in metrics.jsonl every this many steps."""

    @staticmethod
    def presets() -> tuple[str, ...]:
        """The names that :meth:`preset` takes."""
        return tuple(PRESETS)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "TrainingConfig":
        """The settings of a preset in :data:`PRESETS`; ``changes`` replace single ones.

        Raises:
            InputError: no such preset, or a setting out of range.
        """
        if name not in PRESETS:
            raise InputError(f"there is no training preset {plain(repr(name), most=60)}; there is {', '.join(PRESETS)}")
        return cls(**{**PRESETS[name], **changes})

    def __post_init__(self) -> None:
        check_ranges(self, RANGES)
        for name, allowed in (("schedule", Schedule), ("optimizer", OptimizerName), ("precision", Precision)):
            if getattr(self, name) not in typing.get_args(allowed):
                raise InputError(f"{name} is one of {', '.join(typing.get_args(allowed))}, got {getattr(self, name)!r}")
        if self.warmup_epochs >= self.epochs:
            raise InputError(f"warmup_epochs ({self.warmup_epochs}) must be below the number of epochs ({self.epochs})")
        if self.schedule == "triangle" and self.warmup_epochs:
            raise InputError(
                f"the triangle climbs by itself, got warmup_epochs {self.warmup_epochs} too: leave it out, and set "
                "triangle_climb"
            )
        if self.accumulate > self.batch_size:
            raise InputError(f"a batch of {self.batch_size} images can't be computed in {self.accumulate} slices")


PRESETS: dict[str, dict[str, Any]] = {
    # After Jordan (2024), whose rate for batches of 1024 is 11.5 for the sum of losses in units of
    # 1 / (1024 (1 + 1 / (1 - 0.85))): 0.375 for the mean of 256. Smaller batches cost a processor nothing and learn
    # more an epoch.
    "fast-cifar": {
        "model": "fast-cifar",
        "epochs": 10,
        "batch_size": 256,
        "lr": 0.4,
        "min_lr": 0.002,
        "pad": 2,
        "schedule": "triangle",
        "triangle_climb": 0.23,
        "momentum": 0.85,
        "weight_decay": 1.3e-3,
        "norm_bias_factor": 64.0,
        "label_smoothing": 0.2,
        "precision": "bfloat16",
    },
}
"""Settings that go together, by name. fast-cifar: about ten epochs on a processor."""

RANGES = {
    "epochs": Range(1, EPOCHS_MOST),
    "batch_size": Range(1, BATCH_MOST),
    "lr": numbers(),
    "min_lr": numbers(),
    "warmup_epochs": numbers(),
    "momentum": numbers(0, 1),
    "weight_decay": numbers(),
    "jsd_coefficient": numbers(),
    "label_smoothing": numbers(0, 1, below=True),
    "dropout": numbers(0, 1, below=True),
    "triangle_climb": numbers(0, 1, above=True, below=True),
    "norm_bias_factor": numbers(0, BIAS_FACTOR_MOST, above=True),
    "accumulate": Range(1, BATCH_MOST),
    "clip_norm": numbers(0, above=True),
    "ema_decay": numbers(0, 1, above=True, below=True),
    "pad": Range(0, PAD_MOST),
    "crop_size": Range(SIDE_LEAST, CROP_MOST),
    "log_steps": Range(1, INT64[1]),
    "seed": SEED,
}
"""Of the settings that are numbers."""
