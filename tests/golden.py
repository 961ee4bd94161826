"""Hashes of what the library makes: augmented batches, mixing images, corruptions, perturbation sequences.

``python tests/golden.py`` prints them; ``--write`` replaces ``golden.json``. A change of outputs on purpose raises
``VERSION`` and is named in CHANGELOG.md.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import ipmix
from ipmix import corruptions
from ipmix.corruptions.common import frost
from ipmix.fractals import kinds

VERSION = 3
"""Raised when an output changes on purpose."""

FILE = Path(__file__).with_name("golden.json")

PRESETS = {
    "augmax": ("code-cifar", "imagenet"),
    "augmix": ("imagenet", "all-operations"),
    "ipmix": ("paper-cifar", "paper-imagenet", "code-cifar", "code-imagenet"),
}
SHAPES = ((32, 32, 3), (33, 47, 3), (16, 32, 1), (24, 20, 5), (1, 1, 3), (70, 9, 3))
LARGE = (224, 224, 3)


def content_hash(array: np.ndarray) -> str:
    """64 bits of a hash of an array's dtype, shape and bytes."""
    whole = np.ascontiguousarray(array)
    head = f"{whole.dtype.str}{list(whole.shape)}".encode()
    return hashlib.blake2b(head + whole.tobytes(), digest_size=8).hexdigest()


def sample_images(count: int, height: int, width: int, channels: int) -> np.ndarray:
    """Images with smooth parts, edges and noise: uint8[count, height, width, channels], from integers alone."""
    y, x = np.mgrid[0:height, 0:width]
    images = np.empty((count, height, width, channels), np.uint8)
    for i in range(count):
        for c in range(channels):
            smooth = (x * (3 + i) + y * (5 + 2 * c)) * 255 // (8 * max(height, width)) + 40 * i
            edges = ((x // 5 + y // (3 + c)) % 2) * (60 + 10 * i)
            noise = (x * 7919 + y * 104729 + (i * 31 + c) * 1299709) // 97 % 17
            images[i, :, :, c] = (smooth + edges + noise) % 256
    return images


def all_methods() -> Iterator[tuple[str, Any]]:
    """Every method with its defaults, and every preset."""
    from importlib import import_module

    for name, kind in ipmix.METHODS.items():
        yield name, kind()
        module = import_module(kind.__module__)
        for preset in getattr(module, "PRESETS", {}):
            if kind.__module__.endswith(name):
                yield f"{name}:{preset}", kind.preset(preset)


def augmented() -> Iterator[tuple[str, str]]:
    """A hash for every method, preset, shape and engine."""
    for label, method in all_methods():
        for shape in (*SHAPES, LARGE):
            if shape == LARGE and (":" in label and not label.startswith("ipmix")):
                continue
            images = sample_images(2 if shape == LARGE else 6, *shape)
            side = max(shape[:2]) * 8 // 7 + 2
            mixing = sample_images(4, side, side, shape[2])[::-1].copy()
            for engine in ("compiled",) if shape == LARGE else ("compiled", "reference"):
                try:
                    if method.mixes_labels:
                        table = ipmix.draw(method, images.shape, len(mixing), seed=7, epoch=3)
                        got = ipmix.apply(table, images, mixing, engine=engine)
                    else:
                        got = ipmix.augment(images, method, mixing, seed=7, epoch=3, view=1, engine=engine)
                    seen = content_hash(got)
                except ipmix.InputError as error:
                    seen = f"refused: {type(error).__name__}"
                yield f"{label} {'x'.join(map(str, shape))} {engine}", seen
    images, mixing = sample_images(6, 32, 32, 3), sample_images(4, 36, 36, 3)
    normalized = {"output": "float32", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "layout": "nchw"}
    for engine in ("compiled", "reference"):
        got = ipmix.augment(images, ipmix.IPMix(), mixing, seed=1, engine=engine, **normalized)
        yield f"ipmix float32 nchw {engine}", content_hash(got)


def mixing_images() -> Iterator[tuple[str, str]]:
    """A hash over 200 small images of every kind, and over five of 64 pixels."""
    for kind in kinds.KINDS:
        for size, indices in ((24, range(200)), (64, range(5))):
            seen = hashlib.blake2b(digest_size=8)
            for index in indices:
                seen.update(kinds.paint(kind, 3, index, size).pixels.tobytes())
            yield f"{kind} {size}", seen.hexdigest()


@contextmanager
def grown_frost() -> Iterator[None]:
    """Frost from its procedure, whether or not the public photographs are installed."""
    before = frost.folder
    frost.folder = lambda: None
    try:
        yield
    finally:
        frost.folder = before


def corrupted() -> Iterator[tuple[str, str]]:
    """A hash for every corruption, severity and form at 32 and 224 pixels; frost is the procedure's."""
    with grown_frost():
        yield from _corrupted()


def _corrupted() -> Iterator[tuple[str, str]]:
    for side in (32, 224):
        images = sample_images(2, side, side, 3)
        for name in corruptions.ALL_CORRUPTIONS:
            for severity in range(1, 6):
                for form in ("original", "corrected"):
                    got = ipmix.corrupt(images, name, severity, seed=5, form=form)
                    yield f"{name} {severity} {side} {form}", content_hash(got)


def perturbed() -> Iterator[tuple[str, str]]:
    """A hash for every perturbation sequence at 32 and 224 pixels."""
    for side in (32, 224):
        images = sample_images(1, side, side, 3)
        for name in corruptions.PERTURBATIONS:
            for difficulty, form in ((1, "original"), (1, "corrected"), (3, "original")):
                got = ipmix.perturb(images, name, seed=5, difficulty=difficulty, form=form)
                yield f"{name} {difficulty} {side} {form}", content_hash(got)


PARTS = {
    "augmented": augmented,
    "mixing images": mixing_images,
    "corrupted": corrupted,
    "perturbed": perturbed,
}


def main() -> None:
    """Print or write all hashes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path, nargs="?", const=FILE)
    path = parser.parse_args().write
    found = {"version": VERSION, **{name: dict(make()) for name, make in PARTS.items()}}
    text = json.dumps(found, indent=1) + "\n"
    if path:
        path.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
