"""What the scorecard costs beyond the model's own passes; interleaved, in one process.

    python -m benchmarks.scorecard [--images 256] [--rounds 3] [--model wrn-16-1] [--threads 2] [--parts ...]

Images are CIFAR-10's where IPMIX_TEST_DATA names them, synthetic ones otherwise; the network is untrained (its speed
doesn't depend on weights). Four parts: the 15 corruptions and C-bar, at 5 severities each, the ten perturbation
sequences of CIFAR-P, and the attack. The floor of each is the bare model on batches that lie ready as floats, as
often as the scorecard asks it; of the attack, its forward and backward passes. Beyond that the scorecard makes the
images, converts them, keeps the logits on the disk, and computes the measures with their intervals.

Each round runs every contestant once, the order turned round after each; a first round, on a few images, warms up and
isn't counted. Printed: the median seconds of the rounds, by the clock and of the processor, and what is added to the
floor, the median of the rounds' ratios. Memory: the peak of a process of its own for the number of images and four
times as many, which are made as they are read.
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
from torch.nn.functional import cross_entropy

from benchmarks.dataset import ImageSource, find
from ipmix import models
from ipmix.corruptions import perturb
from ipmix.corruptions.severities import C_BAR_CIFAR, PERTURBATIONS_CIFAR
from ipmix.evaluation.plan import AttackConfig, EvaluationPlan
from ipmix.evaluation.predicting import predict
from ipmix.evaluation.scorecard import score

TARGET = 0.15
BATCH = 128
WARM = 16
CLASSES = tuple("0123456789")
PARTS = {
    "corruptions": EvaluationPlan(attack=None),
    "C-bar": EvaluationPlan(corruptions=C_BAR_CIFAR, attack=None),
    "sequences": EvaluationPlan(corruptions=(), attack=None, perturbations=PERTURBATIONS_CIFAR),
    "attack": EvaluationPlan(corruptions=()),
}

Seconds = tuple[float, float]
"""By the clock, and of the processor."""


@dataclass(frozen=True)
class Ready:
    """Images of CIFAR's size, in memory."""

    images: np.ndarray
    name: str
    classes: tuple[str, ...] = CLASSES

    @property
    def labels(self) -> np.ndarray:
        return np.arange(len(self.images), dtype=np.int64) % 10

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        return self.images[start:stop], np.arange(start, min(stop, len(self.images)))

    def fingerprint(self) -> str:
        return f"{self.name} {len(self.images)}"


@dataclass(frozen=True)
class Made:
    """Images that are made when they are read, so that the number of them takes no memory."""

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


def forward_passes(plan: EvaluationPlan) -> int:
    """How often the scorecard asks the model about each image, the attack aside."""
    few = Made(2).read(0, 2)[0]
    frames = sum(perturb(few, name, seed=0).shape[1] for name in plan.perturbations)
    return 1 + len(plan.corruptions) * len(plan.severities) + frames


def bare(model: torch.nn.Module, source: Ready, plan: EvaluationPlan) -> Callable[[], None]:
    """The model's own passes: forward as often as the plan asks, and the attack's steps."""
    pixels = torch.from_numpy(source.images).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)
    labels = torch.from_numpy(source.labels)
    times = forward_passes(plan)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(times):
                for batch in pixels.split(BATCH):
                    model(batch)
        if plan.attack is not None:
            for batch, truth in zip(pixels.split(BATCH), labels.split(BATCH), strict=True):
                _gradients(model, batch, truth, plan.attack)

    return run


def _gradients(model: torch.nn.Module, batch: torch.Tensor, truth: torch.Tensor, attack: AttackConfig) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for _ in range(attack.steps):
        changed = batch.clone().requires_grad_(True)
        torch.autograd.grad(cross_entropy(model(changed), truth, reduction="sum"), changed)
    with torch.inference_mode():
        model(batch)


def whole(model: torch.nn.Module, source: Ready | Made, plan: EvaluationPlan, threads: int) -> Callable[[], None]:
    """Predictions and the scorecard, from images to figures."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            kept = predict(
                model, source, plan, folder,
                name="trial", device="cpu", batch_size=BATCH, threads=threads, quiet=True,
            )  # fmt: skip
            score(kept)

    return run


def race(contestants: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[Seconds]]:
    times: dict[str, list[Seconds]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants) if number % 2 == 0 else reversed(contestants):
            begin, busy = time.perf_counter(), time.process_time()
            contestants[name]()
            times[name].append((time.perf_counter() - begin, time.process_time() - busy))
    return times


def line(name: str, floor: list[Seconds], ours: list[Seconds]) -> None:
    """Print one part: medians, and what is added, by the clock and of the processor."""
    added = [100 * (statistics.median(a[k] / b[k] for a, b in zip(ours, floor, strict=True)) - 1) for k in (0, 1)]
    clock, busy = ([statistics.median(t[k] for t in times) for times in (floor, ours)] for k in (0, 1))
    ratios = [100 * (a[0] / b[0] - 1) for a, b in zip(ours, floor, strict=True)]
    print(
        f"  {name:12} {clock[0]:8.2f} {clock[1]:8.2f} s  {added[0]:+.1f}% ({min(ratios):.1f} to {max(ratios):.1f})"
        f"   {busy[0]:8.2f} {busy[1]:8.2f} s  {added[1]:+.1f}%",
        flush=True,
    )


def summed(times: list[list[Seconds]]) -> list[Seconds]:
    """The same round of several parts, together."""
    return [(sum(t[0] for t in part), sum(t[1] for t in part)) for part in zip(*times, strict=True)]


def memory(dataset: int, words: argparse.Namespace) -> float:
    """MiB at most, of a process that measures so many images."""
    command = [sys.executable, "-m", "benchmarks.scorecard", "--memory-of", str(dataset), "--model", words.model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _peak(words: argparse.Namespace) -> None:
    model = models.build(words.model, 10).eval()
    plan = EvaluationPlan(corruptions=("brightness",), severities=(3,), attack=None, perturbations=("translate",))
    whole(model, Made(words.memory_of), plan, 1)()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="wrn-16-1")
    parser.add_argument("--threads", type=int, default=2, help="for the model, and for making corruptions")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--no-memory", action="store_true", help="leave out the measurement of memory")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.memory_of:
        _peak(words)
        return
    torch.set_num_threads(words.threads)
    model = models.build(words.model, 10).to(memory_format=torch.channels_last).eval()
    dataset: ImageSource = find()
    source = Ready(np.array(dataset.images(words.dataset, 32)), dataset.description)
    few = Ready(source.images[:WARM], source.name)
    print(f"{words.model}, {words.dataset} images, batches of {BATCH}, {words.threads} threads, {words.rounds} rounds")
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}; {source.name}")
    print("  part           passes  scorecard   added (slowest, fastest round)   the same in processor time")
    floors, ours = [], []
    for name in words.parts:
        plan = PARTS[name]
        bare(model, few, plan)()
        whole(model, few, plan, words.threads)()
        contestants = {"passes": bare(model, source, plan), "scorecard": whole(model, source, plan, words.threads)}
        times = race(contestants, words.rounds)
        floors.append(times["passes"])
        ours.append(times["scorecard"])
        line(name, floors[-1], ours[-1])
    floor, all_of_it = summed(floors), summed(ours)
    line("together", floor, all_of_it)
    added = statistics.median(a[0] / b[0] for a, b in zip(all_of_it, floor, strict=True)) - 1
    verdict = "met" if added <= TARGET else "missed"
    print(f"Added by the clock: {100 * added:.1f}% (target: at most {100 * TARGET:.0f}%: {verdict})")
    if not words.no_memory:
        least, most = memory(words.dataset, words), memory(4 * words.dataset, words)
        print(f"Memory at most: {least:.0f} MiB for {words.dataset} images, {most:.0f} for {4 * words.dataset}")


if __name__ == "__main__":
    main()
