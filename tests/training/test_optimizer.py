import math
from dataclasses import replace

import numpy as np
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


def test_the_triangle_is_two_straight_lines() -> None:
    config = TrainingConfig(epochs=4, lr=0.5, min_lr=0.1, schedule="triangle", triangle_climb=0.2)
    for step in range(40):
        share = step / 8 if step < 8 else (40 - step) / 32
        assert learning_rate(config, step, 10) == pytest.approx(0.1 + 0.4 * share, rel=1e-12)
    assert learning_rate(config, 0, 10) == 0.1
    assert learning_rate(config, 8, 10) == 0.5
    rates = [learning_rate(replace(config, triangle_climb=None), step, 10) for step in range(40)]
    assert max(rates) == rates[10] == 0.5
    low = replace(config, lr=0.05)
    assert {learning_rate(low, step, 10) for step in range(40)} == {0.05}, "min_lr is never above lr"


def test_norm_biases_learn_at_a_rate_of_their_own_with_the_same_pull() -> None:
    """Each step w <- w - f r (g + d / f w) = w - r (f g + d w)."""
    config = TrainingConfig(lr=0.1, momentum=0.0, weight_decay=0.01, norm_bias_factor=64.0)
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Linear(1, 1))
    for weight in network.parameters():
        nn.init.constant_(weight, 2.0)
        weight.grad = torch.ones_like(weight)
    optimizer = make_optimizer(config, network)
    assert [len(group["params"]) for group in optimizer.param_groups] == [5, 1]
    assert [group.get("lr_factor", 1.0) for group in optimizer.param_groups] == [1.0, 64.0]
    optimizer.step()
    for name, weight in network.named_parameters():
        factor = 64.0 if name == "1.bias" else 1.0
        assert weight.item() == pytest.approx(2.0 - 0.1 * (factor * 1.0 + 0.01 * 2.0), rel=1e-5)


def test_without_a_factor_or_without_norms_there_is_one_group() -> None:
    norm, layer = nn.BatchNorm1d(2), nn.Linear(1, 1)
    assert len(make_optimizer(TrainingConfig(), norm).param_groups) == 1
    assert len(make_optimizer(TrainingConfig(norm_bias_factor=2.0), layer).param_groups) == 1


def test_a_preset_begins_and_single_settings_replace_it() -> None:
    assert "fast-cifar" in TrainingConfig.presets()
    config = TrainingConfig.preset("fast-cifar")
    assert (config.model, config.schedule, config.epochs) == ("fast-cifar", "triangle", 10)
    assert TrainingConfig.preset("fast-cifar", epochs=3, lr=0.2) == replace(config, epochs=3, lr=0.2)
    with pytest.raises(InputError, match="no training preset 'faster'; there is fast-cifar"):
        TrainingConfig.preset("faster")
    with pytest.raises(InputError, match="epochs is at least 1"):
        TrainingConfig.preset("fast-cifar", epochs=0)


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
        ({"crop_size": 0}, "crop_size is at least 8, got 0"),
        ({"crop_size": 10**6}, "crop_size is at most 16384"),
        ({"seed": 2**63}, "seed is at most 9223372036854775807"),
        ({"seed": -1}, "seed is at least 0, got -1"),
        ({"seed": np.zeros(2)}, "seed is a whole number, got array"),
        ({"lr": "x"}, "lr is a number, got 'x'"),
        ({"lr": 10**400}, "lr is a finite number of at least 0"),
        ({"momentum": 1e20}, "momentum is a number of at least 0 and at most 1, got 1e"),
        ({"batch_size": 10**12}, "batch_size is at most 16777216, got 1000000000000"),
        ({"epochs": 10**12}, "epochs is at most 1048576"),
        ({"label_smoothing": 1.0}, "label_smoothing is a share from 0 up to but not including 1, got 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing is a share"),
        ({"label_smoothing": math.nan}, "label_smoothing is a share"),
        ({"dropout": 1.0}, "dropout is a share"),
        ({"dropout": math.nan}, "dropout is a share"),
        ({"jsd_coefficient": math.inf}, "jsd_coefficient is a finite number"),
        ({"jsd_coefficient": -1.0}, "jsd_coefficient is a finite number"),
        ({"warmup_epochs": math.nan}, "warmup_epochs is a finite number"),
        ({"ema_decay": math.nan}, "between 0 and 1"),
        ({"schedule": "triangle", "warmup_epochs": 1.0}, "climbs by itself, got warmup_epochs 1.0"),
        ({"schedule": "triangle", "triangle_climb": 0.0}, "triangle_climb is between 0 and 1"),
        ({"schedule": "triangle", "triangle_climb": 1.0}, "triangle_climb is between 0 and 1"),
        ({"schedule": "triangle", "triangle_climb": math.nan}, "triangle_climb is between 0 and 1"),
        ({"norm_bias_factor": 0.0}, "norm_bias_factor is a number above 0 and at most 1e"),
        ({"norm_bias_factor": math.inf}, "norm_bias_factor is a number above 0 and at most 1e"),
        ({"norm_bias_factor": 1e20}, "norm_bias_factor is a number above 0 and at most 1e"),
    ],
)
def test_settings_are_checked(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingConfig(**options)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for seed in (0, 2**63 - 1):
        config = TrainingConfig(seed=seed, label_smoothing=0.0, dropout=0.0, pad=1024, jsd_coefficient=0.0)
        torch.manual_seed(config.seed)
