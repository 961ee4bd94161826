"""grain (JAX): IPMix as a random map, exact under grain's threads and worker processes."""

import grain.python as grain
import numpy as np

from ipmix.integrations.grain import GrainTransform


class Pixels:
    """A source of grain's: a length, and items by number."""

    def __init__(self, count: int) -> None:
        self.images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        return {"image": self.images[index], "label": index % 4}


def main(workers: int = 0, threads: int = 16, epochs: int = 2) -> np.ndarray:
    dataset = grain.MapDataset.source(Pixels(16)).seed(0).shuffle().repeat(epochs)
    dataset = dataset.random_map(GrainTransform("ipmix-k3-t3"))  # the line
    batches = dataset.to_iter_dataset(grain.ReadOptions(num_threads=threads)).batch(8)
    if workers:
        batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    means = [batch["image"].mean(axis=(1, 2, 3)) for batch in batches]  # here a step of training
    print(f"{len(means)} batches, the images' means {np.concatenate(means).round(1)}")
    return np.concatenate(means)


if __name__ == "__main__":
    main()
