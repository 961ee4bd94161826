"""``python -m ipmix.mixing_set.make_sample``: paints the sample that comes with the package, from its seed.

Writes the sheet and the manifest beside this file; about a minute, most of it WebP's search for the smallest file.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ipmix.core.files import replacing, write_bytes
from ipmix.mixing_set.making import make
from ipmix.mixing_set.manifest import manifest_name, shard_name
from ipmix.mixing_set.sample import ACROSS, COUNT, MANIFEST, SHEET, SIZE, sample_plan


def make_sample() -> None:
    """Paint the sample's images, write the sheet that holds them and their manifest."""
    plan = sample_plan()
    with tempfile.TemporaryDirectory() as scratch:
        for _ in make(plan, scratch):
            pass
        planes = np.load(Path(scratch) / shard_name(plan))
        rows = planes.reshape(COUNT // ACROSS, ACROSS, 3, SIZE, SIZE).transpose(0, 3, 1, 4, 2)
        sheet = np.ascontiguousarray(rows).reshape(COUNT // ACROSS * SIZE, ACROSS * SIZE, 3)
        with replacing(SHEET) as file:
            Image.fromarray(sheet).save(file, "WEBP", lossless=True, quality=100, method=6)
        write_bytes(MANIFEST, (Path(scratch) / manifest_name(plan)).read_bytes())


if __name__ == "__main__":
    make_sample()
