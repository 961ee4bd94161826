"""Sides of images: where small ones end, and how an image's are written."""

import numpy as np

SMALL_SIDE = 64
"""Images up to this side are treated as CIFAR's are, larger ones as ImageNet's, wherever their settings differ."""


def width_by_height(image: np.ndarray) -> str:
    """ "640x480" for an image uint8[480, 640, ...]."""
    return f"{image.shape[1]}x{image.shape[0]}"
