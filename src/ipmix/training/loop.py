"""The training loop: batches in, a classifier out, and nothing lost on the way.

Every step's randomness is a pure function of (seed, step): order, crops and augmentation in the loader,
dropout here. So a run that was stopped at any step and resumed ends, on the CPU, with the same bytes as one
that was not.
"""

import copy
import dataclasses
import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ipmix import models
from ipmix.core.errors import InputError, first_line
from ipmix.core.processes import Processes
from ipmix.core.randomness import Key
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.sources import OnDisk
from ipmix.methods.protocol import Method
from ipmix.models.advice import check_takes
from ipmix.recipe.mixing_images import MixingImages
from ipmix.training.batch_statistics import least_images, readable_batchnorm
from ipmix.training.checkpoint import RunFolder
from ipmix.training.config import TrainingConfig
from ipmix.training.display import TrainingDisplay
from ipmix.training.loader import Batch, Loader
from ipmix.training.objective import Objective, views_of
from ipmix.training.optimizer import learning_rate, make_optimizer
from ipmix.training.run_record import record_of
from ipmix.training.saved_state import (
    ADVICE,
    bad,
    check_finite,
    check_keys,
    check_position,
    check_scaler,
    load_network,
    load_optimizer,
)
from ipmix.training.signals import Interruption, interruption
from ipmix.training.validation import error_and_loss

DROPOUT_SALT = 0x64726F70


class Diverged(InputError):
    """The loss is no longer a number: these settings don't train."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What training gives.

    Attributes:
        model: the classifier after the last epoch, in evaluation mode, on the CPU.
        epochs: a line of figures for each epoch: epoch (from 1), step, loss, train_error, test_error and
            test_loss (errors in percent).
        last: the last of these lines.
        best: the one with the lowest test error (the first of equals) of those with a finite test loss; the last
            where there is none, or no test images.
    """

    model: models.Classifier
    epochs: tuple[dict[str, Any], ...]
    last: dict[str, Any]
    best: dict[str, Any]


@dataclass
class _Position:
    """Where a run stands: the next step, and the figures summed so far."""

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    wrong: float = 0.0
    seen: int = 0
    recent_loss: float = 0.0
    recent_seen: int = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best: dict[str, Any] | None = None


def train(
    config: TrainingConfig,
    dataset: ArrayDataset | FileDataset,
    test: ArrayDataset | OnDisk | None = None,
    out: str | Path | None = None,
    *,
    method: Method | None = None,
    mixing: MixingImages | None = None,
    resume: bool = False,
    force: bool = False,
    threads: int = 1,
    engine: str = "compiled",
    device: str = "auto",
    checkpoint_seconds: float = 300.0,
    trackers: Sequence[str] = (),
    quiet: bool = False,
    resumable: bool = True,
) -> Outcome:
    """Train a classifier.

    Args:
        config: how.
        dataset: what to train on; files are decoded in each epoch, a random part of each.
        test: what to measure the error on after each epoch; the classes must be the same.
        out: the run's folder (see :mod:`ipmix.training.checkpoint`); None to write nothing.
        method: the augmentation; None for flips and crops alone.
        mixing: the mixing set, for methods that need one.
        resume: go on with the run in ``out``, if there is one.
        force: replace the run in ``out``.
        threads: of the augmentation. They don't change the result.
        engine: which engine augments.
        device: "auto" (the accelerator if there is one) or "cpu".
        checkpoint_seconds: save the run's state this often, besides after each epoch.
        trackers: where the figures go besides the folder: names that Accelerate knows, such as "tensorboard".
        quiet: show no progress.
        resumable: when a signal ends the run, say that --resume goes on with it.

    Raises:
        InputError: settings that don't fit each other, or a folder that can't be used.
        Diverged: the loss became infinite or not a number; the last good state is kept.
    """
    if test is not None and test.classes != dataset.classes:
        raise InputError(
            f"{test.name} and {dataset.name} have different classes "
            f"({len(test.classes)} and {len(dataset.classes)}): training needs the same ones in both"
        )
    if trackers and out is None:
        raise InputError("trackers write to the run's folder: give one")
    processes = Processes(config.precision, device, trackers, None if out is None else Path(out))
    record = record_of(config, dataset, test, method, mixing)
    with processes.keeping_randomness():
        run = _Run(config, dataset, test, processes, method, mixing, threads, engine)
        folder = processes.first_opens(
            lambda: None if out is None else RunFolder(out, record, resume=resume, force=force)
        )
        try:
            run.restore(processes.shared(folder.state if folder else None), Path(out or "") / "state.pt")
            display = TrainingDisplay(config, len(run.loader), quiet=quiet or not processes.first)
            with processes.tracking(), interruption(resumable=resumable) as stop, display:
                run.go(folder, stop, display, checkpoint_seconds)
        finally:
            if folder:
                folder.close()
    processes.shared(None)  # what the first has written is there for all of them from here on
    rows = run.position.rows
    best = run.position.best or rows[-1]
    model = processes.bare(run.published()).cpu().to(memory_format=torch.contiguous_format)
    return Outcome(model.eval(), tuple(rows), rows[-1], best)


class _Run:
    """One training run's moving parts."""

    def __init__(
        self,
        config: TrainingConfig,
        dataset: ArrayDataset | FileDataset,
        test: ArrayDataset | OnDisk | None,
        processes: Processes,
        method: Method | None,
        mixing: MixingImages | None,
        threads: int,
        engine: str,
    ) -> None:
        if config.sync_batchnorm and processes.device.type != "cuda":
            raise InputError(f"sync_batchnorm needs CUDA; this run is on {processes.device.type}: leave it out")
        self.config, self.test, self.processes = config, test, processes
        torch.manual_seed(config.seed)
        channels, size, width, setting = 3, config.crop_size, config.crop_size, "--crop-size"
        if isinstance(dataset, ArrayDataset):
            size, width, channels = dataset.images.shape[1:]
            setting = "--size"
        self.classifier = models.build(
            config.model,
            dataset.classes,
            channels=channels,
            size=size,
            dropout=config.dropout,
            pretrained=config.pretrained,
            weights=config.weights,
            new_head=True,
        )
        check_finite(config.weights or config.model, self.classifier.state_dict())
        check_takes(self.classifier, channels, size, width, setting=setting)
        self.least = least_images(self.classifier, config.batch_size // processes.count)
        self.loader = Loader(
            dataset,
            batch_size=config.batch_size,
            seed=config.seed,
            method=method,
            mixing=mixing,
            views=views_of(config, method),
            clean=config.jsd,
            flip=config.flip,
            pad=config.pad,
            size=config.crop_size,
            threads=threads,
            engine=engine,
            shard=(processes.rank, processes.count),
            least=self.least,
        )
        if not len(self.loader):
            raise InputError(f"{dataset.name} has too few images ({len(dataset)}) for one batch")
        if self.classifier.images_to_begin and not config.weights:
            images = torch.from_numpy(self.loader.first_images(self.classifier.images_to_begin))
            self.classifier.initialise_from(images.permute(0, 3, 1, 2))
        if config.channels_last:
            self.classifier.to(memory_format=torch.channels_last)
        if config.sync_batchnorm:
            self.classifier = nn.SyncBatchNorm.convert_sync_batchnorm(self.classifier)
        self.network, self.optimizer = processes.prepare(
            self.classifier, make_optimizer(config, self.classifier), compile=config.compile
        )
        self.objective = Objective(config, method, self.classifier, self.network, processes.device)
        self.ema = copy.deepcopy(self.classifier).requires_grad_(False) if config.ema_decay else None
        self.facts: dict[str, Any] = {"size": size}
        self.position = _Position()

    def go(self, folder: RunFolder | None, stop: Interruption, display: TrainingDisplay, save_seconds: float) -> None:
        """The loop: epochs, batches, and what is written after them."""
        saved = time.monotonic()
        while self.position.epoch < self.config.epochs:
            display.begin_epoch(self.position.epoch, self.position.batch)
            pending = None
            with closing(self.loader.epoch(self.position.epoch, self.position.batch)) as batches:
                for batch in display.waiting(batches):
                    save_now = time.monotonic() - saved > save_seconds
                    # The figures of a step are read while the next one computes.
                    figures = self._step(batch, stop.asked, save_now)
                    wishes = self._settle(pending, folder, display) if pending is not None else (False, False)
                    pending = figures
                    if any(wishes):
                        self._settle(pending, folder, display)
                        pending = None
                        self._save(folder)
                        saved = time.monotonic()
                        stop.obey(wishes[0], folder.path if folder else None)
            if pending is not None:
                asked, _ = self._settle(pending, folder, display)
                # All processes know of a wish in a step's figures; of one that came behind them, only its own.
                if asked or (stop.asked and self.processes.count == 1):
                    self._save(folder)  # measuring may take longer than whoever wants the end is willing to wait
                    stop.obey(True, folder.path if folder else None)
            self._finish_epoch(folder, display)
            saved = time.monotonic()

    def _step(self, batch: Batch, stop: bool, save: bool) -> torch.Tensor:
        """One step of the optimizer; the figures float[5]: loss sum, wrong, seen, wish to stop, to save."""
        config, processes = self.config, self.processes
        epoch, number = self.position.epoch, self.position.batch
        step = epoch * len(self.loader) + number
        self.position.batch += 1
        torch.manual_seed(_dropout_seed(config.seed, step, processes.rank))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, step, len(self.loader)) * group.get("lr_factor", 1.0)
        self.network.train()
        self.optimizer.zero_grad()
        total = self.loader.batch_length(number)
        figures = processes.figures(5)
        count = min(config.accumulate, max(1, len(batch) // self.least))
        micro_batches = np.array_split(np.arange(len(batch)), count)
        for micro_batch in micro_batches:
            with processes.synchronising(self.network, micro_batch is micro_batches[-1]):
                with readable_batchnorm(config.batch_size, processes.count):
                    loss, wrong = self.objective(batch, micro_batch, epoch)
                # Gradients are averaged over processes: each counts by its share of the whole batch.
                processes.backward(loss * (len(micro_batch) * processes.count / total))
            figures[0] += loss.detach() * len(micro_batch)
            figures[1] += wrong
        if config.clip_norm is not None:
            processes.clip(self.network, config.clip_norm)
        self.optimizer.step()
        if self.ema is not None:
            _follow(self.ema, self.classifier, config.ema_decay or 0.0)
        figures[2], figures[3], figures[4] = len(batch), float(stop), float(save)
        processes.add_up(figures)
        return figures

    def _settle(self, figures: torch.Tensor, folder: RunFolder | None, display: TrainingDisplay) -> tuple[bool, bool]:
        """Read a step's figures: sum them up, log them; whether anybody wishes to stop or to save."""
        loss, wrong, seen, stop, save = figures.tolist()
        at = self.position
        steps = len(self.loader)
        at.loss += loss
        at.wrong += wrong
        at.seen += int(seen)
        at.recent_loss += loss
        at.recent_seen += int(seen)
        number = min(math.ceil(at.seen / self.config.batch_size), steps) - 1  # the last batch may be a larger one
        if not math.isfinite(loss):
            kept = folder.what_is_kept() if folder else "nothing was written"
            raise Diverged(
                f"the loss became {loss} in epoch {at.epoch + 1}, batch {number + 1} of {steps} (step "
                f"{at.epoch * steps + number + 1}); {kept}. Lower the learning rate, add a warm-up or clip "
                "the gradient's norm"
            )
        display.step(loss / seen, 100 * wrong / seen, int(seen))
        step = at.epoch * steps + number
        if (step + 1) % self.config.log_steps == 0:
            row = {
                "epoch": at.epoch + 1,
                "step": step + 1,
                "recent_loss": at.recent_loss / at.recent_seen,
                "learning_rate": learning_rate(self.config, step, steps),
            }
            at.recent_loss, at.recent_seen = 0.0, 0
            self.processes.track(row)
            if folder:
                folder.log("metrics.jsonl", row)
        return stop > 0, save > 0

    def _finish_epoch(self, folder: RunFolder | None, display: TrainingDisplay) -> None:
        """Measure, log, keep the last and the best network, save the state."""
        at = self.position
        row: dict[str, Any] = {
            "epoch": at.epoch + 1,
            "step": (at.epoch + 1) * len(self.loader),
            "loss": at.loss / at.seen,
            "train_error": 100 * at.wrong / at.seen,
        }
        if self.test is not None:
            row |= error_and_loss(self.published(), self.test, self.processes, channels_last=self.config.channels_last)
        at.rows.append(row)
        self.processes.track(row)
        improved = (
            self.test is not None
            and math.isfinite(row["test_loss"])
            and (at.best is None or row["test_error"] < at.best["test_error"])
        )
        if improved:
            at.best = row
        at.epoch, at.batch, at.loss, at.wrong, at.seen = at.epoch + 1, 0, 0.0, 0.0, 0
        if folder:
            folder.log("metrics.jsonl", row)
            folder.log("speed.jsonl", {"epoch": row["epoch"], **display.speed(), "processes": self.processes.count})
            facts = {**self.facts, "figures": row}
            if improved:
                folder.save_network("best", self.published(), facts)
            folder.save_network("last", self.published(), facts)
        self._save(folder)
        display.end_epoch(row)

    def published(self) -> models.Classifier:
        """The network that is measured and kept: the moving average where there is one."""
        return self.classifier if self.ema is None else self.ema

    def _save(self, folder: RunFolder | None) -> None:
        if folder:
            folder.save_state(
                {
                    "position": dataclasses.asdict(self.position),
                    "network": self.classifier.state_dict(),
                    "ema": None if self.ema is None else self.ema.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "scaler": self.processes.scaler_state(),
                }
            )

    def restore(self, state: dict[str, Any] | None, path: Path) -> None:
        """Go to the state saved in ``path``; nothing on disk changes, whatever is wrong with it."""
        if state is None:
            return
        check_keys(path, state, ("position", "network", "ema", "optimizer", "scaler"))
        names = tuple(field.name for field in dataclasses.fields(_Position))
        check_position(path, state["position"], names, self.config.epochs, len(self.loader))
        load_network(path, "network", self.classifier, state["network"])
        if self.ema is not None:
            load_network(path, "ema", self.ema, state["ema"])
        elif state["ema"] is not None:
            raise bad(path, "ema", "none, since this run keeps no moving average", state["ema"])
        load_optimizer(path, self.optimizer, state["optimizer"])
        check_scaler(path, state["scaler"])
        try:
            self.processes.restore_scaler(state["scaler"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise InputError(f"{path}: scaler does not fit this run ({first_line(error)}); {ADVICE}") from None
        self.position = _Position(**state["position"])


def _dropout_seed(seed: int, step: int, rank: int) -> int:
    return int(Key(seed ^ DROPOUT_SALT, 0, step, rank).stream()[0])


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average's weights towards the network's; buffers (BatchNorm's statistics) are copied."""
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight, 1.0 - decay)
        for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)
