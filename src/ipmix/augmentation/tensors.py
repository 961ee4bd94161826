"""Torch's image tensors as arrays that the engines take, and back. Torch is loaded where a tensor comes in."""

import sys
from typing import TYPE_CHECKING

import numpy as np

from ipmix.core.errors import InputError
from ipmix.core.image_forms import check_channels_first, out_of_range
from ipmix.core.recycling import recycled_array

if TYPE_CHECKING:
    import torch


def from_tensor(tensor: "torch.Tensor") -> np.ndarray:
    """A tensor [..., C, H, W] of bytes, or of numbers in [0, 1], as uint8[N, H, W, C] on the CPU; N may be 1.

    Raises:
        InputError: another shape, one that looks like [H, W, C], another dtype, or numbers beyond [0, 1].
    """
    import torch

    if tensor.ndim < 3 or 0 in tensor.shape[-3:]:
        grey = ": a grey image is tensor[None]" if tensor.ndim == 2 and tensor.numel() else ""
        raise InputError(f"an image tensor is [C, H, W] or [N, C, H, W], got {list(tensor.shape)}{grey}")
    check_channels_first(tensor.shape)
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        kind = "holds no numbers (device meta)" if tensor.device.type == "meta" else f"is {tensor.layout}"
        raise InputError(f"an image tensor is dense, this one {kind}: for a sparse one, tensor.to_dense()")
    images = tensor.detach().reshape(-1, *tensor.shape[-3:])
    if not images.is_floating_point() and images.dtype != torch.uint8:
        raise InputError(
            f"an image tensor holds torch.uint8 or numbers from 0 to 1, got {images.dtype}: for numbers from 0 to 255, "
            "tensor.to(torch.uint8)"
        )
    count, channels, height, width = images.shape
    if images.numel() <= SMALL or images.device.type != "cpu":  # from elsewhere bytes travel, in one transfer
        return np.ascontiguousarray(_bytes_of(images).cpu().numpy().transpose(0, 2, 3, 1))
    pixels = recycled_array((count, height, width, channels), np.uint8)
    step = max(1, PIECE // (channels * height * width))  # pieces stay in the caches
    for begin in range(0, count, step):
        piece = images[begin : begin + step]
        planes = piece.numpy() if piece.dtype == torch.uint8 else _lowest_bytes(_scaled(piece))
        for c in range(channels):  # twice as fast as one transposed copy
            pixels[begin : begin + step, :, :, c] = planes[:, c]
    return pixels


SMALL = 2**13
"""Numbers up to which one transposed copy is quicker."""

PIECE = 2**17
"""Numbers that are turned into bytes at a time."""


def _bytes_of(images: "torch.Tensor") -> "torch.Tensor":
    """Bytes as they are, numbers in [0, 1] as bytes; :class:`InputError` for others."""
    import torch

    if images.dtype == torch.uint8 or images.numel() == 0:
        return images.to(torch.uint8)
    return _scaled(images).round_().to(torch.uint8)


def _scaled(images: "torch.Tensor") -> "torch.Tensor":
    """Numbers in [0, 1] as ones of its own from 0 to 255, float32; :class:`InputError` for others."""
    low, high = (float(bound) for bound in images.aminmax())
    if advice := out_of_range(low, high, 1.0, "tensor.clamp(0, 1)", "tensor.round().to(torch.uint8)"):
        raise InputError(
            f"an image tensor of {images.dtype} holds numbers from 0 to 1, got {low:.6g} to {high:.6g}: {advice}"
        )
    numbers = images.float() * 255.0
    if low < 0.0 or high > 1.0:  # by less than half a level
        numbers = numbers.clamp_(0.0, 255.0)
    return numbers


ROUNDING = np.float32(1.5 * 2**23)
"""Beside it float32 numbers are whole: a number from 0 to 255 is rounded (halves to even) by being added."""

LOWEST = 0 if sys.byteorder == "little" else 3


def _lowest_bytes(numbers: "torch.Tensor") -> np.ndarray:
    """Numbers from 0 to 255, which are written over, rounded to bytes: a view of uint8.

    A conversion from float32 to uint8 takes twice as long, in torch as in NumPy, as adding and taking each number's
    lowest byte.
    """
    values = numbers.contiguous().numpy()
    values += ROUNDING
    return values.view(np.uint8).reshape(*values.shape, 4)[..., LOWEST]


def to_tensor(planes: np.ndarray, like: "torch.Tensor") -> "torch.Tensor":
    """uint8[N, C, H, W] as a tensor like ``like``: shape, dtype, device; numbers are multiples of 1/255."""
    import torch

    tensor = torch.from_numpy(planes).reshape(like.shape).to(like.device)
    if not like.is_floating_point():
        return tensor
    # Divided in float32: the quotient rounded to half precision, not a quotient of rounded numbers.
    if tensor.device.type != "cpu":
        return tensor.float().div_(255.0).to(like.dtype)
    numbers = torch.from_numpy(recycled_array(tensor.shape, np.float32))
    return numbers.copy_(tensor).div_(255.0).to(like.dtype)
