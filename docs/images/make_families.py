"""Draws a figure for each family of -C, a row a corruption, a column a severity: python docs/images/make_families.py

The cat is "Chelsea" (S. van der Walt, CC0), of scikit-image.
"""

from pathlib import Path

from telling import SEED, cat_and_cup

from ipmix.cli.sheet import SheetRow, draw_sheet
from ipmix.corruptions import corrupt

FAMILIES = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"),
    "weather": ("snow", "frost", "fog", "brightness", "spatter"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression", "saturate"),
}

if __name__ == "__main__":
    cat = cat_and_cup()[:1]
    for family, names in FAMILIES.items():
        rows = [
            SheetRow(name, [(f"severity {s}", corrupt(cat, name, s, seed=SEED)[0]) for s in range(1, 6)])
            for name in names
        ]
        draw_sheet(rows, cell=132).save(Path(__file__).with_name(f"corruptions-{family}.jpg"), quality=85)
