"""A contact sheet: many images on one, for people to look at."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.files import replacing

GAP = 4
PAPER = (24, 24, 24)
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def sheet(images: Sequence[np.ndarray], cell: int, columns: int | None = None) -> Image.Image:
    """``images`` (uint8[h, w, 3] each) as cells of ``cell`` pixels, by default in about a square."""
    across = columns or max(1, round(len(images) ** 0.5))
    down = -(-len(images) // across)
    paper = Image.new("RGB", (across * (cell + GAP) - GAP, down * (cell + GAP) - GAP), PAPER)
    for position, pixels in enumerate(images):
        image = Image.fromarray(pixels)
        image.thumbnail((cell, cell), Image.Resampling.LANCZOS)
        left = position % across * (cell + GAP) + (cell - image.width) // 2
        top = position // across * (cell + GAP) + (cell - image.height) // 2
        paper.paste(image, (left, top))
    return paper


def write_sheet(images: Sequence[np.ndarray], path: str | os.PathLike[str], cell: int = 128) -> None:
    """Write a contact sheet to ``path``; the ending says the format."""
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target}: a contact sheet is written as {', '.join(FORMATS)}")
    paper = sheet(images, cell)
    with replacing(target) as file:
        paper.save(file, FORMATS[target.suffix.lower()], quality=85)
