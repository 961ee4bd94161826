"""Sheets of images, drawn with Pillow alone: rows of labelled cells on white, or a contact sheet of many."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ipmix.core.errors import InputError
from ipmix.core.files import replacing

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""The endings that a sheet can be written under, and Pillow's names of the formats."""

INK, FAINT, PAPER = (24, 24, 27), (113, 113, 122), (255, 255, 255)
BOX = (220, 38, 38)  # around what a step changes
CELL_MOST = 4096
"""Pixels of an image on a sheet."""
PIXELS_MOST = 250_000_000
"""Pixels of a sheet: they take three bytes each in memory."""

GAP = 12
CLEAR = 2
"""Pixels between a box and its outline, so that the patch is seen to its edge."""
MOST_TEXT = 12  # points
DARK, NARROW_GAP = (24, 24, 24), 4  # of a contact sheet


@dataclass(frozen=True, eq=False)
class SheetRow:
    """One row of a sheet: a heading over it ("" for none), and cells (label, uint8[H, W, C])."""

    heading: str
    cells: Sequence[tuple[str, np.ndarray]]
    boxes: Sequence[tuple[int, int, int, int] | None] = ()
    """For each cell what is outlined in its image: left, top, right, bottom in its pixels; None for nothing."""


def draw_sheet(lines: Sequence[SheetRow], *, cell: int = 144, title: str = "", text: int = MOST_TEXT) -> Image.Image:
    """Draw the rows under each other; each image's longer side is brought to ``cell`` pixels.

    Small images are enlarged without smoothing, so that their own pixels are seen; labels are wrapped to the
    width of their cell. ``text`` is their size in points: larger for a figure that is shown at a part of its width.
    """
    font = _font(text)
    strong = _font(text + 2)
    blocks = [[(_wrap(label, font, cell), _fit(image, cell)) for label, image in line.cells] for line in lines]
    columns = max((len(block) for block in blocks), default=1)
    _check_size(len(blocks), columns, cell)
    width = GAP + columns * (cell + GAP)
    if title:
        width = max(width, 2 * GAP + int(_font(text + 6).getlength(title)))
    heights = []
    for line, block in zip(lines, blocks):
        below = max((len(words) for words, _ in block), default=0) * (text + 4)
        heading = text + 12 if line.heading else 0
        heights.append((heading, max((p.height for _, p in block), default=0), below + (6 if below else 0)))
    top = GAP + (text + 22 if title else 0)
    sheet = Image.new("RGB", (width, top + sum(sum(h) + GAP for h in heights)), PAPER)
    ink = ImageDraw.Draw(sheet)
    if title:
        ink.text((GAP, GAP), title, INK, _font(text + 6))
    y = top
    for line, block, (heading, tall, below) in zip(lines, blocks, heights):
        if heading:
            ink.text((GAP, y), line.heading, INK, strong)
        for column, (words, image) in enumerate(block):
            x = GAP + column * (cell + GAP)
            place = (x, y + heading + tall - image.height)  # narrow ones begin where their labels do
            sheet.paste(image, place)
            if column < len(line.boxes) and (box := line.boxes[column]) is not None:
                _outline(ink, place, box, image.width / line.cells[column][1].shape[1])
            for i, word in enumerate(words):
                ink.text((x, y + heading + tall + 4 + i * (text + 4)), word, FAINT, font)
        y += heading + tall + below + GAP
    return sheet


def contact_sheet(images: Sequence[np.ndarray], cell: int, columns: int | None = None) -> Image.Image:
    """``images`` (uint8[h, w, 3] each) without labels on dark paper, about a square of them.

    Each image's longer side is brought to ``cell`` pixels; small ones are enlarged without smoothing.
    """
    across = columns or max(1, round(len(images) ** 0.5))
    down = -(-len(images) // across)
    _check_size(down, across, cell)
    pitch = cell + NARROW_GAP
    paper = Image.new("RGB", (across * pitch - NARROW_GAP, down * pitch - NARROW_GAP), DARK)
    for position, pixels in enumerate(images):
        image = _fit(pixels, cell)
        left = position % across * pitch + (cell - image.width) // 2
        top = position // across * pitch + (cell - image.height) // 2
        paper.paste(image, (left, top))
    return paper


def write_contact_sheet(images: Sequence[np.ndarray], path: str | os.PathLike[str], cell: int = 128) -> None:
    """Write a contact sheet to ``path``; the ending says the format."""
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target}: a contact sheet is written as {', '.join(FORMATS)}")
    paper = contact_sheet(images, cell)
    with replacing(target) as file:
        paper.save(file, FORMATS[target.suffix.lower()], quality=85)


def _outline(ink: ImageDraw.ImageDraw, place: tuple[int, int], box: tuple[int, int, int, int], scale: float) -> None:
    """A line around a box of an image that stands at ``place``, enlarged by ``scale``; seen on any color.

    It lies outside the box, so that small ones aren't covered, and reaches onto the paper at an image's edge.
    """
    left, top = (round(start + scale * end) for start, end in zip(place, box[:2]))
    right, bottom = (round(start + scale * end) - 1 for start, end in zip(place, box[2:]))
    for off, color in ((0, PAPER), (1, BOX), (2, PAPER)):
        away = CLEAR + 1 + off
        ink.rectangle((left - away, top - away, right + away, bottom + away), outline=color)


def _check_size(rows: int, columns: int, cell: int) -> None:
    if rows * columns * cell * cell > PIXELS_MOST:
        raise InputError(
            f"a sheet of {rows} rows of {columns} images of {cell} pixels has more than {PIXELS_MOST // 10**6} million "
            "pixels: take fewer images, or smaller ones (--cell)"
        )


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fit(image: np.ndarray, cell: int) -> Image.Image:
    pixels = image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3]
    shown = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    scale = cell / max(shown.size)
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    return shown.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
