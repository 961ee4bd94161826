"""Where users wait beside the kernels: results without ``out=``, and image files to augmented batches.

``python -m benchmarks.waiting``: about five minutes. Ratios are those of the rounds of one run. The rows of files stand
beside torchvision's ImageFolder with RandomResizedCrop and a flip (no augmentation) in a DataLoader of two workers; the
last ones say what holds two threads back: two processes share no lock of an interpreter, only memory and processors.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.images import Source, find
from benchmarks.loader import FORMS, make_loader, row_name
from benchmarks.timing import FULL, QUICK, Contestant, Effort, Timing, race, ratio
from ipmix.augmentation.batches import augment
from ipmix.data.datasets import scan
from ipmix.methods.ipmix import IPMix
from ipmix.mixing_set.mixing_set import MixingSet
from ipmix.training.loader import Loader

TORCHVISION = "torchvision, no augmentation, 2 workers"
BATCHES = 16
"""In an epoch: a loader's threads make whole batches, so that a few would leave one idle at the end."""
PROCESSES = "IPMix, 2 processes of 1 thread"


def main() -> None:
    """Print a table for each part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting")
    parser.add_argument("--quick", action="store_true", help="few images and rounds: rough figures")
    effort = QUICK if parser.parse_args().quick else FULL
    source = find()
    print(f"Images: {source.description}; {os.cpu_count()} processors; {machine.load()}\n")
    results(effort, source)
    files(effort, source, 375, effort.count(512, 32))
    files(effort, source, 3000, effort.count(64, 8))


def results(effort: Effort, source: Source) -> None:
    """float32 at 224 with ``out=``, without, and without holding on to the result before."""
    images, mixing = source.images(64, 224), MixingSet.array(source.mixing(48, 224))
    form = {"output": "float32", "mean": 0.5, "std": 0.25, "layout": "nchw"}
    out, held = np.empty((len(images), 3, 224, 224), np.float32), [np.empty(0)]

    def given(number: int) -> None:
        augment(images, IPMix(), mixing, seed=0, epoch=number, out=out, **form)  # type: ignore[arg-type]

    def made(number: int) -> None:
        held[0] = augment(images, IPMix(), mixing, seed=0, epoch=number, **form)  # type: ignore[arg-type]

    racers = [Contestant(name, call, len(images)) for name, call in (("with out=", given), ("without", made))]
    show("224x224 float32, one thread", race(racers, effort), "with out=")


def files(effort: Effort, source: Source, shorter: int, count: int) -> None:
    """JPEG files to batches of 224x224."""
    mixing = MixingSet.array(source.mixing(48, 224))
    with tempfile.TemporaryDirectory() as top, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        kilobytes = source.write_jpegs(Path(top, "train"), count, shorter, 92)
        dataset = scan(top, "train")
        batch = max(2, count // BATCHES)
        racers = []
        for form in FORMS:
            for threads in (1, 2):
                loader = make_loader(form, threads, dataset, mixing)
                loader.batch_size = batch
                racers.append(Contestant(row_name(form, threads), _epochs(loader), count, threads))

        def processes(number: int) -> None:
            list(pool.map(_half, [(top, batch, number, part) for part in range(2)]))

        racers += [Contestant(PROCESSES, processes, count, 2)]
        racers += [Contestant(TORCHVISION, torchvision_epochs(Path(top, "train"), batch), count, 2)]
        timings = race(racers, effort)
    show(f"{count} JPEG files, shorter side {shorter}, {kilobytes:.0f} kB", timings, TORCHVISION)
    plain, mixed = (tuple(timings[row_name(form, threads)] for threads in (1, 2)) for form in FORMS[:2])
    for what, value in (
        ("IPMix, two threads beside one", ratio(mixed[1], mixed[0])),
        ("IPMix, two processes beside one thread", ratio(timings[PROCESSES], mixed[0])),
        ("IPMix's addition, one thread, %", 100 * (ratio(plain[0], mixed[0]) - 1)),
        ("IPMix's addition, two threads, %", 100 * (ratio(plain[1], mixed[1]) - 1)),
    ):
        print(f"{what:45} {value:8.2f}", flush=True)
    print()


def _epochs(loader: Loader) -> Callable[[int], None]:
    def call(number: int) -> None:
        for _ in loader.epoch(number):
            pass

    return call


def _half(work: tuple[str, int, int, int]) -> int:
    """One process's half of every batch; what it needs stays for the next epoch."""
    top, batch, epoch, part = work
    if top not in _kept:
        machine.one_thread()
        mixing = MixingSet.array(find().mixing(48, 224))
        _kept[top] = make_loader(FORMS[1], 1, scan(top, "train"), mixing)
    loader = _kept[top]
    loader.shard, loader.batch_size = (part, 2), 2 * batch
    return sum(len(batch) for batch in loader.epoch(epoch))


_kept: dict[str, Loader] = {}


def torchvision_epochs(folder: Path, batch: int) -> Callable[[int], None]:
    """An epoch a call of what torchvision's users write, its workers started once."""
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    steps = [v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), v2.PILToTensor()]
    loader = torch.utils.data.DataLoader(
        ImageFolder(folder, v2.Compose(steps)), batch, shuffle=True, num_workers=2, persistent_workers=True
    )

    def call(number: int) -> None:
        for _ in loader:
            pass

    return call


def show(title: str, timings: dict[str, Timing], beside: str) -> None:
    """A line for each contestant: the median round, the slowest and the fastest, and the ratio."""
    print(title)
    for name, timing in timings.items():
        rates = f"{timing.rate:9.1f} images/s ({timing.slowest:.1f} to {timing.fastest:.1f})"
        print(f"{name:45} {rates}  x{ratio(timing, timings[beside]):.2f}", flush=True)
    print()


if __name__ == "__main__":
    main()
