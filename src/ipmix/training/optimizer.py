"""The settings of training, the optimizer, and the learning rate as a function of the step."""

import math
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ipmix.training.config import TrainingConfig


def make_optimizer(config: TrainingConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all weights; weight decay reaches every one of them, as in the authors' code.

    With ``norm_bias_factor``, BatchNorms' biases are a group of their own, whose ``lr_factor`` it is; their weight
    decay is divided by it, so that each step pulls them as it pulls the others.
    """
    weights: Any = [p for p in network.parameters() if p.requires_grad]
    rate, decay, factor = config.lr, config.weight_decay, config.norm_bias_factor
    if factor is not None:
        biases = [m.bias for m in network.modules() if isinstance(m, _BatchNorm) and m.bias is not None]
        known = {id(bias) for bias in biases}
        weights = [{"params": [weight for weight in weights if id(weight) not in known]}]
        if biases:
            weights.append({"params": biases, "lr": rate * factor, "weight_decay": decay / factor, "lr_factor": factor})
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

    Triangle: from min_lr in a straight line to lr, which is reached after the share ``triangle_climb`` of all
    steps, and in a straight line back to min_lr, which the step after the last one would have.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.lr
    total = config.epochs * steps_per_epoch
    if config.schedule == "steps":
        return config.lr * 0.1 ** (3 * step // total)
    if config.schedule == "triangle":
        low = min(config.min_lr, config.lr)
        climb = total * (0.25 if config.triangle_climb is None else config.triangle_climb)
        share = step / climb if step < climb else (total - step) / (total - climb)
        return low + (config.lr - low) * share
    done = (step - warmup) / (total - warmup)
    low = min(config.min_lr, config.lr)
    return low + (config.lr - low) / 2 * (1 + math.cos(math.pi * done))
