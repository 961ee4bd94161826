"""A contact sheet: many pictures on one, for people to look at."""

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


def sheet(pictures: Sequence[np.ndarray], cell: int, columns: int | None = None) -> Image.Image:
    """``pictures`` (uint8[h, w, 3] each) as cells of ``cell`` pixels, by default in about a square."""
    across = columns or max(1, round(len(pictures) ** 0.5))
    down = -(-len(pictures) // across)
    paper = Image.new("RGB", (across * (cell + GAP) - GAP, down * (cell + GAP) - GAP), PAPER)
    for position, pixels in enumerate(pictures):
        picture = Image.fromarray(pixels)
        picture.thumbnail((cell, cell), Image.Resampling.LANCZOS)
        left = position % across * (cell + GAP) + (cell - picture.width) // 2
        top = position // across * (cell + GAP) + (cell - picture.height) // 2
        paper.paste(picture, (left, top))
    return paper


def write_sheet(pictures: Sequence[np.ndarray], path: str | os.PathLike[str], cell: int = 128) -> None:
    """Write a contact sheet to ``path``; the ending says the format."""
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target}: a contact sheet is written as {', '.join(FORMATS)}")
    paper = sheet(pictures, cell)
    with replacing(target) as file:
        paper.save(file, FORMATS[target.suffix.lower()], quality=85)
