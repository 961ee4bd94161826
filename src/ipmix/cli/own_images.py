"""A user's own images, from files and folders, for commands that show what becomes of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.data.broken import list_broken
from ipmix.data.decoding import DEFAULT, BrokenImage, DecodeConfig, is_image_file, open_rgb


def read_images(
    paths: Sequence[Path], size: int, skip_broken: bool, out: Path, decoding: DecodeConfig = DEFAULT
) -> list[tuple[str, np.ndarray]]:
    """Every image's name and pixels (uint8[H, W, 3]), the longer side at most ``size``.

    Args:
        paths: image files, and folders of them.
        size: larger images are brought to this longer side.
        skip_broken: pass over images that can't be decoded.
        out: the folder in which ``broken.txt`` then names them.
        decoding: whether images are turned as their EXIF tag says.

    Raises:
        InputError: a folder without images, a broken image, or no image at all.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if is_image_file(p))
            if not found:
                raise InputError(f"{path} is a folder without images; give images, or a folder that holds some")
            files += found
        else:
            files.append(path)
    images: list[tuple[str, np.ndarray]] = []
    skipped: list[Path] = []
    for file in files:
        try:
            image = open_rgb(file, decoding)
        except BrokenImage:
            if not skip_broken:
                raise
            skipped.append(file)
            continue
        if max(image.size) > size:
            scale = size / max(image.size)
            sides = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(sides, Image.Resampling.LANCZOS)
        images.append((file.name, np.asarray(image)))
    if not images:
        raise InputError(f"none of the {len(files)} images can be decoded")
    if skipped:
        list_broken(skipped, out)
    return images
