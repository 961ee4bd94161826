"""What the second tab shows: a corruption at every severity, or a family of them at one."""

from typing import Any

import numpy as np

import ipmix

SEVERITIES = (1, 2, 3, 4, 5)


def families() -> dict[str, tuple[str, ...]]:
    """The public sets of corruptions by their names."""
    known: Any = ipmix.corruptions
    return {
        "-C, the 15 of the test": known.CORRUPTIONS,
        "-C, the 4 for validation": known.VALIDATION,
        "C-bar, CIFAR": known.C_BAR_CIFAR,
        "C-bar, ImageNet": known.C_BAR_IMAGENET,
    }


def by_severity(image: np.ndarray, name: str, *, seed: int) -> list[tuple[str, np.ndarray]]:
    """An image uint8[H, W, 3] under one corruption, at severities 1 to 5, each with its label."""
    return [
        (f"severity {severity}", ipmix.corrupt(image[None], name, severity, seed=seed)[0]) for severity in SEVERITIES
    ]


def whole_family(image: np.ndarray, family: str, severity: int, *, seed: int) -> list[tuple[str, np.ndarray]]:
    """An image uint8[H, W, 3] under every corruption of a family, at one severity, each with its name."""
    return [
        (name.replace("_", " "), ipmix.corrupt(image[None], name, severity, seed=seed)[0])
        for name in families()[family]
    ]
