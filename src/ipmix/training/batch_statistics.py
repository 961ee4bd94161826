"""Networks that normalise over the batch: how many images they need at a time, and what is said of too few."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ipmix.core.errors import InputError


def least_images(network: nn.Module, most: int) -> int:
    """Images that each process needs in a batch and a micro-batch: 2 with BatchNorm, otherwise 1; at most ``most``.

    One image has a variance over its pixels at best; where a layer sees one value per channel, it has none at all.
    """
    normalises = any(isinstance(module, _BatchNorm) for module in network.modules())
    return max(1, min(2 if normalises else 1, most))


@contextmanager
def readable_batchnorm(batch_size: int, processes: int) -> Iterator[None]:
    """PyTorch's refusal of a single value per channel, as an :class:`InputError` that says what to do."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise InputError(
            f"BatchNorm has no variance of one image, and a batch of {batch_size} in {processes} processes leaves "
            f"one: take a batch_size of at least {2 * processes}, and as many images"
        ) from None
