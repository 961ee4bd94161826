from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.models.hashing import weights_hash
from ipmix.models.outputs import Logits, adapted, logits_of, scores_of

TABLE = torch.arange(6.0).reshape(2, 3)


@dataclass
class Answer:
    """As a Hugging Face model answers: an object with ``.logits``."""

    logits: torch.Tensor
    loss: torch.Tensor | None = None


Auxiliary = namedtuple("Auxiliary", ["logits", "aux_logits"])


@pytest.mark.parametrize(
    "output",
    [
        TABLE,
        TABLE[:, :, None, None],
        (TABLE, TABLE + 1),
        [torch.tensor(0.5), TABLE],
        (torch.ones(2, 4, 5, 5), TABLE),
        {"logits": TABLE, "features": torch.ones(2, 9)},
        {"out": TABLE, "aux": TABLE + 1},
        {"anything": TABLE, "loss": torch.tensor(1.0)},
        OrderedDict(scores=TABLE),
        Answer(TABLE),
        Auxiliary(TABLE, TABLE + 1),
    ],
)
def test_logits_are_found(output: object) -> None:
    assert torch.equal(logits_of(output), TABLE)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (None, "gives a NoneType"),
        ({"a": TABLE, "b": TABLE}, r"a dict of \(a: float32\[2, 3\], b: float32\[2, 3\]\)"),
        ((), r"a tuple of \(\)"),
        ([torch.ones(2, 3, 4, 4)], r"float32\[2, 3, 4, 4\]"),
        ({"boxes": [TABLE]}, "boxes: a list of"),
    ],
)
def test_what_is_no_table_of_logits_is_described(output: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        logits_of(output)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(12, 3)

    def forward(self, images: torch.Tensor) -> Answer:
        assert images.dtype == self.layer.weight.dtype
        return Answer(self.layer(images.flatten(1)))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (TABLE.to(torch.complex64), r"complex64\[2, 3\], which holds numbers of the kind complex64"),
        ({"logits": TABLE.to_sparse()}, r"which is sparse"),
        (TABLE.to("meta"), r"which holds no numbers"),
    ],
)
def test_scores_are_real_numbers_in_memory(output: object, message: str) -> None:
    assert torch.equal(scores_of(TABLE.half()), TABLE)
    with pytest.raises(InputError, match=f"the model must give logits .*{message}"):
        scores_of(output)
    with pytest.raises(InputError, match=message):
        Logits(Gives(output))(torch.zeros(2, 3, 8, 8))
    with pytest.raises(InputError, match=message):
        adapted(Gives(output))(torch.zeros(2, 3, 8, 8))


class Gives(nn.Module):
    """A model that always answers the same."""

    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output

    def forward(self, images: torch.Tensor) -> object:
        return self.output


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("wrapping", [Logits, adapted])
def test_images_in_the_model_s_numbers_and_logits_in_float32(dtype: torch.dtype, wrapping: object) -> None:
    images = torch.rand(4, 3, 2, 2)
    plain = Named().to(dtype)
    expected = plain(images.to(dtype)).logits.float()
    found = wrapping(Named().to(dtype))(images)  # type: ignore[operator]
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_a_module_that_is_adapted_keeps_its_names_and_its_hash() -> None:
    before = weights_hash(Named())
    model = adapted(Named())
    assert isinstance(model, Named)
    assert weights_hash(model) == before
    assert weights_hash(Logits(Named())) == before


def test_gradients_pass() -> None:
    images = torch.rand(2, 3, 2, 2, requires_grad=True)
    adapted(Named().to(torch.bfloat16))(images).sum().backward()
    assert images.grad is not None
    assert images.grad.dtype == torch.float32
    assert images.grad.abs().sum() > 0
