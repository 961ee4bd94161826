"""Two BatchNorms for two kinds of images, and instance normalisation beside them: AugMax's networks.

DuBIN (Wang, Xiao, Kossaifi, Yu, Anandkumar, Wang, "AugMax: Adversarial Composition of Random Augmentations for
Robust Training", NeurIPS 2021, and the authors' public code): every BatchNorm becomes two, one for ordinary
("main") and one for adversarial images; and the first norm of each block, in every stage but the last, leaves
half of its channels to InstanceNorm. Testing goes through the main ones.
"""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ipmix.core.errors import InputError

MAIN, ADVERSARIAL = "main", "adversarial"
SUFFIX = "-dubin"
"""Behind a network's name: the same network with these norms."""

_FIRST_NORM = re.compile(r"(?:stages\.|layer)(\d+)\.\d+\.(?:norm|bn)1")


class DualBatchNorm2d(nn.Module):
    """Two BatchNorms, each with its own weights and statistics. Both begin as a copy of ``norm``.

    Attributes:
        routes: how a batch is divided: into as many equal parts as there are names, each through the norm of that
            name ("main" or "adversarial"), with statistics of its own. Empty: all of it through the main one.
    """

    routes: tuple[str, ...] = ()

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.main = norm
        self.adversarial = copy.deepcopy(norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.routes:
            return self.main(x)
        parts = x.chunk(len(self.routes))
        return torch.cat([getattr(self, route)(part) for route, part in zip(self.routes, parts)])


class DualBatchInstanceNorm2d(nn.Module):
    """The first half of the channels through InstanceNorm (with weights), the rest through two BatchNorms."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.first = norm.num_features // 2
        self.instance = nn.InstanceNorm2d(self.first, eps=norm.eps, affine=True)
        self.batch = DualBatchNorm2d(nn.BatchNorm2d(norm.num_features - self.first, norm.eps, norm.momentum))
        given = norm.state_dict()
        self.instance.load_state_dict({name: given[name][: self.first] for name in ("weight", "bias")})
        rest = {name: value[self.first :] if value.ndim else value for name, value in given.items()}
        for batch in (self.batch.main, self.batch.adversarial):
            batch.load_state_dict(rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, rest = x[:, : self.first], x[:, self.first :]
        return torch.cat([self.instance(first), self.batch(rest)], 1)


def with_dual_norms(network: nn.Module) -> nn.Module:
    """Replace the norms of a residual network, in place; what they hold is kept in both copies.

    Takes the residual networks of this library, and torchvision's ResNets and ResNeXts.

    Raises:
        InputError: a network without stages of blocks that begin with a BatchNorm.
    """
    norms = {name: module for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    stages = {name: int(match[1]) for name in norms if (match := _FIRST_NORM.fullmatch(name))}
    if not stages:
        raise InputError(
            "two BatchNorms beside InstanceNorm need a residual network with stages of blocks: wrn-D-W, "
            "resnext-29, resnet-18-cifar, torchvision:resnet50 and the like"
        )
    last = max(stages.values())
    for name, norm in norms.items():
        inner = stages.get(name, last) < last
        parent, _, attribute = name.rpartition(".")
        replacement = DualBatchInstanceNorm2d(norm) if inner else DualBatchNorm2d(norm)
        setattr(network.get_submodule(parent), attribute, replacement)
    return network


def has_dual_norms(network: nn.Module) -> bool:
    """Whether the network tells adversarial images from others."""
    return any(isinstance(module, DualBatchNorm2d) for module in network.modules())


@contextmanager
def routed(network: nn.Module, *routes: str) -> Iterator[None]:
    """Within, batches are divided among these norms (see :class:`DualBatchNorm2d`); afterwards all is main again.

    A network without dual norms is left as it is.
    """
    norms = [module for module in network.modules() if isinstance(module, DualBatchNorm2d)]
    try:
        for norm in norms:
            norm.routes = routes
        yield
    finally:
        for norm in norms:
            norm.routes = ()
