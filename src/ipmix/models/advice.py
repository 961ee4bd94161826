"""What to say where a model fails on an image: which images it takes, found out by asking it."""

import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from ipmix.core.errors import InputError, first_line, plain
from ipmix.models.classifier import Classifier
from ipmix.models.outputs import shown

SIDES = (32, 64, 224, 28, 96, 128, 256, 299, 384, 160, 192, 112, 48, 8, 16, 240, 288, 320, 336, 448, 480, 512, 518)
"""Sides of images that networks are made for, the usual ones first."""

BATCHES = (2, 4, 8, 16, 32, 64, 100, 128, 256)

PATIENCE = 20.0
"""Seconds that the search for a size may take."""


def check_takes(model: Classifier, channels: int, height: int, width: int, *, setting: str = "--size") -> None:
    """Ask the network for the logits of one grey image, before anything is written for it; nothing of it changes.

    Raises:
        InputError: it fails, or gives something else than a number for each class; the advice names ``setting``.
    """
    images, training = torch.full((1, channels, height, width), 0.5), model.training
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            logits = model(images)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # anybody's network may fail in any way
        if out_of_memory(error):
            raise
        raise failure(model, images, error, setting=setting) from error
    finally:
        model.train(training)
    if logits.shape != (1, len(model.classes)):
        raise InputError(
            f"model {plain(model.name, most=60)} gives {shown(logits)} for one image; expected logits "
            f"[1, {len(model.classes)}], one for each of the data's classes"
        )


def failure(model: nn.Module, images: torch.Tensor, error: BaseException, *, setting: str = "--size") -> InputError:
    """The error to raise where ``model`` failed with ``error`` on float[1, C, H, W] in [0, 1], with advice.

    The advice is found by trying: images of the channels that its first convolution takes, then of usual sizes, which
    are chosen by ``setting``.
    """
    _, channels, height, width = images.shape
    told = f"{type(error).__name__}: {first_line(error)}"
    what = f"the model can't take an image of {width}x{height} with {channels} channel{'s' * (channels != 1)}"
    advice = _advice(model, images, setting) or f"if it was trained on another size, pass it with {setting}"
    if next(model.parameters(), None) is None:  # a function of somebody's: its own fault is more likely than a size
        advice = "".join(
            f"raised in {Path(frame.filename).name}, line {frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)[-1:]
        )
    return InputError(f"{what}: given {shown(images)} in [0, 1], it said {told}; {advice}")


def out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had too little memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _advice(model: nn.Module, images: torch.Tensor, setting: str) -> str:
    """What the model takes instead; empty if nothing was found that it takes."""
    _, channels, height, width = images.shape
    taken = first_channels(model)
    if taken is not None and taken != channels:
        return _about_channels(taken, channels)
    begun = time.monotonic()
    for side in SIDES:
        if time.monotonic() - begun > PATIENCE:
            break
        if (side, side) != (height, width) and _takes(model, images.new_full((1, channels, side, side), 0.5)):
            return f"this model takes {side}x{side} images: pass {setting} {side}"
    for other in _other_channels(channels) if taken is None else ():
        if _takes(model, images.new_full((1, other, height, width), 0.5)):
            return _about_channels(other, channels)
    for count in BATCHES:
        if _takes(model, images.expand(count, -1, -1, -1)):
            return f"it takes {count} images at once, but not one: export it for batches of any size"
    return ""


def first_channels(model: nn.Module) -> int | None:
    """How many channels the first convolution takes; None where there is none to be seen."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    return None


def _about_channels(taken: int, given: int) -> str:
    kind = {1: "grey images", 3: "color images"}.get(taken, "such images")
    return (
        f"the model takes {taken} channel{'s' * (taken != 1)}, the data has {given}: use {kind}, or a model that takes "
        f"{given} channel{'s' * (given != 1)}"
    )


def _other_channels(channels: int) -> Iterator[int]:
    yield from (number for number in (1, 3, 4) if number != channels)


def _takes(model: nn.Module, images: torch.Tensor) -> bool:
    try:
        with torch.inference_mode():
            model(images)
    except (Exception, SystemExit):
        return False
    return True
