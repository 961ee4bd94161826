"""The mixing set that comes with the package: 480 images of 64 px in one lossless sheet, ready without compiling.

``python -m ipmix.mixing_set.make_sample`` makes the sheet and its manifest anew, from the seed.
:meth:`~ipmix.mixing_set.mixing_set.MixingSet.sample` unpacks them, once, into the cache.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.errors import InputError
from ipmix.core.files import FileLock, replacing, write_bytes
from ipmix.mixing_set.composition import compose
from ipmix.mixing_set.manifest import MixingSetPlan, manifest_name, shard_name

COUNT, SIZE, SEED = 480, 64, 0
ACROSS = 24
"""Images in a row of the sheet."""

SHEET = Path(__file__).with_name("sample.webp")
MANIFEST = Path(__file__).with_name("sample.json")


def sample_plan() -> MixingSetPlan:
    """What the set holds: the default mix, in 480 images."""
    return MixingSetPlan(seed=SEED, size=SIZE, mix=compose(COUNT), files="shard")


def sample_planes(sheet: Path = SHEET) -> np.ndarray:
    """The images of the sheet as planes: uint8[480, 3, 64, 64]."""
    try:
        with Image.open(sheet) as opened:
            pixels = np.asarray(opened.convert("RGB"))
    except OSError as error:
        raise InputError(f"{sheet} can't be read ({error}); install ipmix again") from error
    rows = pixels.reshape(COUNT // ACROSS, SIZE, ACROSS, SIZE, 3)
    return np.ascontiguousarray(rows.transpose(0, 2, 4, 1, 3).reshape(COUNT, 3, SIZE, SIZE))


def unpack(folder: Path) -> Path:
    """The sample as a made set with a mapped shard, in a folder below ``folder`` named by its content: that folder.

    Done once; several processes that begin together take turns.
    """
    manifest = MANIFEST.read_bytes()
    root = folder / f"sample-{hashlib.sha256(manifest).hexdigest()[:16]}"
    if not (root / "manifest.json").exists():
        plan = sample_plan()
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock"):
            if not (root / manifest_name(plan)).exists():
                with replacing(root / shard_name(plan)) as file:
                    np.save(file, sample_planes())
                write_bytes(root / manifest_name(plan), manifest)
    return root
