"""What a tensor out of a file must be before anything is computed with it: numbers of its own, in plain memory.

Files of weights hold no code, but what tensors they like: of the device "meta" (without numbers), sparse, nested,
quantized, complex, or of terabytes by repeating one number. PyTorch opens them all.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ipmix.core.errors import InputError, plain

DTYPES = frozenset(
    getattr(torch, name)
    for name in (
        *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
        *("float16", "bfloat16", "float32", "float64"),
        *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
    )
    if hasattr(torch, name)
)
"""Kinds of numbers that weights are made of; all of them can be read as float32."""


def check_tensors(path: str | Path, content: Any) -> None:
    """Look at each tensor in what a file held, however deep in dicts and lists.

    Raises:
        InputError: one of them has no numbers of its own in plain memory; it is named by its key.
    """
    size = Path(path).stat().st_size
    for key, value in _tensors(content):
        fault = fault_of(value, size)
        if fault:
            raise InputError(
                f"{path}: the tensor {plain(key, most=80) or 'in it'} {fault}; expected dense numbers in memory: save "
                "the network's state_dict from the CPU"
            )


def fault_of(value: torch.Tensor, size: int | None = None) -> str:
    """Why a tensor can't be computed with as it is, in words; empty where it can.

    ``size``: of its file in bytes, which what it claims to hold may not exceed.
    """
    if value.is_meta:
        return 'holds no numbers (it is on the device "meta")'
    if value.is_nested:
        return "is nested"
    if value.layout != torch.strided:
        return f"is sparse ({str(value.layout).removeprefix('torch.')})"
    if value.is_quantized:
        return f"is quantized ({str(value.dtype).removeprefix('torch.')})"
    if value.dtype not in DTYPES:
        return f"holds numbers of the kind {str(value.dtype).removeprefix('torch.')}"
    claimed = value.numel() * value.dtype.itemsize
    if size is not None and claimed > max(size, value.untyped_storage().nbytes()):
        return f"claims {claimed:,} bytes {list(value.shape)}, more than the file's {size:,}"
    return ""


def is_finite(value: torch.Tensor) -> bool:
    """Whether none of a tensor's numbers is NaN or infinite."""
    if not value.is_floating_point():
        return True
    numbers = value if value.dtype.itemsize > 1 else value.float()  # little is computed with floats of 8 bits
    return bool(torch.isfinite(numbers).all())


def check_module(name: str, module: nn.Module) -> None:
    """Raise InputError where a network's weights hold no numbers: made on the device "meta", and never filled."""
    for key, value in (*module.named_parameters(), *module.named_buffers()):
        if value.is_meta:
            raise InputError(
                f"model {plain(name, most=60)}: the tensor {plain(key, most=80)} holds no numbers (it is on the device "
                '"meta"); load its weights first'
            )


def _tensors(content: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in nested dicts and lists, with their dotted keys."""
    waiting: list[tuple[str, Any]] = [("", content)]
    seen: set[int] = set()  # a pickle can hold itself
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield key, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            inner = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting += [(f"{key}.{name}" if key else str(name), each) for name, each in inner]
