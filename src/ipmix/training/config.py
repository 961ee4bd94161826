"""The settings of training."""

import math
from dataclasses import dataclass
from typing import Literal

from ipmix.core.errors import InputError

OPTIMIZERS = ("sgd", "adam", "adamw")


SCHEDULES = ("cosine", "steps", "constant")


PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. The defaults are the paper's on CIFAR (appendix A.1) for wide ResNets.

    Attributes:
        model: a name that :func:`ipmix.models.build` knows.
        epochs: passes over the training images (paper: 100; ResNet and ResNeXt 200).
        batch_size: images in one step, over all processes and accumulation slices together.
        learning_rate: at its highest. It is not rescaled with the batch or the number of processes.
        minimum_learning_rate: where the cosine ends.
        warmup_epochs: the rate climbs linearly from 0 over this many epochs first.
        schedule: "cosine" per step, "steps" (a tenth after each third of the epochs) or "constant".
        optimizer: "sgd", "adam" or "adamw".
        momentum: of SGD.
        nesterov: of SGD (authors' code).
        weight_decay: 0.0001 in the paper, 0.0005 in the authors' code.
        jsd: train with the Jensen-Shannon consistency of the clean image and two augmented views (the
            paper's headline results; three forward passes for each image).
        jsd_coefficient: its weight.
        smoothing: label smoothing.
        precision: "float32", "bfloat16" or "float16"; the losses are always float32.
        channels_last: keep tensors in NHWC memory order.
        compile: let torch.compile fuse the network.
        accumulate: compute each batch in this many slices, one after the other, to save memory.
        clip_norm: largest norm of the gradient; None for no limit.
        average: keep an exponential moving average of the weights with this decay and publish it.
        sync_batchnorm: BatchNorm statistics over all processes (CUDA only).
        dropout: the network's rate; None for its own default.
        flip: mirror images at random.
        pad: zero pixels on each side before the random crop.
        size: of the random part that is cut out of each image file, when training on files (ImageNet).
        pretrained: start from published weights (torchvision, timm).
        weights: a file of weights to start from.
        seed: of the first weights, the order, the crops, the augmentation and the dropout.
        log_steps: a line in metrics.jsonl every this many steps.
    """

    model: str = "wrn-40-4"
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 0.1
    minimum_learning_rate: float = 1e-6
    warmup_epochs: float = 0.0
    schedule: Literal["cosine", "steps", "constant"] = "cosine"
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    jsd: bool = False
    jsd_coefficient: float = 12.0
    smoothing: float = 0.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = True
    compile: bool = False
    accumulate: int = 1
    clip_norm: float | None = None
    average: float | None = None
    sync_batchnorm: bool = False
    dropout: float | None = None
    flip: bool = True
    pad: int = 4
    size: int = 224
    pretrained: bool = False
    weights: str | None = None
    seed: int = 0
    log_steps: int = 50

    def __post_init__(self) -> None:
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("accumulate", 1),
            ("pad", 0),
            ("size", 1),
            ("log_steps", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name} is at least {least}, got {getattr(self, name)}")
        for name in ("learning_rate", "minimum_learning_rate", "warmup_epochs", "momentum", "weight_decay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} is a finite number of at least 0, got {value}")
        for name, allowed in (
            ("schedule", SCHEDULES), ("optimizer", OPTIMIZERS), ("precision", PRECISIONS),
        ):  # fmt: skip
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.warmup_epochs >= self.epochs:
            raise InputError(f"warmup_epochs ({self.warmup_epochs}) must be below the number of epochs ({self.epochs})")
        if self.average is not None and not 0 < self.average < 1:
            raise InputError(f"average is a decay between 0 and 1 (such as 0.999), got {self.average}")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise InputError(f"clip_norm is above 0, got {self.clip_norm}")
        if self.accumulate > self.batch_size:
            raise InputError(f"a batch of {self.batch_size} images can't be computed in {self.accumulate} slices")
