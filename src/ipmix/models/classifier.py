"""A network with its normalisation inside: images in, logits out."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from ipmix.core.errors import InputError, hidden, plain
from ipmix.models.outputs import logits_of

MOST_CLASSES = 1_000_000


class Classifier(nn.Module):
    """A network that takes images in [0, 1] and normalises them itself.

    Evaluation, attacks and users then all speak of pixels; nobody has to know a mean and a deviation.

    Attributes:
        network: takes normalised float[B, C, H, W], gives logits float[B, classes].
        name: the name it was built by.
        classes: the classes' names.
    """

    takes_pixels = True
    gives_logits = True
    """Known of what this library builds, whatever the numbers look like; not of a network of one's own."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        classes: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        check_normalisation(mean, std)
        self.network = network
        self.name = name
        self.classes = tuple(classes)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float[B, classes] of float[B, C, H, W] in [0, 1], or of uint8 in 0..255."""
        if images.dtype == torch.uint8:
            images = images.to(torch.float32).div_(255.0)
        return logits_of(self.network((images - self.mean) / self.std))

    @property
    def images_to_begin(self) -> int:
        """How many training images the network's first weights are made of (see :meth:`initialise_from`); mostly 0."""
        return int(getattr(self.network, "images_to_begin", 0))

    @torch.no_grad()
    def initialise_from(self, images: torch.Tensor) -> None:
        """Make the weights that depend on the training images, uint8[N, C, H, W]; nothing where there are none."""
        if self.images_to_begin:
            normalised = (images.to(torch.float32).div_(255.0) - self.mean.cpu()) / self.std.cpu()
            self.network.initialise_from(normalised)  # type: ignore[operator]


def check_normalisation(mean: Sequence[float], std: Sequence[float]) -> None:
    """Raise InputError unless both have one finite number a channel, and each std is above 0."""
    if len(mean) != len(std) or not mean:
        raise InputError(f"mean and std have one number a channel each, got {list(mean)} and {list(std)}")
    if not all(map(math.isfinite, mean)):
        raise InputError(f"each channel's mean is a finite number, got {list(mean)}")
    if not all(math.isfinite(value) and value > 0 for value in std):
        raise InputError(f"each channel's std is a finite number above 0, got {list(std)}")
    for name, values in (("mean", mean), ("std", std)):
        if max(values) > 1:
            raise InputError(
                f"{name} is about images in [0, 1], so that none is above 1, got {list(values)}: divide by 255 what is "
                "about images in 0 to 255"
            )


def check_classes(classes: Sequence[object]) -> None:
    """Raise InputError unless the classes are 1 to 1,000,000 different names that can be shown."""
    if not 1 <= len(classes) <= MOST_CLASSES:
        raise InputError(
            f"a classifier has at least one class and at most {MOST_CLASSES:,}, got {len(classes) or 'none'}"
        )
    seen: set[object] = set()
    for label in classes:
        if not isinstance(label, str) or not label.strip():
            raise InputError(f"a class's name is a text that is not empty, got {plain(repr(label), most=60)}")
        if any(map(hidden, label)):
            raise InputError(f"a class's name holds no control characters, got {plain(repr(label), most=60)}")
        if label in seen:
            raise InputError(f"two classes have the name {plain(repr(label), most=60)}")
        seen.add(label)
