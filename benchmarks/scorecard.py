"""What the scorecard costs beyond the model's own forward passes; interleaved, in one process.

    python -m benchmarks.scorecard [--pictures 512] [--rounds 3] [--model wrn-16-1] [--threads 2]

Pictures are smooth random ones of CIFAR's size, the network is untrained (its speed doesn't depend on weights). Each
round runs every contestant once, the order turned round after each; a first round warms up and isn't counted. The floor
is the bare model on batches that lie ready as floats, as often as the scorecard asks it. Beyond that the scorecard
makes the corruptions, converts pictures, keeps the logits on the disk, and computes the measures with their
intervals. Printed: the median seconds of the rounds, the fastest and slowest, and the median of the rounds'
ratios to the floor. Memory: the peak of a process of its own for the number of pictures and four times as many,
which are made as they are read.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ipmix import models
from ipmix.corruptions import corrupt
from ipmix.corruptions.severities import CORRUPTIONS, PERTURBATIONS_CIFAR
from ipmix.evaluate import Plan, predict
from ipmix.scorecard import score

TARGET = 0.15
BATCH = 128
CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class Made:
    """Pictures that are made when they are read, so that the number of them takes no memory."""

    count: int
    name: str = "smooth random"
    classes: tuple[str, ...] = CLASSES

    @property
    def labels(self) -> np.ndarray:
        return np.arange(self.count, dtype=np.int64) % 10

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(start, min(stop, self.count))
        corners = np.stack([np.random.default_rng(place).random((4, 3)) for place in places]) * 255.0
        ramp = np.linspace(0.0, 1.0, 32)
        x, y = ramp[None, :, None], ramp[:, None, None]
        a, b, c, d = (corners[:, i, None, None, :] for i in range(4))
        images = a * (1 - x) * (1 - y) + b * x * (1 - y) + c * (1 - x) * y + d * x * y
        return images.astype(np.uint8), places

    def fingerprint(self) -> str:
        return f"smooth random {self.count}"


def floor(model: torch.nn.Module, source: Made, times: int) -> Callable[[], None]:
    """The bare model, ``times`` times over all pictures."""
    images, _ = source.read(0, source.count)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(times):
                for batch in pixels.split(BATCH):
                    model(batch)

    return run


def whole(model: torch.nn.Module, source: Made, plan: Plan, threads: int) -> Callable[[], None]:
    """Predictions and the scorecard, from pictures to figures."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            kept = predict(
                model, source, plan, folder,
                name="trial", device="cpu", batch_size=BATCH, threads=threads, quiet=True,
            )  # fmt: skip
            score(kept)

    return run


def race(contestants: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in list(contestants) if number % 2 == 0 else reversed(contestants):
            begin = time.perf_counter()
            contestants[name]()
            if number:
                times[name].append(time.perf_counter() - begin)
    return times


def table(title: str, first: str, times: dict[str, list[float]]) -> None:
    print(f"\n{title}")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times[first], strict=True))
        print(
            f"  {name:36} {statistics.median(seconds):7.2f} s  ({min(seconds):.2f} to {max(seconds):.2f})  x{ratio:.3f}"
        )
    added = statistics.median(a / b for a, b in zip(times["the scorecard"], times[first], strict=True)) - 1
    verdict = "met" if added <= TARGET else "missed"
    print(f"  added to the forward passes: {100 * added:.1f}% (target: at most {100 * TARGET:.0f}%: {verdict})")


def memory(pictures: int, words: argparse.Namespace) -> float:
    """MiB at most, of a process that measures so many pictures."""
    command = [sys.executable, "-m", "benchmarks.scorecard", "--memory-of", str(pictures), "--model", words.model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _peak(words: argparse.Namespace) -> None:
    model = models.build(words.model, 10).eval()
    whole(model, Made(words.memory_of), Plan(corruptions=("brightness",), attack=None), 1)()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="wrn-16-1")
    parser.add_argument("--threads", type=int, default=2, help="for the model, and for making corruptions")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.memory_of:
        _peak(words)
        return
    torch.set_num_threads(words.threads)
    model = models.build(words.model, 10).to(memory_format=torch.channels_last).eval()
    print(f"{words.model}, batches of {BATCH}, {words.threads} threads, torch {torch.__version__}, "
          f"Python {platform.python_version()}, {platform.machine()}")  # fmt: skip

    source = Made(words.pictures)
    plan = Plan(attack=None)
    times = 1 + len(CORRUPTIONS) * 5
    table(
        f"Clean and 15 corruptions at 5 severities: {words.pictures} pictures, {times} passes each",
        "forward passes alone",
        race(
            {
                "forward passes alone": floor(model, source, times),
                "corruptions alone": _corruptions(source, words.threads),
                "the scorecard": whole(model, source, plan, words.threads),
            },
            words.rounds,
        ),
    )
    few = Made(max(2, words.pictures // 4))
    films = Plan(corruptions=(), attack=None, perturbations=PERTURBATIONS_CIFAR)
    frames = 1 + _frames()
    table(
        f"Clean and 10 films of CIFAR-P: {few.count} pictures, {frames} passes each",
        "forward passes alone",
        race(
            {
                "forward passes alone": floor(model, few, frames),
                "the scorecard": whole(model, few, films, words.threads),
            },
            words.rounds,
        ),
    )
    least, most = memory(words.pictures, words), memory(4 * words.pictures, words)
    print(f"\nMemory at most: {least:.0f} MiB for {words.pictures} pictures, {most:.0f} for {4 * words.pictures}")


def _corruptions(source: Made, threads: int) -> Callable[[], None]:
    images, _ = source.read(0, source.count)

    def run() -> None:
        for name in CORRUPTIONS:
            for severity in range(1, 6):
                corrupt(images, name, severity, seed=0, threads=threads)

    return run


def _frames() -> int:
    from ipmix.corruptions import perturb

    images, _ = Made(2).read(0, 2)
    return sum(perturb(images, name, seed=0).shape[1] for name in PERTURBATIONS_CIFAR)


if __name__ == "__main__":
    main()
