"""What was given where an image is expected, and how to make an image of it: the one place for such advice.

Nothing is loaded to find out: Pillow's images and torch's tensors are known by the names of their classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ipmix.core.errors import InputError

CHANNELS = (1, 3, 4)
"""How many channels images have mostly: an axis of one of these lengths beside two long ones is that of channels."""

LONG = 9
"""From which length on an axis is not taken for one of channels: of eight there may be some."""


def is_pillow(value: Any) -> bool:
    """Whether this is an image of Pillow's."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(value).__mro__)


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of torch's."""
    return any(kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(value).__mro__)


def looks_channels_first(shape: Sequence[int]) -> bool:
    """Whether the last three axes of a shape are (C, H, W) by their lengths, and can't well be (H, W, C)."""
    first, middle, last = shape[-3:]
    return first in CHANNELS and middle >= LONG and last >= LONG


def looks_channels_last(shape: Sequence[int]) -> bool:
    """Whether the last three axes of a shape are (H, W, C) by their lengths, and can't well be (C, H, W)."""
    first, middle, last = shape[-3:]
    return last in CHANNELS and first >= LONG and middle >= LONG


def check_channels_last(shape: Sequence[int], name: str, where: str = "") -> None:
    """Raise :class:`InputError` where an array uint8[..., H, W, C] was given as [..., C, H, W].

    Without a mixing set nothing else would show it: rows would be taken for columns, and columns for channels.
    The error begins with ``where`` they were met, if given, and calls them by ``name``.
    """
    if not looks_channels_first(shape):
        return
    many = len(shape) > 3
    axes, order = ("[N, H, W, C]", "0, 2, 3, 1") if many else ("[H, W, C]", "1, 2, 0")
    beginning = f"{where}: " if where else ""
    raise InputError(
        f"{beginning}{name} must be uint8{axes}, channels last, got {list(shape)}, which looks like channels first: "
        f"{name}.transpose({order})"
    )


def check_channels_first(shape: Sequence[int]) -> None:
    """Raise :class:`InputError` where an image tensor [..., C, H, W] was given as [..., H, W, C]."""
    if not looks_channels_last(shape):
        return
    leading = len(shape) - 3
    order = ", ".join(map(str, [*range(leading), leading + 2, leading, leading + 1]))
    axes = "[N, C, H, W]" if leading else "[C, H, W]"
    raise InputError(
        f"an image tensor is {axes}, channels first, got {list(shape)}, which looks like channels last: "
        f"tensor.permute({order})"
    )


HALF_A_LEVEL = 0.5 / 255
"""How far beyond [0, 1] a number may lie and still be taken for its end: a blur or a resize rounds to just above 1."""


def out_of_range(low: float, high: float, top: float, clamp: str, to_bytes: str) -> str:
    """What to do with numbers from ``low`` to ``high`` where 0 to ``top`` is expected; "" where they are well.

    ``clamp`` and ``to_bytes`` are what to call for it.
    """
    slack = HALF_A_LEVEL * top
    if -slack <= low and high <= top + slack:  # not so for NaN
        return ""
    if top == 1.0 and low >= 0.0 and 2.0 < high <= 255.0:
        return f"divide them by 255, or give bytes ({to_bytes})"
    if -0.5 * top <= low and high <= 1.5 * top:
        return f"a resize or a blur before it goes beyond the ends: {clamp} behind that, or augment before it"
    return "augment before normalising (Normalize), or give bytes (uint8)"


def advice(value: Any, name: str, *, batch: bool) -> str:
    """What to do with ``value``, called ``name``, to have uint8[H, W, C] of it, or uint8[N, H, W, C] for a ``batch``.

    A part of a sentence that stands behind a colon; "" where nothing can be said.
    """
    if is_pillow(value):
        how = "numpy.asarray(image)" if value.mode == "RGB" else f"numpy.asarray({pillow_advice(value.mode)})"
        return f"of a Pillow image of mode {value.mode}, {how}{'[None]' if batch else ''}"
    if is_tensor(value):
        return _tensor_advice(value.ndim, batch)
    if isinstance(value, bytes | bytearray):
        return "these are the bytes of a file: decode them, PIL.Image.open(io.BytesIO(data)).convert('RGB')"
    if isinstance(value, list | tuple) and batch and len(value) and isinstance(value[0], np.ndarray):
        return f"of a list of arrays of one size, numpy.stack({name})"
    if not isinstance(value, np.ndarray):
        return ""
    if value.dtype != np.uint8:
        return _bytes_advice(value, name)
    if 0 in value.shape[-3:]:
        return "it is no image"
    if batch:
        one = "give one image as image[None]"
        if value.ndim == 3 and value.shape[-1] not in CHANNELS:
            one = f"a batch of grey images is {name}[..., None], one image image[None]"
        return {2: "a grey image is image[None, :, :, None]", 3: one}.get(value.ndim, "")
    return {
        2: "a grey image is image[:, :, None]",
        4: "for a batch, ipmix.augment(images, method, mixing, seed=...)",
    }.get(value.ndim, "it is no image")


def pillow_advice(mode: str) -> str:
    """What makes an image of three channels of a Pillow image of any mode."""
    if mode.startswith(("I", "F")):
        # Pillow's own conversion of deeper modes cuts all above 255: an image of 16 bits would come out white.
        return "PIL.Image.fromarray((numpy.asarray(image) / 257).astype(numpy.uint8)).convert('RGB')"
    return "image.convert('RGB')"


def _tensor_advice(axes: int, batch: bool) -> str:
    """Of a tensor: where an array is expected, or where it has other axes than a tensor of one image has."""
    if batch:
        return "of a tensor [N, C, H, W] of bytes, tensor.permute(0, 2, 3, 1).numpy()" if axes == 4 else ""
    return {
        2: "a grey image is tensor[None]",
        3: "of a tensor [C, H, W] of bytes, tensor.permute(1, 2, 0).numpy()",
        4: "for a batch, ipmix.augment(tensor, method, mixing, seed=...)",
    }.get(axes, "it is no image")


def _bytes_advice(array: np.ndarray, name: str) -> str:
    """How to make bytes of numbers of another dtype."""
    if np.issubdtype(array.dtype, np.floating):
        bad = " with NaN or infinite values" if not np.isfinite(array).all() else ""
        if not bad and array.size and 2.0 < array.max() <= 255.0 and array.min() >= 0.0:
            return f"numbers up to {array.max():g}; for images in 0..255, {name}.round().astype(numpy.uint8)"
        return f"numbers{bad}; for images in [0, 1], (255 * {name}).round().astype(numpy.uint8)"
    if array.dtype == np.uint16:
        return f"for 16-bit images, ({name} >> 8).astype(numpy.uint8)"
    if array.dtype == bool:
        return f"for a mask, (255 * {name}).astype(numpy.uint8)"
    if np.issubdtype(array.dtype, np.integer):
        return f"convert numbers from 0 to 255 with {name}.astype(numpy.uint8)"
    return "convert 16-bit or float samples to uint8 first"


def channels_advice(channels: int) -> str:
    """What to do with images of this many channels where those of color are meant."""
    if channels in (2, 4):
        return "image.convert('RGB') of an image with transparency (LA, RGBA) or of CMYK, or "
    return ""
