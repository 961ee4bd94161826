"""What is measured on: real images where IPMIX_TEST_DATA names a folder of them, synthetic ones otherwise.

The folder holds ``cifar10/test/<class>/*`` and ``imagenet-sample/<class>/*``. 32x32 images come from the
former, everything else and the mixing images from the latter: every second file for each, so that no
image is mixed with itself.
"""

import io
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.data.decoding import decode, decode_square, is_image_file, open_rgb
from ipmix.mixing_set.mixing_set import margin

VARIABLE = "IPMIX_TEST_DATA"


@dataclass(frozen=True)
class Source:
    """Where images come from: a folder, or None for synthetic ones."""

    folder: Path | None

    @property
    def description(self) -> str:
        """For the results."""
        if self.folder is None:
            return f"synthetic (waves, discs, noise): {VARIABLE} is not set"
        return "real: CIFAR-10 test images (JPEG copies) at 32x32; an ImageNet sample, one a class, else"

    def images(self, count: int, height: int, width: int | None = None, channels: int = 3) -> np.ndarray:
        """uint8[count, height, width, channels]; other channels than 3 are made from the three."""
        return _images(self, count, height, width or height, channels)

    def mixing(self, count: int, side: int, channels: int = 3) -> np.ndarray:
        """Mixing images for images of this side, with the margin: uint8[count, m, m, channels]."""
        side = margin(side, side)
        if self.folder is None:
            return with_channels(synthetic(count, side, side, seed=1), channels)
        paths = _take(_files(self.folder / "imagenet-sample")[1::2], count)
        return with_channels(np.stack([decode_square(path, side) for path in paths]), channels)

    def write_jpegs(self, folder: Path, count: int, shorter: int | None = None, quality: int = 97) -> float:
        """Write ``<class>/<number>.jpg`` files, ten classes; returns their mean size in kB.

        ``shorter`` brings the shorter side to this many pixels; None leaves files as they are.
        """
        size = 0
        for number, content in enumerate(self._jpegs(count, shorter, quality)):
            path = folder / f"class{number % 10}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            size += len(content)
        return size / count / 1000

    def _jpegs(self, count: int, shorter: int | None, quality: int) -> list[bytes]:
        if self.folder is None:
            height = shorter or 256
            images = [Image.fromarray(image) for image in synthetic(count, height, height * 4 // 3, seed=2)]
            return [_jpeg(opened, quality) for opened in images]
        paths = _take(_files(self.folder / "imagenet-sample")[::2], count)
        if shorter is None:
            return [path.read_bytes() for path in paths]
        images = [open_rgb(path) for path in paths]
        factors = [shorter / min(opened.size) for opened in images]
        return [
            _jpeg(opened.resize((round(opened.width * f), round(opened.height * f)), 3), quality)
            for opened, f in zip(images, factors)
        ]


def find() -> Source:
    """The folder that the environment names, or synthetic images. Raises for a folder without them."""
    named = os.environ.get(VARIABLE)
    if not named:
        return Source(None)
    folder = Path(named)
    for part in ("cifar10/test", "imagenet-sample"):
        if not (folder / part).is_dir():
            raise SystemExit(f"{VARIABLE} is {folder}: expected the folder {folder / part}; correct it or unset it")
    return Source(folder)


@cache
def _images(source: Source, count: int, height: int, width: int, channels: int) -> np.ndarray:
    if source.folder is None:
        images = synthetic(count, height, width)
    elif height == width == 32:
        images = np.stack([decode(path) for path in _take(_files(source.folder / "cifar10" / "test"), count)])
    else:
        side = max(height, width)
        paths = _take(_files(source.folder / "imagenet-sample")[::2], count)
        top, left = (side - height) // 2, (side - width) // 2
        images = np.stack([decode_square(path, side)[top : top + height, left : left + width] for path in paths])
    images = with_channels(images, channels)
    images.flags.writeable = False
    return images


@cache
def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if is_image_file(path))


def _take(paths: list[Path], count: int) -> list[Path]:
    """``count`` of them, evenly spread; from the start again where there are fewer."""
    if count <= len(paths):
        return [paths[i * len(paths) // count] for i in range(count)]
    return [paths[i % len(paths)] for i in range(count)]


def _jpeg(opened: Image.Image, quality: int) -> bytes:
    content = io.BytesIO()
    opened.save(content, "JPEG", quality=quality)
    return content.getvalue()


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """uint8[N, H, W, 3] with another number of channels: the mean of three, or more of the same, shifted in value."""
    if channels == 3:
        return np.ascontiguousarray(images)
    if channels == 1:
        return np.ascontiguousarray(images.mean(axis=3, keepdims=True).astype(np.uint8))
    made = [images[..., c % 3] + np.uint8(37 * (c // 3)) for c in range(channels)]
    return np.ascontiguousarray(np.stack(made, axis=3))


def synthetic(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Color images with slopes, edges, flat areas and noise: uint8[count, height, width, 3].

    At most 64 different ones, then the same again.
    """
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width)
    distinct = np.empty((min(count, 64), height, width, 3), np.uint8)
    for opened in distinct:
        values = np.full((height, width, 3), draws.uniform(60, 200, 3), np.float32)
        for _ in range(3):
            angle, waves = draws.uniform(0, 2 * np.pi), draws.uniform(1, 12)
            wave = np.sin(2 * np.pi * waves * (np.cos(angle) * x + np.sin(angle) * y))
            values += wave[..., None] * draws.uniform(-40, 40, 3).astype(np.float32)
        for _ in range(4):
            inside = (x - draws.random()) ** 2 + (y - draws.random()) ** 2 < draws.uniform(0.05, 0.3) ** 2
            values[inside] = draws.integers(0, 256, 3)
        values += draws.normal(0, draws.uniform(0, 12), values.shape)
        opened[...] = np.clip(values, 0, 255)
    return distinct[np.arange(count) % len(distinct)]
