"""What a training step costs: a hand-written loop, ours, and ours with IPMix; interleaved, in one process.

    python benchmarks/training.py [--steps 40] [--rounds 5] [--model wrn-16-1] [--jsd]

Pictures are random bytes of CIFAR's size. Each round runs every contestant once; the first round warms up and
is not counted. Printed: the median time of a step, its spread (fastest and slowest round), and the median of the
rounds' ratios to the hand-written loop. Data preparation of the hand-written loop: gathered, flipped and cropped
beforehand, so that it is a floor.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from ipmix import models
from ipmix.datasets import Pictures
from ipmix.loader import Loader
from ipmix.losses import cross_entropy, jsd_loss
from ipmix.methods import METHODS
from ipmix.mixing_set import MixingSet
from ipmix.optimising import Training
from ipmix.training import train


def hand_written(config: Training, pictures: Pictures) -> Callable[[], float]:
    """The least that a loop can do, on batches that are ready."""
    loader = Loader(pictures, batch_size=config.batch_size, seed=0, views=2 if config.jsd else 1, clean=config.jsd)
    batches = list(loader.epoch(0))

    def run() -> float:
        model = models.build(config.model, pictures.classes).to(memory_format=torch.channels_last).train()
        optimiser = torch.optim.SGD(model.parameters(), 0.1, 0.9, nesterov=True, weight_decay=1e-4)
        began = time.perf_counter()
        for batch in batches:
            images = torch.cat([torch.from_numpy(view).permute(0, 3, 1, 2) for view in batch.images])
            labels = torch.from_numpy(batch.labels)
            logits = model(images)
            loss = jsd_loss(*logits.chunk(3), labels) if config.jsd else cross_entropy(logits, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()
        return (time.perf_counter() - began) / len(batches)

    return run


def ours(config: Training, pictures: Pictures, method: object, mixing: object) -> Callable[[], float]:
    """The library's loop. The first epoch is left out: it starts the threads and warms the caches."""

    def run() -> float:
        clock: list[float] = []
        plain = Loader.epoch

        def epoch(self: Loader, *arguments: int) -> object:
            clock.append(time.perf_counter())
            return plain(self, *arguments)

        Loader.epoch = epoch  # type: ignore[method-assign, assignment]
        try:
            train(config, pictures, method=method, mixing=mixing, quiet=True, device="cpu")
        finally:
            Loader.epoch = plain  # type: ignore[method-assign]
        return (time.perf_counter() - clock[1]) / (len(pictures) // config.batch_size)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="wrn-16-1")
    parser.add_argument("--jsd", action="store_true")
    words = parser.parse_args()
    config = Training(model=words.model, epochs=2, jsd=words.jsd, log_steps=1000)
    count = words.steps * config.batch_size
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    pictures = Pictures(images, np.arange(count) % 10, tuple("0123456789"), "random")
    mixing = MixingSet.array(np.random.default_rng(1).integers(0, 256, (500, 36, 36, 3), dtype=np.uint8))
    contestants = {
        "hand-written loop": hand_written(config, pictures),
        "ipmix, no augmentation": ours(config, pictures, None, None),
        "ipmix, IPMix": ours(config, pictures, METHODS["ipmix"](), mixing),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round_number in range(words.rounds + 1):
        for name, run in contestants.items():
            seconds = run()
            if round_number:
                times[name].append(seconds)
    first = times["hand-written loop"]
    print(f"{words.model}, batch {config.batch_size}, jsd {config.jsd}, {torch.get_num_threads()} threads, "
          f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")  # fmt: skip
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, first, strict=True))
        print(
            f"{name:24} {1000 * statistics.median(seconds):8.2f} ms  "
            f"({1000 * min(seconds):.2f} to {1000 * max(seconds):.2f})  x{ratio:.3f}"
        )


if __name__ == "__main__":
    main()
