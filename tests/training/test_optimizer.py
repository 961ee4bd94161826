import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.training.config import TrainingConfig
from ipmix.training.optimizer import learning_rate, make_optimizer


def test_the_cosine_is_the_authors() -> None:
    config = TrainingConfig(epochs=4, learning_rate=0.1)
    low = 1e-6 / 0.1
    for step in range(40):
        factor = low + (1 - low) * 0.5 * (1 + math.cos(step / 40 * math.pi))
        assert learning_rate(config, step, 10) == pytest.approx(0.1 * factor, rel=1e-12)
    assert learning_rate(config, 0, 10) == 0.1


def test_the_warm_up_climbs_and_the_cosine_follows() -> None:
    config = TrainingConfig(epochs=4, learning_rate=0.1, warmup_epochs=1.5)
    rates = [learning_rate(config, step, 10) for step in range(40)]
    assert rates[:15] == sorted(rates[:15])
    assert 0 < rates[0] < 0.01
    assert rates[15] == 0.1
    assert rates[15:] == sorted(rates[15:], reverse=True)
    assert rates[-1] < 0.001


def test_steps_fall_by_ten_after_each_third() -> None:
    config = TrainingConfig(epochs=9, learning_rate=1.0, schedule="steps")
    assert [round(learning_rate(config, epoch * 5, 5), 6) for epoch in range(9)] == [1.0] * 3 + [0.1] * 3 + [0.01] * 3
    assert learning_rate(replace(config, schedule="constant"), 44, 5) == 1.0


def test_sgd_is_the_formula() -> None:
    """Weight decay into the gradient, momentum, then Nesterov's look ahead (Sutskever et al., 2013)."""
    config = TrainingConfig(learning_rate=0.1, momentum=0.9, weight_decay=0.01)
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    optimizer = make_optimizer(config, layer)
    weight, velocity = 2.0, 0.0
    for gradient in (1.0, -0.5, 0.25):
        layer.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        full = gradient + 0.01 * weight
        velocity = 0.9 * velocity + full
        weight -= 0.1 * (full + 0.9 * velocity)
    assert layer.weight.item() == pytest.approx(weight, rel=1e-6)


def test_adam_and_adamw_are_at_hand() -> None:
    layer = nn.Linear(1, 1)
    assert type(make_optimizer(TrainingConfig(optimizer="adam"), layer)) is torch.optim.Adam
    assert type(make_optimizer(TrainingConfig(optimizer="adamw"), layer)) is torch.optim.AdamW


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is at least 1"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"schedule": "linear"}, "cosine, steps, constant"),
        ({"precision": "int8"}, "float32, bfloat16, float16"),
        ({"epochs": 2, "warmup_epochs": 2.0}, "warmup"),
        ({"average": 1.0}, "between 0 and 1"),
        ({"clip_norm": 0.0}, "above 0"),
        ({"batch_size": 2, "accumulate": 3}, "3 slices"),
    ],
)
def test_settings_are_checked(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingConfig(**options)
