"""How long cells will take and what they need on the disk, from a short measurement on this machine.

What is measured: a few training steps of each network, and corrupting a few images. The rest is arithmetic. Several
processes at a time slow each other down by less than their number; what they share is not measured.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ipmix import models
from ipmix.core.image_sizes import SMALL_SIDE
from ipmix.corruptions import corrupt
from ipmix.data.built_in import BUILT_IN, SIZES
from ipmix.data.datasets import scan, splits
from ipmix.evaluation.plan import attack_cost, frame_count_of
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.run import measures_of
from ipmix.experiment.studies.measuring import CLOCK
from ipmix.experiment.studies.results import Job
from ipmix.experiment.studies.study_config import PassConfig

MOST_SECONDS = 60.0
"""What all measuring together may take."""

IMAGENET = (1_281_167, 50_000, 224, 1000)
"""Training images, test images, their side and classes."""

STATE_FACTOR = 5
"""A run's files, times the weights: last, best, and the state with the optimizer's momentum; one being written."""


@dataclass(frozen=True)
class Estimate:
    """What a cell needs.

    Attributes:
        seconds: alone on this machine.
        bytes: on the disk while it is at work.
    """

    seconds: float
    bytes: int


def estimates(todo: Sequence[Job], real: Callable[[Job], ExperimentConfig], device: str) -> list[Estimate]:
    """Estimates of jobs; those of like networks and sizes share a measurement.

    Args:
        todo: the jobs.
        real: a job's settings with the folders of this machine.
        device: "auto" or "cpu".
    """
    began = time.monotonic()
    counted: dict[object, tuple[int, int, int, int]] = {}  # a folder's files are listed once
    steps: dict[tuple[str, int, int, str], tuple[float, int]] = {}
    corrupting: dict[int, float] = {}
    found = []
    for job in todo:
        experiment = real(job)
        data = (job.experiment.data.source, experiment.data, experiment.training.crop_size)
        if data not in counted:
            counted[data] = counts(job.experiment.data.source, experiment)
        train, test, side, classes = counted[data]
        at = (experiment.training.model, side, classes, experiment.training.precision)
        if at not in steps:
            left = MOST_SECONDS - (time.monotonic() - began)
            steps[at] = step_seconds(*at, device, experiment.training.batch_size, min(15.0, max(left / 2, 1.0)))
        if side not in corrupting:
            corrupting[side] = corrupt_seconds(side) if time.monotonic() - began < MOST_SECONDS else 1e-6 * side * side
        each, weights = steps[at]
        views = 3 if experiment.training.jsd else 1
        seconds = train * experiment.training.epochs * views * each
        for name, wanted in job.passes.items():
            if name != CLOCK:
                seconds += pass_seconds(wanted, test, side, each / 3, corrupting[side])
        seconds += (test * each / 3) * experiment.training.epochs
        found.append(Estimate(seconds, STATE_FACTOR * weights + 64 * 2**20))
    return found


def counts(name: str, experiment: ExperimentConfig) -> tuple[int, int, int, int]:
    """Training images, test images, side and classes of an experiment's data."""
    source, data = experiment.data.source, experiment.data
    if source in BUILT_IN:
        return SIZES[source]
    if not Path(source).is_dir():
        return SIZES.get(name, IMAGENET)
    there = splits(source)
    train = scan(source, "train")
    test = data.test_split or next((split for split in ("test", "val") if split in there), None)
    side = experiment.training.crop_size if data.crop == "resized" else (data.size or SIZES.get(name, (0, 0, 32))[2])
    return len(train), len(scan(source, test)) if test else 0, side, len(train.classes)


def step_seconds(
    model: str, side: int, classes: int, precision: str, device: str, batch: int, most: float
) -> tuple[float, int]:
    """Seconds of a training step for each image, and the weights' bytes."""
    where = torch.device("cuda" if device == "auto" and torch.cuda.is_available() else "cpu")
    network = models.build(model, classes, channels=3, size=side).to(where).train()
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    batch = batch if where.type == "cuda" or side <= SMALL_SIDE else 8
    batch = min(batch, 128) if where.type == "cpu" else batch
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    images = torch.rand(batch, 3, side, side, device=where).to(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.long, device=where)

    def step(images: torch.Tensor, labels: torch.Tensor) -> float:
        began = time.monotonic()
        optimizer.zero_grad()
        with torch.autocast(where.type, dtype=dtype, enabled=dtype is not None):
            loss = torch.nn.functional.cross_entropy(network(images).float(), labels)
        loss.backward()
        optimizer.step()
        float(loss.detach())  # waits for an accelerator
        return time.monotonic() - began

    few = max(2, min(batch, 8))
    # A few images first: a large network's full batch could take minutes.
    step(images[:few], labels[:few])
    seconds = step(images[:few], labels[:few]) / few
    bytes = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if seconds * batch > most:
        return seconds, bytes
    began = time.monotonic()
    done: list[float] = []
    while len(done) < 12 and time.monotonic() - began < most:
        done.append(step(images, labels) / batch)
    return float(np.median(done[1:] or done)), bytes


def corrupt_seconds(side: int) -> float:
    """Seconds of making one corrupted image, mean over the test corruptions."""
    from ipmix.corruptions import CORRUPTIONS

    images = np.random.default_rng(0).integers(0, 256, (8, side, side, 3), dtype=np.uint8)
    total = 0.0
    for name in CORRUPTIONS:
        corrupt(images[:1], name, 3, seed=0)  # compiles
        began = time.monotonic()
        corrupt(images, name, 3, seed=0)
        total += (time.monotonic() - began) / len(images)
    return total / len(CORRUPTIONS)


def pass_seconds(wanted: PassConfig, test: int, side: int, forward: float, corrupting: float) -> float:
    """Seconds of a pass, by the rule that a gradient step is three passes forward."""
    plan = measures_of(wanted).plan(side)
    images = min(test, wanted.limit or test)
    made = len(plan.corruptions) * len(plan.severities)
    seconds = images * (1 + made) * forward + images * made * corrupting
    seconds += images * sum(map(frame_count_of, plan.perturbations)) * (forward + corrupting / 4)
    if plan.attack is not None:
        seconds += images * attack_cost(plan.attack) * forward
    return seconds


def long_words(seconds: float) -> str:
    """A long duration in words: "16 days", "5.2 h", "12 min"."""
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.0f} days"
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{max(1, math.ceil(seconds / 60))} min"
