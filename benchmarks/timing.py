"""Races: every contestant once a round, the order turned round after each, so that drift hits all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]


@dataclass(frozen=True)
class Effort:
    """How long to measure, and on how much.

    Attributes:
        rounds: that count; one more warms up.
        block: the least seconds a contestant runs in a round: a short call is repeated.
        share: of the full numbers of images.
        quick: leave out what takes minutes.
    """

    rounds: int
    block: float
    share: float = 1.0
    quick: bool = False

    def count(self, full: int, least: int = 2) -> int:
        """This effort's share of a number of images."""
        return max(least, round(full * self.share))


FULL = Effort(rounds=9, block=0.25)
QUICK = Effort(rounds=3, block=0.01, share=0.06, quick=True)


@dataclass(frozen=True)
class Contestant:
    """Something to time.

    Attributes:
        name: of its row.
        run: does the work; gets the number of the call, so that each call can draw anew.
        images: that one call handles.
        threads: that it may use.
        note: for its row.
    """

    name: str
    run: Callable[[int], object]
    images: int
    threads: int = 1
    note: str = ""


@dataclass(frozen=True)
class Timing:
    """Seconds an image took, one figure for each round, and how busy the processor was."""

    name: str
    seconds: tuple[float, ...]
    busy: float = 1.0
    threads: int = 1
    note: str = ""

    @property
    def rate(self) -> float:
        """Images a second in the median round."""
        return 1 / statistics.median(self.seconds)

    @property
    def slowest(self) -> float:
        """Images a second in the slowest round."""
        return 1 / max(self.seconds)

    @property
    def fastest(self) -> float:
        """Images a second in the fastest round."""
        return 1 / min(self.seconds)


def ratio(one: Timing, other: Timing) -> float:
    """How many times as fast ``one`` is as ``other``: the median over the rounds of the same race."""
    if len(one.seconds) != len(other.seconds):
        raise ValueError(f"{one.name} and {other.name} are of different races")
    return statistics.median(b / a for a, b in zip(one.seconds, other.seconds))


def race(
    contestants: Sequence[Contestant],
    effort: Effort,
    *,
    clock: Clock = time.perf_counter,
    processor: Clock = time.process_time,
) -> dict[str, Timing]:
    """Time the contestants against each other.

    Each runs once to compile and warm up and once to learn how many calls fill a block; then come the rounds,
    forwards and backwards in turn. Returns the timings by name, in the contestants' order.
    """
    names = [one.name for one in contestants]
    if len(set(names)) < len(names):
        raise ValueError(f"contestants of one race need different names, got {names}")
    calls = {}
    for one in contestants:
        one.run(0)
        begin = clock()
        one.run(1)
        calls[one.name] = max(1, round(effort.block / max(clock() - begin, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    busy: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.collect()
    gc.freeze()  # what there is by now, the modules of all peers, is not searched again before every turn
    try:
        for turn in range(effort.rounds):
            for one in contestants if turn % 2 == 0 else reversed(contestants):
                gc.collect()
                gc.disable()
                took, used = _block(one, 2 + turn * calls[one.name], calls[one.name], clock, processor)
                gc.enable()
                seconds[one.name].append(took / (calls[one.name] * one.images))
                busy[one.name].append(used / took if took else 0.0)
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
    return {
        one.name: Timing(
            one.name, tuple(seconds[one.name]), statistics.median(busy[one.name]), one.threads, one.note
        )
        for one in contestants
    }  # fmt: skip


def _block(one: Contestant, first: int, calls: int, clock: Clock, processor: Clock) -> tuple[float, float]:
    """(seconds by the clock, processor seconds) of some calls in a row."""
    begin, used = clock(), processor()
    for number in range(first, first + calls):
        one.run(number)
    return clock() - begin, processor() - used
