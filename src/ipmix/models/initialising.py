"""How the small networks' weights begin."""

import math

from torch import nn


def initialise(network: nn.Module, *, head: str = "default") -> None:
    """Convolutions N(0, 2 / (k k outputs)), BatchNorm 1 and 0, linear biases 0.

    ``head``: the linear layers' weights, "default" (PyTorch's) or "kaiming" (He et al., 2015).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan))
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            if head == "kaiming":
                nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)
