"""Whether a network takes the images of the data, asked before anything is written for it."""

import pytest
import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.models.advice import check_takes
from ipmix.models.classifier import Classifier


def classifier(network: nn.Module) -> Classifier:
    return Classifier(network, name="a", classes=("b", "c"), mean=(0.5,) * 3, std=(0.5,) * 3)


def fitting(side: int, outputs: int = 2) -> nn.Module:
    """Takes images of this side alone."""
    return nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(side**2, outputs))


def test_a_size_it_does_not_take_is_refused_with_one_it_does() -> None:
    with pytest.raises(InputError, match=r"an image of 8x8 with 3 channels.*pass --crop-size 32"):
        check_takes(classifier(fitting(32)), 3, 8, 8, setting="--crop-size")
    with pytest.raises(InputError, match="pass --size 32"):
        check_takes(classifier(fitting(32)), 3, 32, 31)


def test_too_few_numbers_for_the_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"model a gives float32\[1, 5\] for one image; expected logits \[1, 2\]"):
        check_takes(classifier(fitting(8, 5)), 3, 8, 8)


def test_too_little_memory_is_another_matter() -> None:
    class Hungry(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise MemoryError("can't allocate memory")

    with pytest.raises(MemoryError):
        check_takes(classifier(Hungry()), 3, 8, 8)


def test_what_is_asked_stays_as_it_was() -> None:
    model = classifier(fitting(8)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    check_takes(model, 3, 8, 8)
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
