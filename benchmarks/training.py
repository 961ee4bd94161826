"""What training costs beside the network: the loop, the augmentation, a resumption; and what a second process gives.

    python -m benchmarks.training [--quick] [--only steps|resume|processes] [--model wrn-16-1] [--jsd] [--threads 2]

Images are random bytes of CIFAR's size. About five minutes, a minute and a half with ``--quick``: a part whose
time is over takes no further turns, and says how many it took.

* Steps: ours without augmentation, ours with IPMix, and a hand-written loop on batches that are ready (a floor). They
  take turns of a few steps within one training, with the same network and the same memory: the loader's method is
  exchanged from epoch to epoch, and the hand-written loop runs before every second one. The order is turned round
  after every pair. A turn is a whole short epoch: its start, the wait for its first batch and its end are in it.
* Resume: from the call of ``train`` to the first batch in hand, for a new run and for one that goes on in the middle
  of an epoch of 50,000 images; wrn-40-4. The difference is what resuming costs beyond loading.
* Processes: one process with one thread, one with two, two with one thread each (gloo); the same global batch.

Printed: medians of the turns, the fastest and the slowest; medians of the turns' ratios with 95 % bootstrap intervals,
by the clock and in processor time, beside the targets. Processor time holds what threads spend waiting for each other.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from benchmarks.turns import Stopwatch, before_each_epoch, ratio, say_ratio, show
from ipmix import models
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.mixing_set.mixing_set import MixingSet
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Batch, Loader
from ipmix.training.loop import train
from ipmix.training.losses import cross_entropy, jsd_loss

HAND, PLAIN, AUGMENTED = "hand-written loop", "ipmix, no augmentation", "ipmix, IPMix"
STEP_TARGET, AUGMENTATION_TARGET, RESUME_TARGET = 1.05, 1.03, 2.0
SECONDS = {"steps": 120.0, "resume": 30.0, "processes": 110.0}
QUICK_SECONDS = {"steps": 35.0, "resume": 8.0, "processes": 25.0}
LEAST_TURNS = 2


class Halted(Exception):
    """Ends a training from within: an interruption, or enough turns."""


def random_images(count: int) -> ArrayDataset:
    """Random bytes in ten classes."""
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return ArrayDataset(images, np.arange(count) % 10, tuple("0123456789"), "random")


# --- steps ------------------------------------------------------------------------------------------------------


def hand_written(config: TrainingConfig, dataset: ArrayDataset) -> Callable[[], None]:
    """The least that a loop can do for an epoch, on batches that are ready."""
    loader = Loader(dataset, batch_size=config.batch_size, seed=0, views=2 if config.jsd else 1, clean=config.jsd)
    batches = list(loader.epoch(0))
    model = models.build(config.model, dataset.classes).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, nesterov=True, weight_decay=1e-4)

    def run() -> None:
        for batch in batches:
            images = torch.cat([torch.from_numpy(view).permute(0, 3, 1, 2) for view in batch.images])
            labels = torch.from_numpy(batch.labels)
            logits = model(images)
            loss = jsd_loss(logits, labels) if config.jsd else cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    return run


class StepTurns:
    """Whose turn each epoch of the one training is, until the time is over; the first pair warms up."""

    def __init__(self, hand: Callable[[], None], seconds: float) -> None:
        self.watch, self._end = Stopwatch(), time.monotonic() + seconds
        self.making: dict[str, list[float]] = {PLAIN: [], AUGMENTED: []}
        self._hand, self._method = hand, METHODS["ipmix"]()

    def __call__(self, loader: Loader, epoch: int) -> None:
        self.watch.stop(count=epoch > 2)
        pair, second = divmod(epoch, 2)
        if not second:
            if pair > LEAST_TURNS and time.monotonic() > self._end:
                raise Halted
            self.watch.start(HAND)
            self._hand()
            self.watch.stop(count=pair > 0)
        name = (PLAIN, AUGMENTED)[second ^ (pair % 2)]
        loader.method = self._method if name == AUGMENTED else None
        made = self.making[name] if pair else []
        loader._batch = lambda *what: timed(made, loader, *what)  # type: ignore[method-assign]
        self.watch.start(name)


def timed(made: list[float], loader: Loader, *what: object) -> Batch:
    """A batch; the processor time of the thread that makes it is noted."""
    began = time.thread_time()
    batch = Loader._batch(loader, *what)  # type: ignore[arg-type]
    made.append(time.thread_time() - began)
    return batch


def steps(words: argparse.Namespace) -> None:
    """The loop's and the augmentation's share of a step."""
    pairs, length = (8, 3) if words.quick else (30, 5)
    config = TrainingConfig(model=words.model, epochs=2 + 2 * pairs, jsd=words.jsd, log_steps=1000)
    dataset = random_images(length * config.batch_size)
    mixing = MixingSet.array(np.random.default_rng(1).integers(0, 256, (500, 36, 36, 3), dtype=np.uint8))
    turns = StepTurns(hand_written(config, dataset), words.seconds["steps"])
    with before_each_epoch(turns), suppress(Halted):
        train(config, dataset, method=METHODS["ipmix"](), mixing=mixing, quiet=True, device="cpu")
    turns.watch.stop()
    clock, processor = turns.watch.clock, turns.watch.processor
    print(
        f"\nSteps: {words.model}, batch {config.batch_size}, jsd {config.jsd}, {torch.get_num_threads()} threads; "
        f"{len(clock[HAND])} turns of {length} steps each; milliseconds a step"
    )
    show({name: [seconds / length for seconds in clock[name]] for name in (HAND, PLAIN, AUGMENTED)}, HAND, "ms", 1000)
    say_ratio("a step against the hand-written loop", ratio(clock[PLAIN], clock[HAND]), STEP_TARGET)
    say_ratio("the same in processor time", ratio(processor[PLAIN], processor[HAND]))
    say_ratio("an epoch with IPMix against none", ratio(clock[AUGMENTED], clock[PLAIN]), AUGMENTATION_TARGET)
    say_ratio("the same in processor time", ratio(processor[AUGMENTED], processor[PLAIN]))
    plain, augmented = (1000 * statistics.median(turns.making[name]) for name in (PLAIN, AUGMENTED))
    step = 1000 * statistics.median(processor[PLAIN]) / length
    print(
        f"making a batch takes the loader's thread {plain:.2f} ms, with IPMix {augmented:.2f} ms: "
        f"{100 * (augmented - plain) / step:.2f} % of a step's processor time ({step:.0f} ms)"
    )


# --- resuming ---------------------------------------------------------------------------------------------------


def halted_after(count: int, came: list[float]) -> Callable[[Loader, int], None]:
    """For :func:`before_each_epoch`: the loader gives this many batches, then the training ends."""

    def prepare(loader: Loader, _: int) -> None:
        def batch(indices: np.ndarray, epoch: int) -> Batch:
            made = Loader._batch(loader, indices, epoch)
            came.append(time.perf_counter())
            if len(came) > count:
                raise Halted
            return made

        loader._batch = batch  # type: ignore[method-assign]

    return prepare


def seconds_to_first_batch(config: TrainingConfig, dataset: ArrayDataset, out: Path, resume: bool) -> float:
    """From the call to the first batch in hand; then the run ends."""
    came: list[float] = []
    began = time.perf_counter()
    with before_each_epoch(halted_after(0, came)), suppress(Halted):
        train(config, dataset, out=out, resume=resume, force=not resume, quiet=True, device="cpu")
    return came[0] - began


def stop_in_the_middle(config: TrainingConfig, dataset: ArrayDataset, out: Path) -> None:
    """A run whose state was saved in the middle of an epoch, as a signal has it saved."""
    with before_each_epoch(halted_after(3, [])), suppress(Halted):
        train(config, dataset, out=out, quiet=True, device="cpu", checkpoint_seconds=0.0)


def resuming(words: argparse.Namespace) -> None:
    """What a resumption costs beyond loading."""
    config, dataset = TrainingConfig(model="wrn-40-4", epochs=2, batch_size=16), random_images(50_000)
    new, resumed = "a new run", "a resumed run"
    times: dict[str, list[float]] = {new: [], resumed: []}
    end = time.monotonic() + words.seconds["resume"]
    with tempfile.TemporaryDirectory() as folder:
        stop_in_the_middle(config, dataset, Path(folder, "stopped"))
        for turn in range(1 + 9):
            if turn > LEAST_TURNS and time.monotonic() > end:
                break
            seconds = {
                new: seconds_to_first_batch(config, dataset, Path(folder, "new"), False),
                resumed: seconds_to_first_batch(config, dataset, Path(folder, "stopped"), True),
            }
            for name in times if turn else ():
                times[name].append(seconds[name])
    print(f"\nResume: wrn-40-4, 50,000 images in memory; to the first batch in hand; {len(times[new])} turns")
    show(times, new, "s", 1)
    cost = statistics.median(b - a for a, b in zip(times[new], times[resumed]))
    verdict = "met" if cost <= RESUME_TARGET else "MISSED"
    print(f"{'seconds that resuming costs beyond loading':52} {cost:.3f}  (target: at most {RESUME_TARGET}; {verdict})")


# --- processes --------------------------------------------------------------------------------------------------


def processes(words: argparse.Namespace) -> None:
    """What a second process gives."""
    from benchmarks import training_processes

    rounds, length = (6, 3) if words.quick else (20, 5)
    one, threads, two = training_processes.SETTINGS
    times = training_processes.measured(
        words.model, rounds, length, seconds=words.seconds["processes"], least=LEAST_TURNS
    )
    print(
        f"\nProcesses: {words.model} with IPMix, global batch 128, gloo; {len(times[one])} turns of {length} steps each"
    )
    show(times, one, "s", 1)
    for name in (threads, two):
        say_ratio(f"speed-up: {name}", ratio(times[one], times[name]))
    print(f"on {os.cpu_count()} cores")


PARTS = {"steps": steps, "resume": resuming, "processes": processes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(PARTS))
    parser.add_argument("--quick", action="store_true", help="few turns: rough figures")
    parser.add_argument("--model", default="wrn-16-1")
    parser.add_argument("--jsd", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the network; by default all cores")
    words = parser.parse_args()
    words.seconds = QUICK_SECONDS if words.quick else SECONDS
    # Whatever the surroundings say: network and augmentation share all cores.
    torch.set_num_threads(words.threads)
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
