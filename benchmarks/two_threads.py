"""Two threads against one, beside what two threads of this machine give to plain arithmetic.

Processors that are shared with other guests, or that share a core with each other, do not give two threads twice the
work of one; the control says how much there is to be had.
"""

import threading
from typing import Any

import numpy as np

from benchmarks.results import Check, Section, section
from benchmarks.timing import Contestant, Effort, race, ratio
from ipmix.core.compiling import compiled
from ipmix.methods.ipmix import IPMix
from ipmix.mixing_set.mixing_set import MixingSet

ROUNDS = 200_000
"""Some 15 ms: starting a thread takes a tenth of one."""

CONTROL = "control: arithmetic in the first cache"


@compiled
def _arithmetic(numbers, rounds):
    """Multiplications and additions on 8 kB: nothing shared, no memory beyond a core's own."""
    for _ in range(rounds):
        for i in range(numbers.size):
            numbers[i] = numbers[i] * np.float32(0.999) + np.float32(0.5)


def control(threads: int) -> Contestant:
    """The same work split over so many threads."""
    # Far apart: neighbours would share a line of the cache, for which the two processors would quarrel.
    arrays = [whole[:2048] for whole in np.zeros((threads, 8192), np.float32)]

    def call(number: int) -> None:
        others = [threading.Thread(target=_arithmetic, args=(array, ROUNDS // threads)) for array in arrays[1:]]
        for other in others:
            other.start()
        _arithmetic(arrays[0], ROUNDS // threads)
        for other in others:
            other.join()

    return Contestant(row(CONTROL, threads), call, ROUNDS, threads)


def row(name: str, threads: int) -> str:
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def two_threads(
    side: int, images: np.ndarray, method: IPMix, mixing: MixingSet, effort: Effort, ours: Any
) -> tuple[Section, list[Check]]:
    """One race of both forms and the control; ``ours`` makes a contestant (:func:`benchmarks.augmentation.ours`)."""
    forms = {"uint8, nhwc": ("uint8", "nhwc"), "float32 normalised, nchw": ("float32", "nchw")}
    racers = []
    for name, form in forms.items():
        racers += [ours(row(name, n), images, method, mixing, *form, threads=n) for n in (1, 2)]
    racers += [control(n) for n in (1, 2)]
    timings = race(racers, effort)

    def gain(name: str) -> float:
        return ratio(timings[row(name, 2)], timings[row(name, 1)])

    note = (
        f"{len(images)} images a call; the control's figures are rounds a second. Two threads give "
        + ", ".join(f"{gain(name):.2f} ({name})" for name in (*forms, CONTROL))
        + " times one thread's."
    )
    checks = [Check(f"{side}x{side}, {name}, two threads against one", gain(name), 1.8, 1.95) for name in forms]
    return section(f"{side}x{side}, two threads and one", timings, note=note), checks
