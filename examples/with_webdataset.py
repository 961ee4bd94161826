"""WebDataset: a stream of samples, each augmented by its own key, whatever shard or worker it comes in."""

import tempfile

import numpy as np
import torch
import webdataset as wds
from torchvision.transforms import ToTensor

from ipmix.integrations.webdataset import AugmentedSample


def write_shards(folder: str) -> list[str]:
    names = [f"{folder}/{shard}.tar" for shard in range(2)]
    for shard, name in enumerate(names):
        with wds.TarWriter(name) as writer:
            for i in range(8):
                pixels = np.random.default_rng([shard, i]).integers(0, 256, (32, 32, 3), np.uint8)
                writer.write({"__key__": f"{shard}/{i}", "png": pixels, "cls": i % 4})
    return names


def main(**workings: object) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        augmented = AugmentedSample("ipmix-k3-t3", image="png", seed=0)  # the line
        samples = wds.WebDataset(write_shards(folder), shardshuffle=False).decode("pil").map(augmented)
        samples = samples.map_dict(png=ToTensor()).to_tuple("__key__", "png", "cls").batched(4)
        loader = torch.utils.data.DataLoader(samples, batch_size=None, **workings)
        means = {}
        for epoch in range(2):
            augmented.set_epoch(epoch)
            for keys, images, _ in loader:  # here a step of training
                for key, image in zip(keys, images):
                    means.setdefault(key, []).append(float(image.mean()))
    return means


if __name__ == "__main__":
    print(main(num_workers=2))
