"""How cost grows: images a second against side, k, t, batch size and threads."""

import math
import os
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import yardstick
from benchmarks.augmentation import FORMS, materials, ours
from benchmarks.images import Source
from benchmarks.results import Curve, Section, Suite, section
from benchmarks.timing import Contestant, Effort, race
from ipmix.methods.ipmix import IPMix
from ipmix.mixing_set.mixing_set import MixingSet

Say = Callable[[str], None]

SIDES = (16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
QUICK_SIDES = (16, 32, 64, 128, 224, 512)
WIDTHS = (1, 2, 3, 4, 6, 8)
DEPTHS = (1, 2, 3, 4, 6)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
Points = dict[str, list[tuple[float, str]]]
"""Label of a line -> its (x, name of the row) pairs."""

Rates = list[tuple[float, float]]
"""(x, images a second), by growing x."""

PIXELS = 2000 * 32 * 32
"""In a call of the side's curve: the same at every side."""


def run(effort: Effort, source: Source, say: Say) -> Suite:
    """All of it."""
    sections, curves = [], []
    say("side")
    parts = [side(effort, source)]
    for size in FORMS:
        say(f"k, t, batch size and threads at {size}x{size}")
        parts += [
            setting(f"k (chains), {size}x{size}", "k", [(k, IPMix(k=k)) for k in WIDTHS], size, effort, source),
            setting(f"t (most steps), {size}x{size}", "t", [(t, IPMix(t=t)) for t in DEPTHS], size, effort, source),
            batches(size, effort, source),
            threads(size, effort, source),
        ]
    for part, curve in parts:
        sections.append(part)
        curves.append(curve)
    return Suite(
        "growth", "How cost grows", source.description, tuple(sections), curves=tuple(curves), summary=summary(curves)
    )


def side(effort: Effort, source: Source) -> tuple[Section, Curve]:
    """The default form from 16 to 512 pixels a side; up to 64 it has the CIFAR settings, above the ImageNet ones."""
    module = yardstick.find()
    racers: list[Contestant] = []
    points: Points = {}
    for size in QUICK_SIDES if effort.quick else SIDES:
        count = effort.count(max(8, PIXELS // size**2), 4)
        images = source.images(count, size)
        mixing_images = source.mixing(effort.count(64, 12), size)
        mixing = MixingSet.array(mixing_images)
        for label, output, layout in (("uint8, nhwc", "uint8", "nhwc"), ("float32, nchw", "float32", "nchw")):
            racers.append(ours(f"{size}x{size}, {label}", images, IPMix(), mixing, output, layout))
            points.setdefault(label, []).append((size, racers[-1].name))
        if not isinstance(module, str):
            form = yardstick.CIFAR if size <= 64 else yardstick.IMAGENET
            sizes = tuple(min(part, size) for part in form.sizes)
            form = yardstick.Form(form.severity, form.beta, sizes, form.original)
            call = yardstick.runner(module, form, images, mixing_images, "uint8")
            racers.append(Contestant(f"{size}x{size}, yardstick, uint8", call, count))
            points.setdefault("yardstick, uint8", []).append((size, racers[-1].name))
    note = "The default form: CIFAR settings up to 64 pixels, ImageNet settings above."
    if not isinstance(module, str):
        note += " The yardstick has the authors' form: a quarter of its chains is empty."
    return _measured("side", "pixels a side", racers, points, effort, note)


def setting(
    title: str, axis: str, methods: Sequence[tuple[int, Any]], size: int, effort: Effort, source: Source
) -> tuple[Section, Curve]:
    """One option of the method over a range."""
    images, mixing_images = materials(size, effort, source)
    mixing = MixingSet.array(mixing_images)
    racers = [ours(f"{axis} = {value}", images, method, mixing) for value, method in methods]
    points: Points = {f"{size}x{size}": [(value, racer.name) for (value, _), racer in zip(methods, racers)]}
    return _measured(title, axis, racers, points, effort, "uint8, nhwc.")


def batches(size: int, effort: Effort, source: Source) -> tuple[Section, Curve]:
    """Images a call; several calls where the batch is small, so that each row has about the same images."""
    images, mixing_images = materials(size, effort, source)
    mixing = MixingSet.array(mixing_images)
    racers = [_in_batches(images, batch, mixing) for batch in BATCHES if batch <= len(images)]
    points: Points = {f"{size}x{size}": [(batch, racer.name) for batch, racer in zip(BATCHES, racers)]}
    return _measured(f"batch size, {size}x{size}", "images a call", racers, points, effort, "uint8, nhwc, one thread.")


def _in_batches(images: Any, batch: int, mixing: MixingSet) -> Contestant:
    whole = min(len(images), 512) // batch * batch if batch <= 512 else batch
    parts = [ours("", images[first : first + batch], IPMix(), mixing) for first in range(0, whole, batch)]

    def call(number: int) -> None:
        for part in parts:
            part.run(number)

    return Contestant(f"{batch} a call", call, whole)


def threads(size: int, effort: Effort, source: Source) -> tuple[Section, Curve]:
    """One thread up to one for each processor, and two more."""
    images, mixing_images = materials(size, effort, source)
    mixing = MixingSet.array(mixing_images)
    processors = os.cpu_count() or 1
    counts = sorted(
        {n for n in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if n <= processors} | {processors, processors + 2}
    )
    racers = [ours(f"{n} thread{'s' if n > 1 else ''}", images, IPMix(), mixing, "uint8", "nhwc", n) for n in counts]
    points: Points = {f"{size}x{size}": [(n, racer.name) for n, racer in zip(counts, racers)]}
    note = f"uint8, nhwc, {len(images)} images a call; this machine has {processors} processors."
    return _measured(f"threads, {size}x{size}", "threads", racers, points, effort, note)


def _measured(
    title: str,
    axis: str,
    racers: Sequence[Contestant],
    points: Points,
    effort: Effort,
    note: str,
) -> tuple[Section, Curve]:
    timings = race(racers, effort)
    lines = {label: [(x, timings[name].rate) for x, name in pairs] for label, pairs in points.items()}
    beside = racers[0].name if len(points) == 1 else ""
    return section(f"Against {title}", timings, beside, note=note), Curve(title, axis, lines)


def summary(curves: Sequence[Curve]) -> str:
    """The paragraph about the curves of :func:`run`: what grows with the image, the options, the batch, threads."""
    by_axis: dict[str, list[tuple[str, Rates]]] = {}
    for curve in curves:
        by_axis.setdefault(curve.axis, []).extend(
            (label, sorted(points)) for label, points in curve.points.items() if not label.startswith("yardstick")
        )
    sentences = [_about_side(label, points) for label, points in by_axis.get("pixels a side", [])]
    for axis, what in (("k", "chain"), ("t", "step of a chain's most")):
        sentences += [_about_option(axis, what, label, points) for label, points in by_axis.get(axis, [])]
    sentences += [_about_batch(label, points) for label, points in by_axis.get("images a call", [])]
    sentences += [_about_threads(label, points) for label, points in by_axis.get("threads", [])]
    return " ".join(sentences)


def _about_side(label: str, points: Rates) -> str:
    nanoseconds = [(side, 1e9 / rate / side**2) for side, rate in points]
    (least_side, least), (most_side, most) = (f(nanoseconds, key=lambda point: point[1]) for f in (min, max))
    (low, slow), (high, fast) = points[0], points[-1]
    power = math.log(slow / fast) / math.log(high / low)
    return (
        f"{label}: a pixel costs between {least:.2f} ns (at {least_side:.0f}x{least_side:.0f}) and {most:.2f} ns (at "
        f"{most_side:.0f}x{most_side:.0f}); from {low:.0f} to {high:.0f} pixels a side, the time of an image grows "
        f"with the side to the power of {power:.2f}."
    )


def _about_option(axis: str, what: str, label: str, points: Rates) -> str:
    slope, start = statistics.linear_regression([x for x, _ in points], [1e6 / rate for _, rate in points])
    return f"At {label}, each further {what} ({axis}) adds {slope:.2f} us to a base of {start:.2f} us (a straight fit)."


def _about_batch(label: str, points: Rates) -> str:
    best = max(rate for _, rate in points)
    enough = next(x for x, rate in points if rate >= 0.9 * best)
    return (
        f"At {label}, {enough:.0f} images a call reach 90 % of the best rate; one image a call through augment() "
        f"reaches {points[0][1] / best:.0%}."
    )


def _about_threads(label: str, points: Rates) -> str:
    gains = ", ".join(f"{threads:.0f}: {rate / points[0][1]:.2f}" for threads, rate in points)
    return f"Threads at {label} (times one thread's rate): {gains}."
