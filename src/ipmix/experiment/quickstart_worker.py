"""One network of the quickstart: trained and measured in a process of its own, on one thread.

Two small networks side by side use two cores better than one network on both; and a single thread's sums
don't depend on how many cores there are, so the same seed gives the same figures on any of them.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from ipmix.core.bounds import BATCH_MOST, EPOCHS_MOST, MIXING_MOST, SIDE_LEAST
from ipmix.core.errors import InputError
from ipmix.core.files import write_text
from ipmix.core.json_text import json_text
from ipmix.core.ranges import INT64, SEED, Range, check_ranges, numbers
from ipmix.data.built_in import BUILT_IN
from ipmix.data.datasets import ArrayDataset, load, scan, splits
from ipmix.methods import IPMix
from ipmix.mixing_set.mixing_set import MixingSet
from ipmix.recipe.operations import operation_names

PLAIN, IPMIX = "plain", "IPMix"
NAMES = (PLAIN, IPMIX)


SIZE_MOST = 512
"""Pixels; both networks take minutes at 32."""


@dataclass(frozen=True)
class QuickstartConfig:
    """What is trained and measured; everything that decides the figures."""

    data: str = "digits"
    seed: int = 0
    model: str = "wrn-10-1"
    epochs: int = 16
    batch_size: int = 64
    lr: float = 0.1
    jsd: bool = False
    size: int = 32
    train_images: int = 5000
    test_images: int = 1000
    mixing_images: int = 400

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "seed": SEED,
                "epochs": Range(1, EPOCHS_MOST),
                "batch_size": Range(1, BATCH_MOST),
                "lr": numbers(0, above=True),
                "size": Range(SIDE_LEAST, SIZE_MOST),
                "train_images": Range(2, INT64[1]),
                "test_images": Range(2, INT64[1]),
                "mixing_images": Range(1, MIXING_MOST),
            },
        )


def work(result: Connection, settings: QuickstartConfig, name: str, out: Path, device: str, force: bool) -> None:
    """The process: sends ("measured", percent) while it measures, then one of the others.

    These are ("card", scorecard), ("input", message) and ("failure", traceback).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means, and ends this process
    end_with_parent()
    try:
        card = train_and_measure(settings, name, out, device=device, force=force, told=percent_to(result))
        result.send(("card", card))
    except InputError as error:
        result.send(("input", str(error)))
    except BaseException:
        result.send(("failure", traceback.format_exc()))


def percent_to(result: Connection) -> Callable[[int, int], None]:
    """What sends how much is measured, in whole percent, whenever that has grown."""
    sent = 0

    def told(done: int, total: int) -> None:
        nonlocal sent
        if (percent := 100 * done // max(total, 1)) > sent:
            sent = percent
            result.send(("measured", percent))

    return told


def end_with_parent() -> None:
    """End this process when the one that started it does, even if that was killed and could tell nobody."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True, name="ipmix watches its parent").start()


def train_and_measure(
    settings: QuickstartConfig,
    name: str,
    out: Path,
    *,
    device: str = "cpu",
    force: bool = False,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train the network ``name`` and give its scorecard; files go to ``out``/``name`` in small letters.

    ``told`` is called as it measures, as :func:`ipmix.evaluation.predicting.predict` says.
    """
    import torch

    from ipmix.data.sources import InMemory
    from ipmix.evaluation.per_image import FILE, write_per_image
    from ipmix.evaluation.plan import AttackConfig, EvaluationPlan
    from ipmix.evaluation.predicting import predict
    from ipmix.evaluation.scorecard import scored
    from ipmix.training.loop import train

    torch.set_num_threads(1)
    folder = out / name.lower()
    train_set, test_set = images_of(settings, quiet=True)
    mixing = mixing_of(settings) if name == IPMIX else None
    outcome = train(
        training_of(settings, name),
        train_set,
        None,
        folder,
        method=method_of(settings) if name == IPMIX else None,
        mixing=mixing,
        force=force,
        device=device,
        quiet=True,
        resumable=False,
    )
    kept = predict(
        outcome.model,
        InMemory(test_set),
        EvaluationPlan(attack=AttackConfig(), seed=settings.seed),
        folder / "predictions",
        name=name,
        device=device,
        force=force,
        quiet=True,
        told=told,
    )
    found = scored(kept, seed=settings.seed)
    card = dict(found.card)
    if found.per_image is not None:
        write_per_image(folder / FILE, found.per_image)
    write_text(folder / "scorecard.json", json_text(card, indent=1) + "\n")
    return card


def training_of(settings: QuickstartConfig, name: str) -> Any:
    """How a network is trained: both alike, but for the Jensen-Shannon loss where it is asked for."""
    from ipmix.training.config import TrainingConfig

    return TrainingConfig(
        model=settings.model,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        lr=settings.lr,
        jsd=settings.jsd and name == IPMIX,
        dropout=0.0,
        # Digits have a left and a right; photos may be mirrored.
        flip=settings.data != "digits",
        seed=settings.seed,
    )


def method_of(settings: QuickstartConfig) -> IPMix:
    """IPMix as the quickstart uses it: the default form; for digits without mirroring."""
    if settings.data != "digits":
        return IPMix()
    # A mirrored 2 is no 2: of the core operations, the one that would change a digit's label is left out.
    return IPMix(operations=tuple(name for name in operation_names("core") if name != "mirror"))


def mixing_of(settings: QuickstartConfig) -> MixingSet:
    """The fractals that are mixed in, from the cache or made now: affine systems, to compile one kind only."""
    side = settings.size + settings.size // 8
    return MixingSet.generate(settings.mixing_images, side, settings.seed, mix={"ifs": 1})


def images_of(settings: QuickstartConfig, *, quiet: bool) -> tuple[ArrayDataset, ArrayDataset]:
    """The images to train and to test on, thinned to the settings' numbers.

    Raises:
        InputError: one of both is missing, or their classes differ.
    """
    found = splits(settings.data)
    second = "test" if "test" in found else "val"
    if "train" not in found or second not in found:
        raise InputError(
            f"{settings.data} needs images to train and to test on: expected train/<class>/<image> and "
            f"test/<class>/<image> (or val), found {', '.join(found) or 'neither'}"
        )
    train_set = _some(settings, "train", settings.train_images, quiet)
    test_set = _some(settings, second, settings.test_images, quiet)
    if train_set.classes != test_set.classes:
        raise InputError(f"{settings.data}: train and {second} have different class folders; both need the same")
    return train_set, test_set


def _some(settings: QuickstartConfig, split: str, count: int, quiet: bool) -> ArrayDataset:
    """At most ``count`` images of a split; of a folder only those are decoded."""
    if settings.data in BUILT_IN:
        return thinned(load(settings.data, split, size=settings.size, quiet=quiet), count)
    files = scan(settings.data, split)
    chosen = spread(files.labels, count)
    paths = tuple(files.paths[i] for i in chosen)
    return replace(files, paths=paths, labels=files.labels[chosen]).read(size=settings.size, quiet=quiet)


def thinned(dataset: ArrayDataset, count: int) -> ArrayDataset:
    """At most ``count`` of the images; see :func:`spread`."""
    chosen = spread(dataset.labels, count)
    return replace(dataset, images=dataset.images[chosen], labels=dataset.labels[chosen])


def spread(labels: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` positions, each class by its share, evenly over the set's order: int64, ascending."""
    if len(labels) <= count:
        return np.arange(len(labels))
    chosen = np.linspace(0, len(labels) - 1, count).round().astype(np.int64)
    return np.sort(np.argsort(labels, kind="stable")[chosen])
