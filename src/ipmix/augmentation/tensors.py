"""Torch's image tensors as arrays that the engines take, and back. Torch is loaded where a tensor comes in."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ipmix.core.errors import InputError

if TYPE_CHECKING:
    import torch


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of torch's, which is not loaded to find out."""
    return any(kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(value).__mro__)


def from_tensor(tensor: "torch.Tensor") -> np.ndarray:
    """A tensor [..., C, H, W] of bytes, or of numbers in [0, 1], as uint8[N, H, W, C] on the CPU; N may be 1.

    Raises:
        InputError: another shape, another dtype, or numbers beyond [0, 1].
    """
    import torch

    if tensor.ndim < 3 or 0 in tensor.shape[-3:]:
        raise InputError(f"an image tensor is [C, H, W] or [N, C, H, W], got {list(tensor.shape)}")
    tensor = tensor.detach()
    if tensor.is_floating_point():
        if tensor.numel() and not (float(tensor.min()) >= 0.0 and float(tensor.max()) <= 1.0):  # also NaN
            low, high = float(tensor.min()), float(tensor.max())
            advice = "augment before normalising (Normalize), or give bytes (torch.uint8)"
            if 0.0 <= low and 2.0 < high <= 255.0:
                advice = "divide them by 255, or give bytes (tensor.round().to(torch.uint8))"
            raise InputError(
                f"an image tensor of {tensor.dtype} holds numbers from 0 to 1, got {low:g} to {high:g}: {advice}"
            )
        tensor = (tensor.float() * 255.0).round_().to(torch.uint8)
    elif tensor.dtype != torch.uint8:
        raise InputError(f"an image tensor holds torch.uint8 or numbers from 0 to 1, got {tensor.dtype}")
    planes = tensor.reshape(-1, *tensor.shape[-3:]).cpu().numpy()
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def to_tensor(planes: np.ndarray, like: "torch.Tensor") -> "torch.Tensor":
    """uint8[N, C, H, W] as a tensor like ``like``: shape, dtype, device; numbers are multiples of 1/255."""
    import torch

    tensor = torch.from_numpy(planes).reshape(like.shape).to(like.device)
    # Divided in float32: the quotient rounded to half precision, not a quotient of rounded numbers.
    return tensor.float().div_(255.0).to(like.dtype) if like.is_floating_point() else tensor
