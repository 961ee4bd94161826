"""Logits out of whatever a network returns, and images in the type of number that it computes with."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ipmix.core.errors import InputError, plain
from ipmix.models.tensors import fault_of

LOGITS_KEYS = ("logits", "output", "outputs", "out", "scores")
"""Where in a dict logits are looked for, if several of its values could be logits."""


def logits_of(output: Any) -> torch.Tensor:
    """The logits [B, K] in what a network returned.

    That is the tensor itself; the attribute or key ``logits`` (Hugging Face's outputs, Inception's); of another
    dict its only tensor [B, K]; of a tuple or list the first one. Trailing dimensions of 1 go: [B, K, 1, 1] is
    [B, K]. Gradients pass, the type of number stays.

    Raises:
        InputError: there is no such tensor, or several of a dict could be meant.
    """
    if isinstance(output, torch.Tensor):
        return output.flatten(1) if output.ndim > 2 and output.shape[2:].numel() == 1 else output
    named = getattr(output, "logits", None)
    if isinstance(named, torch.Tensor):
        return logits_of(named)
    if isinstance(output, Mapping):
        tables = {key: value for key, value in output.items() if _is_table(value)}
        for key in LOGITS_KEYS:
            if key in tables:
                return logits_of(tables[key])
        if len(tables) == 1:
            return logits_of(next(iter(tables.values())))
    elif isinstance(output, tuple | list):
        for value in output:
            if _is_table(value):
                return logits_of(value)
    raise InputError(f"the model must give logits [images, classes], alone or as .logits; it gives {shown(output)}")


def scores_of(output: Any) -> torch.Tensor:
    """The logits float32[B, K] in what a network returned (:func:`logits_of`); gradients pass.

    Raises:
        InputError: there are none, or they are no real numbers in memory: of complex ones a part would be dropped.
    """
    found = logits_of(output)
    if fault := fault_of(found):
        raise InputError(f"the model must give logits [images, classes]; it gives {shown(found)}, which {fault}")
    return found.float()


def check_rows(scores: torch.Tensor, count: int, name: str) -> torch.Tensor:
    """The scores [count, K] as they are; InputError where a model gives not one row for each image."""
    if scores.ndim != 2 or len(scores) != count:
        raise InputError(
            f"{plain(name, most=60)} gives {shown(scores)} for {count} image{'s' * (count != 1)}; expected logits "
            f"[{count}, classes], a row for each image"
        )
    return scores


def shown(value: Any) -> str:
    """What a value is, in a few words: its type, with shapes."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, Mapping):
        inner = [f"{plain(key, most=40)}: {shown(item)}" for key, item in list(value.items())[:5]]
    elif isinstance(value, tuple | list):
        inner = [shown(item) for item in value[:5]]
    else:
        return f"a {type(value).__name__}"
    more = ", ..." if len(value) > 5 else ""
    return plain(f"a {type(value).__name__} of ({', '.join(inner)}{more})")


def as_taken(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Images float[B, C, H, W] in the type of the model's parameters: float16 and bfloat16 models take only that."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return images.to(parameter.dtype) if images.is_floating_point() else images
    return images


class Logits(nn.Module):
    """Any model as one that takes float32 images in [0, 1] and gives logits float32[B, K]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for attribute in ("name", "classes", "sha256", "differentiable", "size", "gives_logits"):
            if hasattr(model, attribute):
                setattr(self, attribute, getattr(model, attribute))
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        taken = images if normalises(self.model) else as_taken(self.model, images)
        return scores_of(self.model(taken))


def adapted(model: nn.Module) -> nn.Module:
    """The model, giving logits float32[B, K] from now on, whatever it gave and computes with.

    A module stays the one it is, with its layers' names, and gets hooks; TorchScript takes none and is wrapped.
    """
    if normalises(model) or isinstance(model, Logits):
        return model
    if isinstance(model, torch.jit.ScriptModule):
        return Logits(model)
    model.register_forward_pre_hook(_cast)
    model.register_forward_hook(_take)
    return model


def normalises(model: nn.Module) -> bool:
    """Whether a model is one of this library's wrappers: they take float32 and give logits themselves."""
    return bool(getattr(model, "takes_pixels", False))


def _cast(model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    images, *others = inputs
    return (as_taken(model, images), *others)


def _take(model: nn.Module, inputs: tuple[Any, ...], output: Any) -> torch.Tensor:
    return scores_of(output)


def _is_table(value: Any) -> bool:
    """Whether a value is a tensor [B, K], trailing dimensions of 1 aside."""
    return isinstance(value, torch.Tensor) and value.ndim >= 2 and value.shape[2:].numel() == 1
