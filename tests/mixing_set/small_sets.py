"""Small mixing sets on disk, for the tests beside this file."""

import numpy as np
from PIL import Image

from ipmix.mixing_set.making import make
from ipmix.mixing_set.manifest import MixingSetPlan

MIX = {"ifs": 3, "julia": 2}


def write_images(folder, sizes):
    (folder / "class").mkdir(parents=True)
    rng = np.random.default_rng(0)
    arrays = []
    for i, (height, width) in enumerate(sizes):
        arrays.append(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
        Image.fromarray(arrays[-1]).save(folder / "class" / f"{i}.png")
    return arrays


def made(folder, files="png", shard=1, shards=1):
    plan = MixingSetPlan(seed=0, size=16, mix={"ifs": 9, "julia": 9}, files=files, shard=shard, shards=shards)
    for _ in make(plan, folder, 2):
        pass
