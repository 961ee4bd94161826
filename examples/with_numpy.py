"""Plain NumPy: augmented batches, and one image at a time in a loop of one's own."""

import numpy as np

import ipmix
from ipmix.integrations.numpy import AugmentedBatches


def main(threads: int = 2) -> float:
    draws = np.random.default_rng(0)
    images, labels = draws.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8), draws.integers(0, 4, 64)
    weights = np.zeros((3 * 32 * 32, 4), np.float32)
    batches = AugmentedBatches(  # the line
        images, labels, "ipmix-k3-t3", batch_size=16, seed=0, threads=threads, output="float32", mean=0.5, std=0.5
    )
    for epoch in range(3):
        for pixels, targets in batches:
            flat = pixels.reshape(len(pixels), -1)
            scores = np.exp(flat @ weights)
            wrong = scores / scores.sum(axis=1, keepdims=True) - np.eye(4, dtype=np.float32)[targets]
            weights -= 1e-4 * flat.T @ wrong
        print(f"epoch {epoch}: largest weight {np.abs(weights).max():.4f}")
    augmenter = ipmix.Augmenter(ipmix.IPMix(), ipmix.MixingSet.sample(), seed=0)  # for single images, from any thread
    print(augmenter(images[7], index=7, epoch=0).shape)
    return float(np.abs(weights).max())


if __name__ == "__main__":
    main()
