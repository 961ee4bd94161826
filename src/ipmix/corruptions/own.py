"""Corruptions of one's own: functions of images, a severity and a seed for each image, named ``module:Name``."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ipmix.core.checking import check_known, described
from ipmix.core.errors import InputError
from ipmix.core.extensions import full_name, installed, own
from ipmix.core.item_keys import key_of
from ipmix.core.randomness import Keys
from ipmix.corruptions.severities import ALL_CORRUPTIONS, PERTURBATIONS
from ipmix.corruptions.task import VIEW

Corruption = Callable[[np.ndarray, int, np.ndarray], np.ndarray]
"""(images uint8[N, H, W, C], severity 1 to 5, seeds uint64[N]) -> corrupted images, of the same shape and dtype."""


def known_corruption(name: str, known: Iterable[str] = ALL_CORRUPTIONS) -> str:
    """The name in full: of one of the library's (``known``), or ``module:Name`` of one's own, which is imported.

    Raises:
        InputError: there is no such corruption.
    """
    known = tuple(known)
    full = full_name(name, "corruption") if isinstance(name, str) and name not in known else None
    if full is None:
        check_known("corruption", name, (*known, *installed("corruption")))
        return name
    own_corruption(full)
    return full


def check_perturbation(name: Any, known: Iterable[str] = PERTURBATIONS) -> None:
    """Raise :class:`InputError` unless there is such a perturbation sequence; of one's own there are none."""
    known = tuple(known)
    full = full_name(name, "corruption") if isinstance(name, str) and name not in known else None
    if full is not None:
        raise InputError(
            f"{name} is no perturbation sequence: what one adds is a corruption of severities 1 to 5, and is measured "
            f"as one (--corruptions {name}; corrupt --set c --names {name})"
        )
    check_known("perturbation", name, known)


def own_corruption(full: str) -> Corruption:
    """The function that ``module:Name`` names."""
    found = own(full, "corruption")
    if not callable(found) or isinstance(found, type):
        raise InputError(f"{full} is no corruption: expected a function (images, severity, seeds) -> images")
    function: Corruption = found
    return function


def own_seeds(full: str, severity: int, seed: int, indices: np.ndarray) -> np.ndarray:
    """A seed for each image: uint64[N], of the seed, the function's name, the severity and the image's index alone.

    The name counts, not the module it stands in and not a place in any list: a corruption that moves to another file
    or is measured beside others stays what it is.
    """
    return Keys.of(seed, key_of(f"{full.partition(':')[2]}/{severity}"), indices, VIEW).seeds()


def run_own(function: Corruption, full: str, images: np.ndarray, severity: int, seeds: np.ndarray) -> np.ndarray:
    """What the function makes of the images; InputError where that is something else than such images."""
    found = function(images.copy(), severity, seeds)
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape != images.shape:
        raise InputError(f"{full} must give uint8{list(images.shape)} for such images, got {described(found)}")
    return found


def disk_name(name: str) -> str:
    """What a corruption's files and folders are called: ``module.Name`` for one's own, as some disks take no colon."""
    return name.replace(":", ".")
