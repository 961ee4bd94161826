"""Images from a folder as a part of a mixing set: real textures, artworks, whatever one has a right to."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.threads import default_threads
from ipmix.data.decoding import DEFAULT, SUFFIXES, DecodeConfig, decode
from ipmix.data.folders import image_files
from ipmix.fractals.kinds import Painting


def find(root: Path) -> list[Path]:
    """All image files in a folder and the folders below it, sorted by their paths; hidden ones are left out."""
    return sorted(image_files(root).paths)


def fit(pixels_in: np.ndarray, side: int) -> np.ndarray:
    """``pixels_in`` (uint8[h, w, c]) with its short side resized to ``side``, centre-cropped: uint8[s, s, c].

    Lanczos with antialiasing. Its longer side is rounded and its margins cut, unlike
    :func:`ipmix.data.cropping.resize_and_crop`: mixing sets made so far have these pixels.
    """
    height, width, channels = pixels_in.shape
    if (height, width) == (side, side):
        return pixels_in
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    if channels == 3:
        resized = np.asarray(Image.fromarray(pixels_in).resize(size, Image.Resampling.LANCZOS))
    else:
        layers = [Image.fromarray(np.ascontiguousarray(pixels_in[:, :, c])) for c in range(channels)]
        resized = np.stack([np.asarray(x.resize(size, Image.Resampling.LANCZOS)) for x in layers], axis=2)
    top = (size[1] - side) // 2
    left = (size[0] - side) // 2
    return resized[top : top + side, left : left + side]


SHOWN = 10
"""Images that can't be decoded are named up to this many."""


class FolderPainter:
    """Paints the kind ``image``: image i of the folder, resized and cropped; more than there are repeat.

    All are decoded once at the start, for one that can't be should not stop a long run: :class:`InputError` names it.
    """

    def __init__(self, folder: str | os.PathLike[str], decoding: DecodeConfig = DEFAULT) -> None:
        self.root, self.decoding = Path(folder), decoding
        self.paths = find(self.root)
        if not self.paths:
            raise InputError(f"{self.root} holds no images ({', '.join(sorted(SUFFIXES))})")
        self._check()
        names = "\n".join(f"{path.relative_to(self.root)} {path.stat().st_size}" for path in self.paths)
        code = hashlib.sha256(os.fsencode(names + decoding.mark())).hexdigest()
        self.identity = f"{len(self.paths)} images {code[:16]}"

    def __len__(self) -> int:
        return len(self.paths)

    def _check(self) -> None:
        with ThreadPoolExecutor(default_threads()) as pool:
            complaints = [complaint for complaint in pool.map(self._complaint, self.paths) if complaint]
        if complaints:
            more = "" if len(complaints) <= SHOWN else f"\nand {len(complaints) - SHOWN} more"
            count = f"{len(complaints)} of {len(self.paths)} images in {self.root} can't be used"
            raise InputError(f"{count}:\n" + "\n".join(complaints[:SHOWN]) + more)

    def _complaint(self, path: Path) -> str:
        try:
            decode(path, self.decoding)
        except InputError as error:
            return str(error)
        return ""

    def __call__(self, seed: int, indices: list[int], size: int) -> list[Painting]:
        """Images ``indices``; the seed changes nothing."""
        return [self._one(index, size) for index in indices]

    def _one(self, index: int, size: int) -> Painting:
        path = self.paths[index % len(self.paths)]
        pixels = np.ascontiguousarray(fit(decode(path, self.decoding), size))
        return Painting(pixels, 1, {"from": str(path.relative_to(self.root))})
