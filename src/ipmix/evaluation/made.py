"""How predictions are made: the device, the precision, versions, the normalisation, the command."""

import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix.core.versions import versions
from ipmix.data.sources import ImageSource, InMemory
from ipmix.evaluation.shaping import ShapedFiles

MOST_CHANNELS = 32

RESUMING = ("--resume", "--no-resume")
"""Words that say how a run goes on, and nothing of what it is."""


def how_made(model: nn.Module, device: torch.device, source: ImageSource) -> dict[str, Any]:
    """What a reader needs to make the predictions again, as JSON: the same model, data and plan go without saying.

    Args:
        model: the model, or a wrapper around it.
        device: what it runs on.
        source: the images.
    """
    return {
        "versions": versions(),
        "device": device.type if device.type != "cuda" else torch.cuda.get_device_name(device),
        "precision": _precision(model, device),
        "normalisation": _normalisation(model),
        "side": _side(source),
        "command": _command(),
    }


def _precision(model: nn.Module, device: torch.device) -> str:
    found = next((str(p.dtype).removeprefix("torch.") for p in model.parameters()), "float32")
    if device.type == "cuda" and found == "float32":
        fast = [
            word
            for word, used in (
                ("convolutions", torch.backends.cudnn.allow_tf32),
                ("products", torch.backends.cuda.matmul.allow_tf32),
            )
            if used
        ]
        return f"float32, {' and '.join(fast)} in TF32" if fast else found
    return found


def _normalisation(model: nn.Module) -> dict[str, list[float]] | None:
    """The mean and standard deviation that the model takes off itself; None if none is known."""
    for module in model.modules():
        found = [_numbers(getattr(module, name, None)) for name in ("mean", "std")]
        if found[0] and found[1]:
            return {"mean": found[0], "std": found[1]}
    return None


def _numbers(value: object) -> list[float]:
    """A number for each channel, where a module's attribute holds that; else nothing."""
    if isinstance(value, torch.Tensor) and 1 <= value.numel() <= MOST_CHANNELS:
        return [round(x, 6) for x in value.detach().float().flatten().tolist()]
    if isinstance(value, list | tuple) and 1 <= len(value) <= MOST_CHANNELS:
        return [round(float(x), 6) for x in value] if all(isinstance(x, int | float) for x in value) else []
    return []


def _side(source: ImageSource) -> int | None:
    """The shorter side of the images, where all have the same."""
    if isinstance(source, InMemory):
        return int(min(source.dataset.images.shape[1:3]))
    return source.size if isinstance(source, ShapedFiles) else None


def _command() -> str | None:
    """The command of ``ipmix`` that runs; None in a program of somebody else's.

    Without ``--resume``: a run that was interrupted and went on is the same run, its record the same to the byte.
    """
    program = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    if program is None or not (program.stem == "ipmix" or program.parent.name == "ipmix"):
        return None
    return shlex.join(["ipmix", *(word for word in sys.argv[1:] if word not in RESUMING)])
