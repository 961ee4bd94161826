"""Tensors as arrays: every dtype, size and layout in memory against the plain way."""

import numpy as np
import pytest
import torch

from ipmix.augmentation import tensors
from ipmix.augmentation.tensors import from_tensor
from ipmix.core.errors import InputError


def plainly(tensor: torch.Tensor) -> np.ndarray:
    numbers = (tensor.float() * 255.0).clamp(0, 255).round()
    return numbers.to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (5, 1, 130, 110), (3, 3, 224, 224), (1, 4, 900, 300), (40, 3, 32, 32)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_numbers_become_the_nearest_bytes(shape: tuple[int, ...], dtype: str) -> None:
    draws = torch.Generator().manual_seed(0)
    numbers = torch.rand(shape, generator=draws).to(getattr(torch, dtype))
    halves = (torch.randint(0, 511, shape, generator=draws) / 510).to(numbers.dtype)
    for tensor in (numbers, halves, numbers * 1.001, numbers - 0.001):
        for laid_out in (tensor, tensor.transpose(-1, -2), tensor.to(memory_format=torch.channels_last)):
            before = laid_out.clone()
            assert np.array_equal(from_tensor(laid_out), plainly(laid_out))
            assert torch.equal(laid_out, before), "the caller's tensor is written to"


def test_another_rounding_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = (torch.randint(0, 511, (3, 3, 64, 64), generator=torch.Generator().manual_seed(0)) / 510).float()
    monkeypatch.setattr(tensors, "ROUNDING", np.float32(1.5 * 2**22))  # to halves
    assert not np.array_equal(from_tensor(numbers), plainly(numbers))


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (3, 3, 224, 224)])
def test_bytes_stay_what_they_are(shape: tuple[int, ...]) -> None:
    values = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(from_tensor(values), values.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (2, 3, 224, 224)])
@pytest.mark.parametrize("value", [1.5, -0.5, float("nan"), float("inf")])
def test_numbers_beyond_are_refused(shape: tuple[int, ...], value: float) -> None:
    tensor = torch.zeros(shape)
    tensor[-1, -1, -1, -1] = value
    with pytest.raises(InputError, match="from 0 to 1"):
        from_tensor(tensor)
