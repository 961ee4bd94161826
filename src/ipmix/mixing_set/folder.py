"""Images from a folder as a part of a mixing set: real textures, artworks, whatever one has a right to."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.threads import default_threads
from ipmix.data.contents import content_hashes
from ipmix.data.decoding import DEFAULT, SUFFIXES, BrokenImage, DecodeConfig, decode
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

    All are decoded once at the start, for one that can't be should not stop a long run: :class:`InputError` names it,
    or with ``skip_broken`` those that are broken are left out, and listed in ``skipped``.
    """

    def __init__(
        self, folder: str | os.PathLike[str], decoding: DecodeConfig = DEFAULT, *, skip_broken: bool = False
    ) -> None:
        self.root, self.decoding = Path(folder), decoding
        self.paths = find(self.root)
        if not self.paths:
            raise InputError(f"{self.root} holds no images ({', '.join(sorted(SUFFIXES))})")
        self.skipped: list[Path] = []
        self._check(skip_broken)
        digest = hashlib.sha256(decoding.mark().encode())
        for path, content in zip(self.paths, content_hashes(self.paths, self.root)):
            digest.update(os.fsencode(path.relative_to(self.root).as_posix()) + b"\0" + content)
        self.identity = f"{len(self.paths)} images {digest.hexdigest()[:16]}"

    def __len__(self) -> int:
        return len(self.paths)

    def _check(self, skip_broken: bool) -> None:
        with ThreadPoolExecutor(default_threads()) as pool:
            found = list(pool.map(self._complaint, self.paths))
        if skip_broken:
            self.skipped = [path for path, error in zip(self.paths, found) if isinstance(error, BrokenImage)]
            self.paths = [path for path, error in zip(self.paths, found) if not isinstance(error, BrokenImage)]
            found = [error for error in found if not isinstance(error, BrokenImage)]
            if not self.paths:
                raise InputError(f"every one of the {len(self.skipped)} images in {self.root} is broken")
        complaints = [str(error) for error in found if error is not None]
        if complaints:
            more = "" if len(complaints) <= SHOWN else f"\nand {len(complaints) - SHOWN} more"
            count = f"{len(complaints)} of {len(self.paths)} images in {self.root} can't be used"
            raise InputError(
                f"{count} (--skip-broken passes over those that are broken):\n" + "\n".join(complaints[:SHOWN]) + more
            )

    def _complaint(self, path: Path) -> InputError | None:
        try:
            decode(path, self.decoding)
        except InputError as error:
            return error
        return None

    def __call__(self, seed: int, indices: list[int], size: int) -> list[Painting]:
        """Images ``indices``; the seed changes nothing."""
        return [self._one(index, size) for index in indices]

    def _one(self, index: int, size: int) -> Painting:
        path = self.paths[index % len(self.paths)]
        pixels = np.ascontiguousarray(fit(decode(path, self.decoding), size))
        return Painting(pixels, 1, {"from": str(path.relative_to(self.root))})
