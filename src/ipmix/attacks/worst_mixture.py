"""AugMax's worst mixture (Wang et al., NeurIPS 2021): how much of which augmented version is mixed in."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ipmix.core.errors import InputError
from ipmix.core.frozen import frozen


def mixture(
    clean: torch.Tensor, chains: Sequence[torch.Tensor], blend: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    """``(1 - blend) clean + blend sum_i softmax(logits)_i chain_i``: float[B, C, H, W].

    Args:
        clean: float[B, C, H, W].
        chains: K augmented versions, of the same shape.
        blend: float[B] in 0 .. 1.
        logits: float[B, K].
    """
    mixed = torch.zeros_like(clean)
    for share, chain in zip(logits.softmax(1).T, chains, strict=True):
        mixed = mixed + share[:, None, None, None] * chain
    part = blend[:, None, None, None]
    return (1 - part) * clean + part * mixed


def worst_mixture(
    model: nn.Module,
    clean: torch.Tensor,
    chains: Sequence[torch.Tensor],
    labels: torch.Tensor,
    *,
    blend: torch.Tensor,
    logits: torch.Tensor,
    steps: int,
    step_size: float = 0.1,
    budget: int | None = 1,
) -> torch.Tensor:
    """The mixture of augmented versions that raises the model's loss most: AugMax's attack.

    Climbs from the mixture that ``blend`` and ``logits`` give. Each step adds ``step_size`` times the sign of the
    cross entropy's gradient to both; the blend stays in [0, 1]. An image that was classified wrongly ``budget``
    times stays where it is from then on (friendly adversarial training). The model runs in evaluation mode
    without gradients for its parameters, and is left as it was found.

    Args:
        model: takes float[B, C, H, W] in [0, 1] (normalisation inside), gives logits float[B, classes].
        clean: float32[B, C, H, W] in [0, 1].
        chains: K augmented versions of each image, of the same shape.
        labels: int64[B].
        blend: where to start, float[B] in 0 .. 1; random numbers in AugMax.
        logits: the logits of the chains' shares to start from, float[B, K]; random numbers of 0 .. 1 in AugMax.
        steps: at most this many; 0 or more.
        step_size: of blend and logits; 0.1 in the authors' code.
        budget: mistakes after which an image is left alone; 1 is the authors' setting. None: never, which is what
            their code does, since its mask is applied to a copy.

    Returns:
        float32[B, C, H, W] in [0, 1], detached.

    Raises:
        InputError: shapes that do not fit each other, or a number out of its range.
    """
    _check_mixture(clean, chains, labels, blend, logits, steps, step_size, budget)
    blend, logits = blend.detach().clone(), logits.detach().clone()
    mistakes = torch.zeros_like(labels)
    with frozen(model):
        for _ in range(steps):
            blend.requires_grad_(True)
            logits.requires_grad_(True)
            found = model(mixture(clean, chains, blend, logits))
            mistakes += found.argmax(1) != labels
            active = torch.ones_like(blend) if budget is None else (mistakes < budget).to(blend.dtype)
            if not active.any():
                break
            # The sum, not the mean: an image's gradient then doesn't depend on its batch.
            loss = functional.cross_entropy(found.float(), labels, reduction="sum")
            for_blend, for_logits = torch.autograd.grad(loss, (blend, logits))
            with torch.no_grad():
                blend = (blend + step_size * active * for_blend.sign()).clamp_(0.0, 1.0)
                logits = logits + step_size * active[:, None] * for_logits.sign()
    with torch.no_grad():
        return mixture(clean, chains, blend, logits)


def _check_mixture(
    clean: torch.Tensor,
    chains: Sequence[torch.Tensor],
    labels: torch.Tensor,
    blend: torch.Tensor,
    logits: torch.Tensor,
    steps: int,
    step_size: float,
    budget: int | None,
) -> None:
    count = len(clean)
    if not chains or any(chain.shape != clean.shape for chain in chains):
        shapes = ", ".join(str(list(chain.shape)) for chain in chains) or "none"
        raise InputError(f"chains must be augmented versions of shape {list(clean.shape)}, at least one, got {shapes}")
    for name, value, expected in (
        ("labels", labels, [count]), ("blend", blend, [count]), ("logits", logits, [count, len(chains)]),
    ):  # fmt: skip
        if list(value.shape) != expected:
            raise InputError(f"{name} must have the shape {expected}, got {list(value.shape)}")
    if steps < 0 or not (np.isfinite(step_size) and step_size >= 0):
        raise InputError(f"steps and step_size must be 0 or more, got {steps} and {step_size}")
    if budget is not None and budget < 1:
        raise InputError(f"budget must be at least 1, or None for no limit, got {budget}")
