import hashlib
import warnings

import pytest
import torch
from torch import nn

from ipmix.models.hashing import weights_hash


def quantised(change: float = 0.0) -> nn.Module:
    from torch.ao.quantization import quantize_dynamic

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    with torch.no_grad():
        model[1].bias += change  # type: ignore[union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


def statically_quantised(scale: float = 1.0) -> nn.Module:
    from torch.ao import quantization

    torch.manual_seed(0)
    model = nn.Sequential(quantization.QuantStub(), nn.Conv2d(3, 4, 3), nn.ReLU(), quantization.DeQuantStub()).eval()
    with torch.no_grad():
        model[1].weight[0] *= scale  # type: ignore[union-attr, operator, index]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.qconfig = quantization.get_default_qconfig("fbgemm")  # type: ignore[assignment]
        prepared = quantization.prepare(model)
        prepared(torch.linspace(0, 1, 96).reshape(2, 3, 4, 4))
        return quantization.convert(prepared)


def test_the_hash_of_an_ordinary_model_is_that_of_its_tensors() -> None:
    """As before quantised ones were known: runs that were begun go on."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    digest = hashlib.sha256(b"")
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    assert weights_hash(model) == digest.hexdigest()


@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="needs fbgemm")
def test_quantised_modules_count_with_all_they_hold() -> None:
    assert weights_hash(quantised()) == weights_hash(quantised())
    assert weights_hash(quantised()) != weights_hash(quantised(0.5))
    assert weights_hash(statically_quantised()) == weights_hash(statically_quantised())
    # The first output channel's scale alone differs: its whole numbers are the same.
    assert weights_hash(statically_quantised()) != weights_hash(statically_quantised(2.0))


def test_other_entries_of_a_state() -> None:
    class Holding(nn.Module):
        def __init__(self, value: object) -> None:
            super().__init__()
            self.value = value

        def get_extra_state(self) -> object:
            return self.value

    values = [None, 1, 2, 1.5, "a", "b", b"a", [1, 2], {"a": 1}, {"a": 2}, {"b": 1}, torch.int8, object()]
    found = [weights_hash(Holding(value)) for value in values]
    assert len(set(found)) == len(values)
    assert found == [weights_hash(Holding(value)) for value in values]
    assert weights_hash(Holding(object())) == weights_hash(Holding(object())), "no address in it"
    bf16 = nn.Linear(2, 2).to(torch.bfloat16)
    assert weights_hash(bf16) != weights_hash(nn.Linear(2, 2))
    sparse = nn.Module()
    sparse.register_buffer("a", torch.eye(3).to_sparse())
    assert len(weights_hash(sparse)) == 64
