"""What training costs beside the network: the loop, the augmentation, a resumption; and what a second process gives.

    python -m benchmarks.training [--only steps|resume|processes] [--rounds 5] [--steps 40] [--model wrn-16-1] [--jsd]

Pictures are random bytes of CIFAR's size. About four minutes on two cores.

* Steps: a hand-written loop on batches that are ready (so a floor), ours without augmentation, ours with IPMix; on
  all cores, interleaved, in one process; the first round warms up and is not counted. The time of a step is that of
  a whole epoch (its end included: figures, state) by the number of its steps.
* Resume: from the call of ``train`` to the first batch in hand, for a new run and for one that goes on in the middle
  of an epoch of 50,000 pictures; wrn-40-4. The difference is what resuming costs beyond loading.
* Processes: the second epoch of one process with one thread, of one with two, and of two with one thread each (gloo),
  the same global batch.

Printed: medians of the rounds, the fastest and the slowest, and the median of the rounds' ratios, beside the targets.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from ipmix import models
from ipmix.datasets import Pictures
from ipmix.loader import Batch, Loader
from ipmix.losses import cross_entropy, jsd_loss
from ipmix.methods import METHODS
from ipmix.mixing_set import MixingSet
from ipmix.optimising import Training
from ipmix.training import train

HAND, PLAIN, AUGMENTED = "hand-written loop", "ipmix, no augmentation", "ipmix, IPMix"
STEP_TARGET, AUGMENTATION_TARGET, RESUME_TARGET = 1.05, 1.03, 2.0


def random_pictures(count: int) -> Pictures:
    """Random bytes in ten classes."""
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return Pictures(images, np.arange(count) % 10, tuple("0123456789"), "random")


# --- steps ------------------------------------------------------------------------------------------------------


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


@contextmanager
def epochs_noted(clock: list[float]) -> Iterator[None]:
    """The moments at which epochs begin."""
    plain = Loader.epoch

    def epoch(self: Loader, *arguments: int) -> object:
        clock.append(time.perf_counter())
        return plain(self, *arguments)

    Loader.epoch = epoch  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Loader.epoch = plain  # type: ignore[method-assign]


def ours(config: Training, pictures: Pictures, method: object, mixing: object) -> Callable[[], float]:
    """The library's loop. The first epoch is left out: it starts the threads and warms the caches."""

    def run() -> float:
        clock: list[float] = []
        with epochs_noted(clock):
            train(config, pictures, method=method, mixing=mixing, quiet=True, device="cpu")
        return (time.perf_counter() - clock[1]) / (len(pictures) // config.batch_size)

    return run


def steps(words: argparse.Namespace) -> None:
    """The loop's and the augmentation's share of a step."""
    config = Training(model=words.model, epochs=2, jsd=words.jsd, log_steps=1000)
    pictures = random_pictures(words.steps * config.batch_size)
    mixing = MixingSet.array(np.random.default_rng(1).integers(0, 256, (500, 36, 36, 3), dtype=np.uint8))
    contestants = {
        HAND: hand_written(config, pictures),
        PLAIN: ours(config, pictures, None, None),
        AUGMENTED: ours(config, pictures, METHODS["ipmix"](), mixing),
    }
    times = raced(contestants, words.rounds)
    print(f"\nSteps: {words.model}, batch {config.batch_size}, jsd {config.jsd}, {torch.get_num_threads()} threads")
    show(times, HAND, "ms", 1000)
    say_target("a step against the hand-written loop", ratio(times, PLAIN, HAND), STEP_TARGET)
    say_target("an epoch with IPMix against none", ratio(times, AUGMENTED, PLAIN), AUGMENTATION_TARGET)


# --- resuming ---------------------------------------------------------------------------------------------------


class Halted(Exception):
    """Stands for an interruption."""


def seconds_to_first_batch(config: Training, pictures: Pictures, out: Path, resume: bool) -> float:
    """From the call to the first batch in hand; then the run ends."""
    plain = Loader.epoch
    came: list[float] = []

    def epoch(self: Loader, *arguments: int) -> Iterator[Batch]:
        for _ in plain(self, *arguments):
            came.append(time.perf_counter())
            raise Halted

    Loader.epoch = epoch  # type: ignore[method-assign, assignment]
    began = time.perf_counter()
    try:
        train(config, pictures, out=out, resume=resume, force=not resume, quiet=True, device="cpu")
    except Halted:
        pass
    finally:
        Loader.epoch = plain  # type: ignore[method-assign]
    return came[0] - began


def stop_in_the_middle(config: Training, pictures: Pictures, out: Path) -> None:
    """A run whose state was saved in the middle of an epoch, as a signal has it saved."""
    plain = Loader.epoch

    def epoch(self: Loader, *arguments: int) -> Iterator[Batch]:
        for number, batch in enumerate(plain(self, *arguments)):
            if number == 3:
                raise Halted
            yield batch

    Loader.epoch = epoch  # type: ignore[method-assign, assignment]
    try:
        train(config, pictures, out=out, quiet=True, device="cpu", checkpoint_seconds=0.0)
    except Halted:
        pass
    finally:
        Loader.epoch = plain  # type: ignore[method-assign]


def resuming(words: argparse.Namespace) -> None:
    """What a resumption costs beyond loading."""
    config, pictures = Training(model="wrn-40-4", epochs=2, batch_size=16), random_pictures(50_000)
    with tempfile.TemporaryDirectory() as folder:
        stop_in_the_middle(config, pictures, Path(folder, "stopped"))
        contestants = {
            "a new run": lambda: seconds_to_first_batch(config, pictures, Path(folder, "new"), False),
            "a resumed run": lambda: seconds_to_first_batch(config, pictures, Path(folder, "stopped"), True),
        }
        times = raced(contestants, words.rounds)
    print("\nResume: wrn-40-4, 50,000 pictures in memory; to the first batch in hand")
    show(times, "a new run", "s", 1)
    costs = [b - a for a, b in zip(times["a new run"], times["a resumed run"])]
    say_target("seconds that resuming costs beyond loading", statistics.median(costs), RESUME_TARGET)


# --- processes --------------------------------------------------------------------------------------------------


def worker(out: str, words: argparse.Namespace) -> None:
    """One of the processes that torchrun starts, or the only one."""
    config = Training(model=words.model, epochs=2, log_steps=1000)
    mixing = np.random.default_rng(1).integers(0, 256, (500, 36, 36, 3), dtype=np.uint8)
    pictures = random_pictures(words.steps * config.batch_size)
    train(config, pictures, out=out, method=METHODS["ipmix"](), mixing=mixing, quiet=True, device="cpu")


def in_processes(count: int, threads: int, words: argparse.Namespace) -> float:
    """Seconds of the second epoch's steps."""
    with tempfile.TemporaryDirectory() as folder:
        start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
        own = ["--worker", f"{folder}/run", "--steps", str(words.steps), "--model", words.model]
        command = [sys.executable, *start, "-m", "benchmarks.training", *own]
        done = subprocess.run(
            command,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        rows = [json.loads(line) for line in Path(folder, "run", "speed.jsonl").read_text().splitlines()]
        return float(rows[1]["seconds"])


def processes(words: argparse.Namespace) -> None:
    """What a second process gives."""
    contestants = {
        "1 process, 1 thread": lambda: in_processes(1, 1, words),
        "1 process, 2 threads": lambda: in_processes(1, 2, words),
        "2 processes, 1 thread each": lambda: in_processes(2, 1, words),
    }
    times = raced(contestants, min(words.rounds, 3), warm=False)
    print(f"\nProcesses: {words.model} with IPMix, global batch 128, gloo; an epoch of {words.steps} steps")
    first = "1 process, 1 thread"
    show(times, first, "s", 1)
    two = 1 / ratio(times, "2 processes, 1 thread each", first)
    print(f"{'speed-up of two processes over one':52} x{two:.2f}  (on {os.cpu_count()} cores)")


# --- what they have in common -----------------------------------------------------------------------------------


def raced(contestants: dict[str, Callable[[], float]], rounds: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Every contestant once in each round; one round before that is not counted, if they are to be warm."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + warm):
        for name, run in contestants.items():
            seconds = run()
            if number or not warm:
                times[name].append(seconds)
    return times


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


def show(times: dict[str, list[float]], beside: str, unit: str, scale: float) -> None:
    """A line for each contestant."""
    for name, seconds in times.items():
        low, middle, high = (scale * kind(seconds) for kind in (min, statistics.median, max))
        print(f"{name:28} {middle:8.2f} {unit}  ({low:.2f} to {high:.2f})  x{ratio(times, name, beside):.3f}")


def say_target(what: str, value: float, most: float) -> None:
    """A figure beside its target."""
    print(f"{what:52} {value:.3f}  (target: at most {most}; {'met' if value <= most else 'MISSED'})", flush=True)


PARTS = {"steps": steps, "resume": resuming, "processes": processes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(PARTS))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="wrn-16-1")
    parser.add_argument("--jsd", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.worker:
        worker(words.worker, words)
        return
    # Whatever the surroundings say: network and augmentation share all cores.
    torch.set_num_threads(os.cpu_count() or 1)
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    )
    began = time.perf_counter()
    for name, part in PARTS.items():
        if words.only in (None, name):
            part(words)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
