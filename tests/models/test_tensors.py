"""Tensors of strangers' files with which nothing can be computed: refused wherever weights are read, by their key."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.models.checkpoints import read_weights
from ipmix.models.loading import open_model
from ipmix.models.tensors import check_tensors, fault_of, is_finite
from ipmix.training.checkpoint import read_state

ODD: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "meta": (lambda: torch.zeros(3, 640, device="meta"), r'holds no numbers \(it is on the device "meta"\)'),
    "sparse": (lambda: torch.zeros(3, 640).to_sparse(), r"is sparse \(sparse_coo\)"),
    "compressed": (lambda: torch.eye(3).to_sparse_csr(), r"is sparse \(sparse_csr\)"),
    "nested": (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "is nested"),
    "quantized": (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), r"is quantized \(qint8\)"),
    "complex": (lambda: torch.zeros(3, dtype=torch.complex64), "holds numbers of the kind complex64"),
    "repeated": (lambda: torch.zeros(1).expand(10**6, 10**6), r"claims 4,000,000,000,000 bytes \[1000000, 1000000\]"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("wrapped", ["", "state_dict", "model_ema"])
@pytest.mark.filterwarnings("ignore")  # PyTorch's sparse, nested and quantized tensors are in beta
def test_of_a_checkpoint(tmp_path: Path, kind: str, wrapped: str) -> None:
    make, told = ODD[kind]
    state = {**models.build("wrn-10-1", 3).network.state_dict(), "head.weight": make()}
    torch.save({wrapped: state} if wrapped else state, tmp_path / "odd.pt")
    given = f"{tmp_path / 'odd.pt'}{'@ema' if wrapped == 'model_ema' else ''}"
    with pytest.raises(InputError, match=rf"odd\.pt: the tensor head\.weight {told}"):
        models.build("wrn-10-1", 3, weights=given)
    with pytest.raises(InputError, match=rf"odd\.pt: the tensor head\.weight {told}"):
        open_model(f"wrn-10-1:{given}", classes=3)
    with pytest.raises(InputError, match=told):
        read_weights(given, trust=True)


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.filterwarnings("ignore")  # PyTorch's sparse, nested and quantized tensors are in beta
def test_of_a_saved_state(tmp_path: Path, kind: str) -> None:
    make, told = ODD[kind]
    torch.save({"format": 2, "optimizer": {"state": [{"step": make()}]}}, tmp_path / "state.pt")
    with pytest.raises(InputError, match=rf"state\.pt: the tensor optimizer\.state\.0\.step {told}"):
        read_state(tmp_path / "state.pt")
    torch.save({"format": make()}, tmp_path / "state.pt")
    with pytest.raises(InputError, match=r"state\.pt has format a Tensor, expected 2"):
        read_state(tmp_path / "state.pt")


def test_of_a_safetensors_file(tmp_path: Path) -> None:
    """It knows one of these kinds."""
    network = models.build("wrn-10-1", 3)
    models.save(tmp_path / "a.safetensors", network)
    state: dict[str, Any] = dict(network.state_dict())
    state["network.head.weight"] = state["network.head.weight"].to(torch.complex64)
    about = {"format": 1, "name": "wrn-10-1", "classes": ["a", "b", "c"], "facts": {}}
    save_file(state, tmp_path / "a.safetensors", {"ipmix": json.dumps(about)})
    with pytest.raises(InputError, match=r"a\.safetensors: the tensor network\.head\.weight holds numbers of the kind"):
        models.load(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="kind complex64"):
        models.build("wrn-10-1", 3, weights=tmp_path / "a.safetensors")


def test_of_a_network_that_was_never_filled(tmp_path: Path) -> None:
    with torch.device("meta"):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    with pytest.raises(InputError, match=r"model Sequential: the tensor 1\.weight holds no numbers"):
        models.wrap(network)
    torch.save(network, tmp_path / "empty.pth")
    with pytest.raises(InputError, match=r"the tensor 1\.weight holds no numbers"):
        open_model(str(tmp_path / "empty.pth"), classes=2, trust=True)


def test_what_weights_are_made_of_is_taken(tmp_path: Path) -> None:
    content: dict[str, Any] = {name: torch.ones(4, dtype=getattr(torch, name)) for name in ("bool", "int64", "float16")}
    content["scaled"] = torch.ones(4).to(torch.float8_e4m3fn)
    content["repeated"] = torch.arange(4).expand(3, 4)  # positions, in many transformers
    content["turned"] = torch.ones(3, 4).T
    content["itself"] = content
    torch.save(content, tmp_path / "a.pt")
    check_tensors(tmp_path / "a.pt", torch.load(tmp_path / "a.pt", weights_only=True))
    assert not fault_of(torch.nn.Parameter(torch.ones(3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_finite_numbers_are_told_of_every_kind(dtype: torch.dtype) -> None:
    assert is_finite(torch.ones(3).to(dtype))
    assert not is_finite(torch.tensor([1.0, torch.nan]).to(dtype))
