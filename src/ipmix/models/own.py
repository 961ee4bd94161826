"""Networks that a class or function of somebody else's makes, named ``module:Name``."""

from typing import Any

from torch import nn

from ipmix.core.errors import InputError, first_line
from ipmix.core.extensions import own


def own_network(name: str, *arguments: Any, expected: str) -> nn.Module:
    """What ``module:Name`` returns for these arguments.

    Raises:
        InputError: there is no such thing, it can't be called, it fails or ends the process, or it returns no module;
            ``expected`` says what it should be.
    """
    make = own(name, "model")
    called = f"{name}({', '.join(map(repr, arguments))})"
    if not callable(make):
        raise InputError(f"{name} is a {type(make).__name__}; expected {expected} that returns a torch.nn.Module")
    try:
        network = make(*arguments)
    except (Exception, SystemExit) as error:  # it may fail in any way
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"{called} failed ({reason}); expected {expected} that returns a torch.nn.Module") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{called} returned a {type(network).__name__}, not a torch.nn.Module")
    return network
