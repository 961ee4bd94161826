"""What a training run shows: a bar with its figures on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

from ipmix.core.progress import duration
from ipmix.core.terminal import tell
from ipmix.training.config import TrainingConfig

Item = TypeVar("Item")

PLAIN_SECONDS = 30.0
SMOOTHING = 0.98


class TrainingDisplay:
    """Epoch, loss, error, images per second, the share of time spent waiting for data, time left."""

    def __init__(self, config: TrainingConfig, steps: int, *, quiet: bool = False) -> None:
        self._config, self._steps, self._quiet = config, steps, quiet
        self._bar: Any = None
        self._task: Any = None
        self._first = self._epoch_began = self._line = time.monotonic()
        self._waited = self._loss = self._error = 0.0
        self._images = self._epoch = self._batch = self._done = 0

    def __enter__(self) -> "TrainingDisplay":
        if not self._quiet and sys.stderr.isatty():
            self._bar = _bar()
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=self._config.epochs * self._steps, figures="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()

    def begin_epoch(self, epoch: int, batch: int) -> None:
        """An epoch begins, at this batch."""
        self._epoch, self._batch = epoch, batch
        self._epoch_began = time.monotonic()
        self._waited = 0.0
        self._images = 0

    def waiting(self, batches: Iterator[Item]) -> Iterator[Item]:
        """The same items; the time it takes to get each is counted as waiting."""
        while True:
            asked = time.monotonic()
            item = next(batches, None)
            self._waited += time.monotonic() - asked
            if item is None:
                return
            yield item

    def step(self, loss: float, error: float, images: int) -> None:
        """A step is done: its mean loss, its error in percent, its number of images."""
        self._batch += 1
        self._done += 1
        self._images += images
        # Mean over the first steps, then a moving one.
        keep = min(SMOOTHING, 1.0 - 1.0 / self._done)
        self._loss = keep * self._loss + (1 - keep) * loss
        self._error = keep * self._error + (1 - keep) * error
        if self._quiet:
            return
        now = time.monotonic()
        if self._done == 1:
            self._first = now
        if self._bar is not None:
            done = self._epoch * self._steps + self._batch
            self._bar.update(self._task, completed=done, figures=self._figures(now))
        elif now - self._line > PLAIN_SECONDS:
            self._line = now
            self._write(self._figures(now))

    def end_epoch(self, row: dict[str, Any]) -> None:
        """An epoch is measured and saved: its line of figures."""
        if self._quiet:
            return
        speed = self.speed()
        parts = [
            f"epoch {row['epoch']}/{self._config.epochs}",
            f"loss {row['loss']:.3f}",
            f"train error {row['train_error']:.2f}%",
        ]
        if "test_error" in row:
            parts.append(f"test error {row['test_error']:.2f}%")
        parts.append(duration(speed["seconds"]))
        parts.append(f"{speed['images_per_second']:.0f} images/s")
        parts.append(f"waiting {100 * speed['waiting_share']:.0f}%")
        self._line = time.monotonic()
        self._write("  ".join(parts))

    def speed(self) -> dict[str, float]:
        """The epoch's clock: seconds, images per second, share of the time spent waiting for data."""
        seconds = max(time.monotonic() - self._epoch_began, 1e-9)
        return {
            "seconds": round(seconds, 3),
            "images_per_second": round(self._images / seconds, 1),
            "waiting_share": round(self._waited / seconds, 4),
        }

    def _figures(self, now: float) -> str:
        seconds = max(now - self._epoch_began, 1e-9)
        left = (self._config.epochs - self._epoch) * self._steps - self._batch
        # The first step starts threads and compiles: the time left is reckoned from its end.
        rate = (now - self._first) / max(self._done - 1, 1)
        ending = f"  {duration(rate * left)} left" if self._done > 1 else ""
        return (
            f"epoch {self._epoch + 1}/{self._config.epochs}  loss {self._loss:.3f}  error {self._error:.1f}%  "
            f"{self._images / seconds:.0f} images/s  waiting {100 * self._waited / seconds:.0f}%{ending}"
        )

    def _write(self, line: str) -> None:
        with suppress(OSError):  # the terminal may have ended (SIGHUP): the run still has to be saved
            if self._bar is not None:
                self._bar.console.print(line, highlight=False)
            else:
                tell(line + "\n")
                sys.stderr.flush()


def _bar() -> Any:
    """A rich bar whose text is the figures; None where rich is not installed."""
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        return None
    return progress.Progress(
        progress.BarColumn(bar_width=16),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[figures]}"),
        console=Console(stderr=True),
        transient=True,
    )
