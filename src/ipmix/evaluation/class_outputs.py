"""Which of a model's outputs stand for each of the data's classes, for models that know other classes than the data."""

from collections.abc import Sequence

import torch
from torch import nn

ClassOutputs = Sequence[int | Sequence[int]]
"""For each of the data's classes the model's output that stands for it, or several that mean the same."""


def restricted(logits: torch.Tensor, class_outputs: ClassOutputs) -> torch.Tensor:
    """The logits float[B, len(class_outputs)] of the data's classes; of several outputs the largest counts."""
    if all(isinstance(outputs, int) for outputs in class_outputs):
        return logits[:, list(class_outputs)]
    groups = [[outputs] if isinstance(outputs, int) else list(outputs) for outputs in class_outputs]
    return torch.stack([logits[:, group].amax(dim=1) for group in groups], dim=1)


class Restricted(nn.Module):
    """A model of which only the outputs of the data's classes count."""

    def __init__(self, model: nn.Module, class_outputs: ClassOutputs) -> None:
        super().__init__()
        self.model, self.class_outputs = model, class_outputs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return restricted(self.model(images), self.class_outputs)


def largest_output(class_outputs: ClassOutputs) -> int:
    """The largest number of an output: the model must have one more than that."""
    return max(outputs if isinstance(outputs, int) else max(outputs) for outputs in class_outputs)


def class_of(output: int, class_outputs: ClassOutputs) -> int | None:
    """The data's class that a model's output stands for; None if it stands for none."""
    for number, outputs in enumerate(class_outputs):
        if output == outputs or (not isinstance(outputs, int) and output in outputs):
            return number
    return None
