"""What all tests share: settings, and small images to work on.

Tests often share the machine: torch's threads then spend their time waiting for each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from ipmix.engines.compiled import beginning

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

beginning.wait_from_now_on()  # what is tested as the compiled engine is that, also where nothing lies compiled on disk

ImageMaker = Callable[..., np.ndarray]


def synthetic_images(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Color images with smooth areas, edges, flat areas and noise: uint8[count, height, width, channels]."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    images = np.empty((count, height, width, channels), np.uint8)
    for i in range(count):
        angle, period = draws.uniform(0, 2 * np.pi, channels), draws.uniform(4, 40, channels)
        slope = np.cos(angle) * x[..., None] + np.sin(angle) * y[..., None]
        values = 128 + draws.uniform(20, 130, channels) * np.sin(2 * np.pi * slope / period)
        disc = (x - draws.uniform(0, width)) ** 2 + (y - draws.uniform(0, height)) ** 2 < (max(height, width) / 3) ** 2
        values[disc] = draws.integers(0, 256, channels)
        if i % 3 == 0:
            values += draws.normal(0, 25, values.shape)
        if i % 7 == 3:
            values = draws.integers(0, 256, values.shape)
        images[i] = np.clip(values, 0, 255)
    return images


@pytest.fixture(scope="session")
def make_images() -> ImageMaker:
    """:func:`synthetic_images`: (count, height, width, channels=3, seed=0) -> uint8[N, H, W, C]."""
    return synthetic_images


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Twelve color images, uint8[12, 32, 32, 3], read-only."""
    images = synthetic_images(12, 32, 32, seed=1)
    images.flags.writeable = False
    return images


@pytest.fixture(scope="session")
def mixing_images() -> np.ndarray:
    """Five images to mix in, uint8[5, 36, 36, 3], read-only."""
    images = synthetic_images(5, 36, 36, seed=2)
    images.flags.writeable = False
    return images
