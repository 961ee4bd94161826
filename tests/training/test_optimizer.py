import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.training.config import TrainingConfig
from ipmix.training.optimizer import learning_rate, make_optimizer


def test_the_cosine_is_the_authors() -> None:
    config = TrainingConfig(epochs=4, lr=0.1)
    low = 1e-6 / 0.1
    for step in range(40):
        factor = low + (1 - low) * 0.5 * (1 + math.cos(step / 40 * math.pi))
        assert learning_rate(config, step, 10) == pytest.approx(0.1 * factor, rel=1e-12)
    assert learning_rate(config, 0, 10) == 0.1


def test_the_warm_up_climbs_and_the_cosine_follows() -> None:
    config = TrainingConfig(epochs=4, lr=0.1, warmup_epochs=1.5)
    rates = [learning_rate(config, step, 10) for step in range(40)]
    assert rates[:15] == sorted(rates[:15])
    assert 0 < rates[0] < 0.01
    assert rates[15] == 0.1
    assert rates[15:] == sorted(rates[15:], reverse=True)
    assert rates[-1] < 0.001


def test_steps_fall_by_ten_after_each_third() -> None:
    config = TrainingConfig(epochs=9, lr=1.0, schedule="steps")
    assert [round(learning_rate(config, epoch * 5, 5), 6) for epoch in range(9)] == [1.0] * 3 + [0.1] * 3 + [0.01] * 3
    assert learning_rate(replace(config, schedule="constant"), 44, 5) == 1.0


def test_sgd_is_the_formula() -> None:
    """Weight decay into the gradient, momentum, then Nesterov's look ahead (Sutskever et al., 2013)."""
    config = TrainingConfig(lr=0.1, momentum=0.9, weight_decay=0.01)
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
        ({"lr": float("nan")}, "finite"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"schedule": "linear"}, "cosine, steps, constant"),
        ({"precision": "int8"}, "float32, bfloat16, float16"),
        ({"epochs": 2, "warmup_epochs": 2.0}, "warmup"),
        ({"ema_decay": 1.0}, "between 0 and 1"),
        ({"clip_norm": 0.0}, "above 0"),
        ({"clip_norm": math.inf}, "clip_norm is a finite number above 0"),
        ({"batch_size": 2, "accumulate": 3}, "3 slices"),
        ({"batch_size": 0}, "batch_size is at least 1, got 0"),
        ({"accumulate": 0}, "accumulate is at least 1, got 0"),
        ({"epochs": 1.5}, "epochs is a whole number, got 1.5"),
        ({"log_steps": True}, "log_steps is a whole number, got True"),
        ({"pad": -1}, "pad is at least 0, got -1"),
        ({"pad": 1025}, "pad is at most 1024, got 1025"),
        ({"crop_size": 0}, "crop_size is at least 1, got 0"),
        ({"crop_size": 10**6}, "crop_size is at most 16384"),
        ({"seed": 2**63}, "seed is at most 9223372036854775807"),
        ({"seed": -(2**63) - 1}, "seed is at least -9223372036854775808"),
        ({"label_smoothing": 1.0}, "label_smoothing is a share from 0 up to but not including 1, got 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing is a share"),
        ({"label_smoothing": math.nan}, "label_smoothing is a share"),
        ({"dropout": 1.0}, "dropout is a share"),
        ({"dropout": math.nan}, "dropout is a share"),
        ({"jsd_coefficient": math.inf}, "jsd_coefficient is a finite number"),
        ({"jsd_coefficient": -1.0}, "jsd_coefficient is a finite number"),
        ({"warmup_epochs": math.nan}, "warmup_epochs is a finite number"),
        ({"ema_decay": math.nan}, "between 0 and 1"),
    ],
)
def test_settings_are_checked(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingConfig(**options)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for seed in (-(2**63), 2**63 - 1):
        config = TrainingConfig(seed=seed, label_smoothing=0.0, dropout=0.0, pad=1024, jsd_coefficient=0.0)
        torch.manual_seed(config.seed)
