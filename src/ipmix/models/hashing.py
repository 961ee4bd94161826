"""A hash of all that a model holds: two models with the same one give the same answers."""

import hashlib
from typing import Any

import torch
from torch import nn

from ipmix.models.outputs import Logits


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of a model's parameters and buffers, and of its file where those can't be seen (ONNX, exported).

    Quantised modules keep numbers, types and packed weights among their tensors: these count too.
    """
    while isinstance(model, Logits):
        model = model.model
    digest = hashlib.sha256(str(getattr(model, "sha256", "")).encode())
    for key, value in sorted(model.state_dict().items()):
        _add(digest, key, value)
    return digest.hexdigest()


def _add(digest: Any, key: str, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        _add_tensor(digest, value.detach().cpu())
    elif isinstance(value, dict):
        for name, inner in sorted(value.items(), key=lambda item: str(item[0])):
            _add(digest, f"{key}.{name}", inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            _add(digest, f"{key}.{place}", inner)
    elif isinstance(value, bytes):
        digest.update(f"{key} {len(value)}".encode() + value)
    elif hasattr(value, "__getstate__") and isinstance(value, torch.ScriptObject):
        _add(digest, key, value.__getstate__())  # packed weights
    elif value is None or isinstance(value, str | int | float | complex | torch.dtype):
        digest.update(f"{key} {value!r}".encode())
    else:  # its repr may hold an address, which is another in every process
        digest.update(f"{key} {type(value).__qualname__}".encode())
        _add(digest, key, getattr(value, "__dict__", None))


def _add_tensor(digest: Any, value: torch.Tensor) -> None:
    if value.is_quantized:
        if value.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            digest.update(f"{value.q_scale()!r} {value.q_zero_point()!r}".encode())
        else:
            _add_tensor(digest, value.q_per_channel_scales())
            _add_tensor(digest, value.q_per_channel_zero_points())
        value = value.int_repr()
    elif value.layout != torch.strided:
        value = value.to_dense()
    digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy())
