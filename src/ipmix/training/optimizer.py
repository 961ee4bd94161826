"""The settings of training, the optimizer, and the learning rate as a function of the step."""

import math

import torch
from torch import nn

from ipmix.training.config import TrainingConfig


def make_optimizer(config: TrainingConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all weights; weight decay reaches every one of them, as in the authors' code."""
    weights = [p for p in network.parameters() if p.requires_grad]
    rate, decay = config.lr, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            weights,
            lr=rate,
            momentum=config.momentum,
            nesterov=config.nesterov and config.momentum > 0,
            weight_decay=decay,
        )
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(weights, lr=rate, weight_decay=decay)


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of step ``step`` (counted from 0 over the whole training).

    Cosine: f = f_min + (1 - f_min) / 2 * (1 + cos(pi * step / total)), f_min = min_lr / lr
    (authors' code); with a warm-up, over the steps that remain after it.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.lr
    total = config.epochs * steps_per_epoch
    if config.schedule == "steps":
        return config.lr * 0.1 ** (3 * step // total)
    done = (step - warmup) / (total - warmup)
    low = min(config.min_lr, config.lr)
    return low + (config.lr - low) / 2 * (1 + math.cos(math.pi * done))
