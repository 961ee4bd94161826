"""PGD (Madry et al., ICLR 2018) as the paper uses it.

Appendix C: 20 steps, L-infinity budget 2/255; the step of 0.5/255 is from the authors' code.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ipmix.core.bounds import ATTACK_STEPS_MOST
from ipmix.core.checking import check_choice, check_indices, check_int64, shown
from ipmix.core.errors import InputError
from ipmix.core.frozen import frozen
from ipmix.core.ranges import Range, check_range, numbers

_SALT = 0x50474400  # keeps these draws apart from every other use of the same seed


def pgd(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epsilon: float,
    steps: int,
    step_size: float,
    centre: Literal["clean", "noisy"] = "clean",
    seed: int,
    norm: Literal["linf", "l2"] = "linf",
    restarts: int = 1,
    indices: Sequence[int] | np.ndarray | None = None,
) -> torch.Tensor:
    """Images within ``epsilon`` of the given ones that raise the model's loss: untargeted PGD.

    Starts at a random point of the ball, follows the gradient of the cross entropy for ``steps`` steps, and
    after each goes back to the nearest point of the ball and of [0, 1]. The model runs in evaluation mode
    without gradients for its parameters, and is left as it was found.

    Args:
        model: takes float[B, C, H, W] in [0, 1] (normalisation inside), gives logits float[B, K].
        images: float32[B, C, H, W] in [0, 1], on the model's device.
        labels: int64[B] in 0 .. K-1.
        epsilon: the ball's radius in units of the pixel range [0, 1], 0 or more; 2/255 in the paper. For
            ``norm="l2"`` it is the length of the whole image's change.
        steps: gradient steps, at least 0; 20 in the paper.
        step_size: the length of a step in the same units; 0.5/255 in the authors' code.
        centre: ``"clean"`` keeps the ball around the given image. ``"noisy"`` keeps it around the random
            starting point, as the authors' code does (an in-place addition moves its reference), so that
            changes reach twice ``epsilon``: only to compare with published figures.
        seed: with an image's index it names the image's random start, whatever batch it is in.
        norm: ``"linf"`` (largest change of a value, sign steps) or ``"l2"``.
        restarts: how many starts are tried; an image keeps the first that fools the model, or else the one
            with the largest loss.
        indices: each image's position in its set, int[B]; 0 .. B-1 by default.

    Returns:
        float32[B, C, H, W] in [0, 1], detached. The error under attack is the share of images whose given or whose
        returned image is answered wrongly: the given one lies in the ball too.

    Raises:
        InputError: a value, shape or range is not as above.
    """
    _check(images, labels, epsilon, steps, step_size, restarts)
    if not isinstance(model, nn.Module):
        raise InputError(f"model must be a torch.nn.Module, got {shown(model)}")
    check_int64("seed", seed)
    check_choice("centre", centre, ("clean", "noisy"))
    check_choice("norm", norm, ("linf", "l2"))
    places = np.arange(len(images)) if indices is None else check_indices(indices)
    if places.shape != (len(images),):
        raise InputError(f"indices must be {len(images)} integers, got shape {list(places.shape)}")
    clean = images.detach()
    best, best_loss = clean, torch.full((len(images),), -torch.inf, device=images.device)
    with frozen(model):
        for restart in range(restarts):
            start = clean + _noise(clean, places, epsilon, norm, seed, restart)
            middle = start if centre == "noisy" else clean
            found = _climb(model, start, middle, labels, epsilon, steps, step_size, norm)
            if restarts == 1:
                return found
            loss = _success_first(model, found, labels)
            better = loss > best_loss
            best = torch.where(better[:, None, None, None], found, best)
            best_loss = torch.where(better, loss, best_loss)
    return best


def _climb(
    model: nn.Module,
    start: torch.Tensor,
    middle: torch.Tensor,
    labels: torch.Tensor,
    epsilon: float,
    steps: int,
    step_size: float,
    norm: str,
) -> torch.Tensor:
    current = start
    for _ in range(steps):
        current = current.detach().requires_grad_(True)
        # The sum, not the mean: an image's gradient then doesn't depend on its batch.
        loss = functional.cross_entropy(model(current), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, current)
        with torch.no_grad():
            if norm == "linf":
                moved = current + step_size * gradient.sign()
                change = (moved - middle).clamp_(-epsilon, epsilon)
            else:
                moved = current + step_size * gradient / _length(gradient).clamp_min(1e-12)
                change = moved - middle
                change *= (epsilon / _length(change).clamp_min(1e-12)).clamp_max(1.0)
            current = (middle + change).clamp_(0.0, 1.0)
    return current.detach().clamp(0.0, 1.0)


def _length(change: torch.Tensor) -> torch.Tensor:
    return change.flatten(1).norm(dim=1)[:, None, None, None]


def _noise(
    images: torch.Tensor, places: np.ndarray, epsilon: float, norm: str, seed: int, restart: int
) -> torch.Tensor:
    """A uniformly random point of the ball for each image, from the key (seed, index, restart) alone."""
    shape = tuple(images.shape[1:])
    noise = np.empty(images.shape, np.float32)
    for row, place in enumerate(places.tolist()):
        key = np.random.SeedSequence([seed % 2**64, place % 2**64, restart, _SALT])
        generator = np.random.Generator(np.random.Philox(key))
        if norm == "linf":
            noise[row] = generator.uniform(-epsilon, epsilon, shape)
        else:
            direction = generator.standard_normal(shape)
            radius = epsilon * generator.uniform() ** (1.0 / direction.size)
            noise[row] = direction * (radius / np.linalg.norm(direction))
    return torch.from_numpy(noise).to(images.device)


def _success_first(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The loss of each image, or infinity where the model is fooled: what restarts compete by."""
    with torch.no_grad():
        logits = model(images)
        loss: torch.Tensor = functional.cross_entropy(logits, labels, reduction="none")
        return loss.masked_fill(logits.argmax(dim=1) != labels, torch.inf)


def _check(
    images: torch.Tensor, labels: torch.Tensor, epsilon: float, steps: int, step_size: float, restarts: int
) -> None:
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or not images.is_floating_point():
        got = f"{images.dtype}{list(images.shape)}" if isinstance(images, torch.Tensor) else type(images)
        raise InputError(f"images must be a float tensor [B, C, H, W] in [0, 1], got {got}")
    if not len(images):
        raise InputError("there are no images to attack: the batch is empty")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0.0 and high <= 1.0):  # written so that NaN fails as well
        raise InputError(
            f"images must lie in [0, 1], got {low:.4g}..{high:.4g}; divide by 255, and leave the "
            "normalisation to the model"
        )
    if not isinstance(labels, torch.Tensor) or labels.shape != images.shape[:1] or labels.is_floating_point():
        raise InputError(f"labels must be {len(images)} integers in a tensor")
    for name, number in (("epsilon", epsilon), ("step_size", step_size)):
        check_range(name, number, numbers())
    check_range("steps", steps, Range(0, ATTACK_STEPS_MOST))
    check_range("restarts", restarts, Range(1, ATTACK_STEPS_MOST))
