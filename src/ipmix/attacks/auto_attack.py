"""AutoAttack: the ensemble of four attacks that robustness claims are compared by (the extra ``autoattack``).

Croce and Hein (ICML 2020). Their own package does the work: APGD on the cross entropy, APGD on the targeted DLR
loss, targeted FAB and Square, one after the other on the images that are still answered rightly.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal

import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.core.frozen import frozen

NORMS = {"linf": "Linf", "l2": "L2"}
TARGETS = 9
"""Wrong classes that the targeted attacks of the standard ensemble aim at."""


def auto_attack(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epsilon: float,
    norm: Literal["linf", "l2"] = "linf",
    seed: int,
) -> torch.Tensor:
    """Images within ``epsilon`` of the given ones that fool the model, found by the standard AutoAttack.

    An image that is answered wrongly to begin with, or that no attack succeeds on, comes back as it was. The
    attacks draw for a whole batch at once: other batches can give another result for an image.

    Args:
        model: takes float[B, C, H, W] in [0, 1] (normalisation inside), gives logits float[B, K], K at least 4.
        images: float32[B, C, H, W] in [0, 1], on the model's device.
        labels: int64[B] in 0 .. K-1.
        epsilon: the ball's radius in units of the pixel range; 8/255 is usual in published claims.
        norm: ``"linf"`` or ``"l2"``.
        seed: of all four attacks, 0 or more.

    Returns:
        float32[B, C, H, W] in [0, 1], detached.

    Raises:
        InputError: the package is missing, or the model has fewer than 4 classes (the targeted DLR loss
            compares four).
    """
    package = require()
    if norm not in NORMS:
        raise InputError(f'norm must be "linf" or "l2", got {norm!r}')
    with torch.no_grad():
        classes = model(images[:1]).shape[1]
    check_classes(classes)
    generators = list(range(torch.cuda.device_count())) if images.is_cuda else []
    with frozen(model), _trace_kept(), torch.random.fork_rng(devices=generators):
        attack = package.AutoAttack(
            _Plain(model), norm=NORMS[norm], eps=epsilon, seed=seed, device=images.device, version="standard"
        )
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = min(TARGETS, classes - 1)
        changed, _ = attack.run_standard_evaluation(images.detach().contiguous(), labels, batch_size=len(images))
    found: torch.Tensor = changed.detach().clamp(0.0, 1.0)
    return found


def require() -> ModuleType:
    """The package; says how to get it where it is missing."""
    try:
        return importlib.import_module("pyautoattack")
    except ModuleNotFoundError:
        raise InputError('AutoAttack needs the package pyautoattack: pip install "ipmix[autoattack]"') from None


def check_classes(classes: int) -> None:
    """Refuse what the targeted DLR loss is not defined for."""
    if classes < 4:
        raise InputError(f"AutoAttack needs a model of at least 4 classes, got {classes}; measure PGD alone")


class _Plain(nn.Module):
    """A model whose gradients lie in memory as the package takes them, whatever the model's own layout."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(_ContiguousGradient.apply(images)).contiguous()
        return logits


class _ContiguousGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: torch.Tensor) -> torch.Tensor:
        return images.view_as(images)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0].contiguous()


@contextmanager
def _trace_kept() -> Iterator[None]:
    """A debugger's trace is put back: one of the package's checks takes away whatever trace function was there."""
    trace = sys.gettrace()
    try:
        yield
    finally:
        sys.settrace(trace)
