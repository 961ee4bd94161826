"""Grad-CAM: which parts of an image speak for the class that a model names.

Selvaraju et al., ICCV 2017. The paper's Figure 1 (appendix) shows such maps without naming method or layer;
here it is Grad-CAM at the last layer that still has a height and a width.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ipmix.core.errors import InputError


def last_spatial_layer(model: nn.Module, images: torch.Tensor) -> str:
    """The name of the last module called whose output is [B, channels, h, w] with h, w above 1.

    Raises:
        InputError: there is none (a transformer over tokens, or a compiled program).
    """
    found: list[str] = []
    handles = []

    def watch(name: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                found.append(name)

        return note

    for name, module in model.named_modules():
        if name and not list(module.children()):
            handles.append(module.register_forward_hook(watch(name)))
    try:
        with torch.no_grad():
            model(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise InputError("the model has no layer with a height and a width to show Grad-CAM at")
    return found[-1]


def grad_cam(
    model: nn.Module, images: torch.Tensor, *, layer: str, classes: torch.Tensor | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Grad-CAM maps in [0, 1], float32[B, H, W] at the images' size, and the classes they speak for.

    Args:
        model: in evaluation mode; takes float32[B, C, H, W] in [0, 1].
        images: the images.
        layer: a module's name, as :func:`last_spatial_layer` gives it.
        classes: int64[B]; by default what the model predicts.
    """
    kept: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # A copy: what follows may overwrite the output in place (ReLU), and its gradient with it.
        kept.append(output)
        return output.clone()

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = model(images.detach().requires_grad_(True))
            chosen = logits.argmax(dim=1) if classes is None else classes
            total = logits.gather(1, chosen[:, None]).sum()
            (gradient,) = torch.autograd.grad(total, kept[-1])
    finally:
        handle.remove()
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    maps = functional.relu((weights * kept[-1].detach()).sum(dim=1, keepdim=True))
    maps = functional.interpolate(maps, size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    highest = maps.amax(dim=(1, 2), keepdim=True)
    maps = torch.where(highest > 0, maps / highest.clamp_min(1e-12), torch.zeros_like(maps))
    return maps.detach().float().cpu().numpy(), chosen.cpu().numpy()


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image uint8[H, W, C] in grey with its map on top, from blue (little) to yellow (much)."""
    grey = np.repeat(image.astype(np.float32).mean(axis=2, keepdims=True), 3, axis=2) / 255.0
    # Stops of a dark-to-light scale that also reads without color vision.
    stops = np.array([[0.10, 0.12, 0.45], [0.45, 0.10, 0.55], [0.85, 0.28, 0.35], [0.99, 0.88, 0.25]], np.float32)
    position = heat[..., None] * (len(stops) - 1)
    lower = np.clip(position.astype(np.int64), 0, len(stops) - 2)[..., 0]
    share = position - lower[..., None]
    color = stops[lower] * (1 - share) + stops[lower + 1] * share
    strength = 0.25 + 0.4 * heat[..., None]
    mixed = grey * (1 - strength) + color * strength
    return (np.clip(mixed, 0.0, 1.0) * 255.0).round().astype(np.uint8)
