"""Trainings that take turns: an epoch of one, an epoch of the other, and so on, a second or so each.

On a shared machine a whole training beside another one compares two stretches of time more than two programs. Here
the turns are so short that neighbours see the same machine, and what is said is the median of the turns' ratios.
"""

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ipmix.training.loader import Batch, Loader

RESAMPLES = 2000


@contextmanager
def before_each_epoch(call: Callable[[Loader, int], None]) -> Iterator[None]:
    """Within, every loader calls this with itself and the epoch's number before it begins the epoch."""
    plain = Loader.epoch

    def epoch(self: Loader, number: int, start: int = 0) -> Iterator[Batch]:
        call(self, number)
        return plain(self, number, start)

    Loader.epoch = epoch  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Loader.epoch = plain  # type: ignore[method-assign]


class Stopwatch:
    """Clock and processor time of one turn after the other."""

    def __init__(self) -> None:
        self.clock: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}
        self._running: tuple[str, float, float] | None = None

    def start(self, name: str) -> None:
        """A turn of ``name`` begins. Garbage is collected before it, not during it."""
        gc.collect()
        gc.disable()
        self._running = name, time.perf_counter(), time.process_time()

    def stop(self, *, count: bool = True) -> None:
        """The turn is over, if one was running; it may be one that only warms up."""
        if self._running is None:
            return
        name, clock, processor = self._running
        if count:
            self.clock.setdefault(name, []).append(time.perf_counter() - clock)
            self.processor.setdefault(name, []).append(time.process_time() - processor)
        self._running = None
        gc.enable()


def ratio(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """The median of the turns' ratios and its 95 % bootstrap interval."""
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    draws = random.Random(0)
    medians = sorted(statistics.median(draws.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return statistics.median(ratios), medians[RESAMPLES // 40], medians[-1 - RESAMPLES // 40]


def show(times: dict[str, list[float]], beside: str, unit: str, scale: float) -> None:
    """A line for each contestant: the median turn, the fastest and the slowest, and the ratio."""
    for name, seconds in times.items():
        low, middle, high = (scale * kind(seconds) for kind in (min, statistics.median, max))
        print(f"{name:30} {middle:8.2f} {unit}  ({low:.2f} to {high:.2f})  x{ratio(seconds, times[beside])[0]:.3f}")


def say_ratio(what: str, found: tuple[float, float, float], most: float | None = None) -> None:
    """A ratio with its interval, beside its target if it has one."""
    value, low, high = found
    verdict = "" if most is None else f"  (target: at most {most}; {'met' if value <= most else 'MISSED'})"
    print(f"{what:52} {value:.3f}  [{low:.3f}, {high:.3f}]{verdict}", flush=True)
