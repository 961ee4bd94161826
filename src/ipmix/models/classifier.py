"""A network with its normalisation inside: images in, logits out."""

from collections.abc import Sequence

import torch
from torch import nn

from ipmix.core.errors import InputError


class Classifier(nn.Module):
    """A network that takes images in [0, 1] and normalises them itself.

    Evaluation, attacks and users then all speak of pixels; nobody has to know a mean and a deviation.

    Attributes:
        network: takes normalised float[B, C, H, W], gives logits float[B, classes].
        name: the name it was built by.
        classes: the classes' names.
    """

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
        if len(mean) != len(std) or not mean:
            raise InputError(f"mean and std have one number a channel each, got {list(mean)} and {list(std)}")
        if min(std) <= 0:
            raise InputError(f"each channel's std is above 0, got {list(std)}")
        self.network = network
        self.name = name
        self.classes = tuple(classes)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float[B, classes] of float[B, C, H, W] in [0, 1], or of uint8 in 0..255."""
        if images.dtype == torch.uint8:
            images = images.to(torch.float32).div_(255.0)
        logits: torch.Tensor = self.network((images - self.mean) / self.std)
        return logits
