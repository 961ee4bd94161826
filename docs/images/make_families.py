"""Draws corruptions and sequences, a row each, a column a severity or a frame: python docs/images/make_families.py

The cat is "Chelsea" (S. van der Walt, CC0), of scikit-image.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from telling import SEED, TEXT, cat_and_cup

from ipmix.cli.sheet import SheetRow, draw_sheet
from ipmix.corruptions import (
    C_BAR_CIFAR,
    C_BAR_IMAGENET,
    CORRUPTIONS,
    PERTURBATIONS,
    VALIDATION,
    corrupt,
    perturb,
)

FAMILIES = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"),
    "weather": ("snow", "frost", "fog", "brightness", "spatter"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression", "saturate"),
    "c": (*CORRUPTIONS, *VALIDATION),
    "c-bar": C_BAR_IMAGENET,
}
FRAMES = (0, 7, 15, 22, 30)


def save(rows: Sequence[SheetRow], name: str) -> None:
    draw_sheet(rows, cell=132, text=TEXT).save(Path(__file__).with_name(f"corruptions-{name}.jpg"), quality=85)


def severities(image: np.ndarray, name: str) -> SheetRow:
    return SheetRow(name, [(f"severity {s}", corrupt(image, name, s, seed=SEED)[0]) for s in range(1, 6)])


def frames(image: np.ndarray, name: str) -> SheetRow:
    """The first, some and the last frame; sequences of noise are each frame's own."""
    sequence = perturb(image, name, seed=SEED)[0]
    picked = [round(place * (len(sequence) - 1) / FRAMES[-1]) for place in FRAMES]
    return SheetRow(name, [(f"frame {place}", sequence[place]) for place in picked])


if __name__ == "__main__":
    cat = cat_and_cup()[:1]
    small = np.asarray(Image.fromarray(cat[0]).resize((32, 32), Image.Resampling.LANCZOS))[None]
    for family, names in FAMILIES.items():
        save([severities(cat, name) for name in names], family)
    save([severities(small, name) for name in C_BAR_CIFAR], "c-bar-32")
    save([frames(cat, name) for name in PERTURBATIONS], "p")
