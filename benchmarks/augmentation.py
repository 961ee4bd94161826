"""Images a second of augmentation: ours beside the yardstick, in every form, and beside the peers."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import peers, yardstick
from benchmarks.images import Source
from benchmarks.results import Absent, Check, Row, Section, Suite, section
from benchmarks.timing import Contestant, Effort, Timing, race, ratio
from benchmarks.two_threads import two_threads
from ipmix.augmentation.batches import augment
from ipmix.augmentation.single import Augmenter
from ipmix.methods.ipmix import IPMix
from ipmix.mixing_set.mixing_set import MixingSet

Say = Callable[[str], None]

FORMS = {32: ("code-cifar", yardstick.CIFAR, 2000), 224: ("code-imagenet", yardstick.IMAGENET, 192)}
"""Preset, the yardstick's settings, and images a call, by side."""

FIRST_IMAGE = """
import time
import numpy
begin = time.perf_counter()
import ipmix
ipmix.augment(numpy.zeros((1, 32, 32, 3), "uint8"), ipmix.IPMix(), numpy.zeros((2, 36, 36, 3), "uint8"), seed=0)
print(time.perf_counter() - begin)
"""


def run(effort: Effort, source: Source, say: Say) -> Suite:
    """All of it."""
    module = yardstick.find()
    sections, checks = [], []
    for side in FORMS:
        say(f"beside the yardstick at {side}x{side}")
        tables, met = beside_yardstick(side, effort, source, module)
        sections += tables
        checks += met
    say("one image per call")
    tables, met = one_per_call(effort, source, module)
    sections += tables
    checks += met
    for side in FORMS:
        say(f"options at {side}x{side}")
        part, met = options(side, effort, source)
        sections.append(part)
        checks += met
    say("channels and shapes")
    for side in FORMS:
        part, met = shapes(side, effort, source)
        sections.append(part)
        checks += met
    say("the first image of a fresh process")
    part, met = first_image(effort)
    sections.append(part)
    checks += met
    for side in FORMS:
        say(f"peers at {side}x{side}")
        sections.append(beside_peers(side, effort, source))
    return Suite("augmentation", "Augmentation", source.description, tuple(sections), tuple(checks))


def materials(side: int, effort: Effort, source: Source, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Images and mixing images of one size, in this effort's numbers."""
    images = source.images(effort.count(FORMS[side][2], 12), side, channels=channels)
    return images, source.mixing(effort.count(500, 48), side, channels)


def ours(
    name: str,
    images: np.ndarray,
    method: Any,
    mixing: MixingSet,
    output: str = "uint8",
    layout: str = "nhwc",
    threads: int = 1,
    engine: str = "compiled",
) -> Contestant:
    """Drawing and applying, to an array that is there already, as a loader does."""
    count, height, width, channels = images.shape
    shape = (count, height, width, channels) if layout == "nhwc" else (count, channels, height, width)
    out = np.empty(shape, np.float32 if output == "float32" else np.uint8)
    normalise: dict[str, Any] = {"mean": 0.5, "std": 0.5} if output == "float32" else {}

    def call(number: int) -> None:
        augment(
            images, method, mixing, seed=number, output=output, layout=layout, threads=threads, engine=engine,
            out=out, **normalise,
        )  # fmt: skip

    return Contestant(name, call, count, threads)


def beside_yardstick(
    side: int, effort: Effort, source: Source, module: ModuleType | str
) -> tuple[list[Section], list[Check]]:
    """The authors' form with clipping, drawing included; the reference engine; two threads against one."""
    preset, form, _ = FORMS[side]
    images, mixing_images = materials(side, effort, source)
    method, mixing = IPMix.preset(preset).with_options(overflow="clip"), MixingSet.array(mixing_images)
    few = images[: 4 if side > 64 else 24]
    racers = [
        ours("float32 normalised, nchw", images, method, mixing, "float32", "nchw"),
        ours("uint8, nchw", images, method, mixing, "uint8", "nchw"),
        ours("uint8, nhwc", images, method, mixing),
        ours("float32 normalised, nhwc", images, method, mixing, "float32", "nhwc"),
        ours("uint8, nhwc, reference engine", few, method, mixing, engine="reference"),
    ]
    absent = []
    if isinstance(module, str):
        absent.append(Absent("yardstick", module))
    else:
        for output in ("float32", "uint8"):
            call = yardstick.runner(module, form, images, mixing_images, output)
            racers.append(Contestant(f"yardstick, {output}", call, len(images)))
    timings = race(racers, effort)
    title = f"{side}x{side}, {preset} with clipping, drawing included"
    tables = by_output(title, timings, absent, f"{len(images)} images a call.")
    table, checks = two_threads(side, images, method, mixing, effort, ours)
    return [*tables, table], _reach(side, timings) + checks


def by_output(title: str, timings: dict[str, Timing], absent: list[Absent], note: str) -> list[Section]:
    """One table for each output, beside the yardstick's row of that output."""
    return [
        section(
            f"{title}: {output}",
            {name: timing for name, timing in timings.items() if output in name},
            f"yardstick, {output}",
            absent=absent,
            note=note,
        )
        for output in ("float32", "uint8")
    ]


def _reach(side: int, timings: dict[str, Timing]) -> list[Check]:
    checks = []
    rows = {
        "float32 normalised, nchw": ("float32", (1.2, 1.6) if side == 32 else (1.3, 1.4)),
        "uint8, nchw": ("uint8", (1.2, 1.6) if side == 32 else (1.3, 1.5)),
        "uint8, nhwc": ("uint8", (1.2, 1.6) if side == 32 else (1.3, 1.5)),
    }
    for name, (output, (least, aim)) in rows.items():
        beside = timings.get(f"yardstick, {output}")
        if beside is not None:
            checks.append(
                Check(f"{side}x{side}, {name}, beside the yardstick", ratio(timings[name], beside), least, aim)
            )
    return checks


def one_per_call(effort: Effort, source: Source, module: ModuleType | str) -> tuple[list[Section], list[Check]]:
    """32x32, one image a call, as a data set's ``__getitem__`` would."""
    preset, form, _ = FORMS[32]
    images, mixing_images = materials(32, effort, source)
    images = images[:100]
    method, mixing = IPMix.preset(preset).with_options(overflow="clip"), MixingSet.array(mixing_images)
    mixing.planes(32, 32)

    def single(output: str, layout: str) -> Contestant:
        normalise: dict[str, Any] = {"mean": 0.5, "std": 0.5} if output == "float32" else {}
        augmenter = Augmenter(method, mixing, shape=(32, 32, 3), seed=0, output=output, layout=layout, **normalise)

        def call(number: int) -> None:
            for i in range(len(images)):
                augmenter(images[i], epoch=number, index=i)

        return Contestant(f"{output}, {layout}", call, len(images))

    def unprepared(number: int) -> None:
        for i in range(len(images)):
            augment(images[i : i + 1], method, mixing, seed=number, indices=[i])

    racers = [single("float32", "nchw"), single("uint8", "nchw"), single("uint8", "nhwc")]
    racers.append(Contestant("uint8, nhwc, augment() instead of an Augmenter", unprepared, len(images)))
    absent = []
    if isinstance(module, str):
        absent.append(Absent("yardstick", module))
    else:
        for output in ("float32", "uint8"):
            call = yardstick.runner(module, form, images, mixing_images, output, single=True)
            racers.append(Contestant(f"yardstick, {output}", call, len(images)))
    timings = race(racers, effort)
    checks = []
    if not absent:
        for racer in racers[:3]:
            beside = timings[f"yardstick, {racer.name.split(',')[0]}"]
            value = ratio(timings[racer.name], beside)
            checks.append(Check(f"32x32, one image per call, {racer.name}, beside the yardstick", value, 1.0, 1.5))
    note = "ipmix.Augmenter, which makes a new array for each result; the yardstick's arrays are made once."
    return by_output("32x32, one image per call", timings, absent, note), checks


def options(side: int, effort: Effort, source: Source) -> tuple[Section, list[Check]]:
    """What other settings cost beside the default form: all 15 operations, the photometric ones, other widths."""
    images, mixing_images = materials(side, effort, source)
    mixing = MixingSet.array(mixing_images)
    timings = race(
        [
            ours("IPMix(), the 10 core operations", images, IPMix(), mixing),
            ours("all 15 operations", images, IPMix(operations="all"), mixing),
            ours("photometric operations", images, IPMix(operations="photometric"), mixing),
            ours("image level only", images, IPMix(levels=("image",)), mixing),
            ours("patch and pixel level only", images, IPMix(levels=("patch", "pixel")), mixing),
            ours("overflow wraps", images, IPMix(overflow="wrap"), mixing),
            ours("k=4, t=2", images, IPMix(k=4, t=2), mixing),
        ],
        effort,
    )
    core = "IPMix(), the 10 core operations"
    cost = 1 / ratio(timings["all 15 operations"], timings[core])
    check = Check(f"{side}x{side}, all 15 operations: time per image beside the core 10", cost, 1.3, at_most=True)
    return section(f"{side}x{side}, options, uint8 nhwc", timings, core), [check]


def shapes(side: int, effort: Effort, source: Source) -> tuple[Section, list[Check]]:
    """1, 4 and 8 channels and an image that is not square: time per value (a pixel has one a channel)."""
    other = side // 2
    cases = {
        "3 channels": (side, side, 3),
        "1 channel": (side, side, 1),
        "4 channels": (side, side, 4),
        "8 channels": (side, side, 8),
        f"3 channels, {side} wide, {other} high": (other, side, 3),
        f"3 channels, {other} wide, {side} high": (side, other, 3),
    }
    racers, values = [], {}
    for name, (height, width, channels) in cases.items():
        images = source.images(effort.count(FORMS[side][2] // 2, 12), height, width, channels)
        mixing = MixingSet.array(source.mixing(effort.count(100, 16), side, channels))
        racers.append(ours(name, images, IPMix(), mixing))
        values[name] = height * width * channels
    timings = race(racers, effort)
    checks, rows = [], []
    base = timings["3 channels"]
    table = section(f"{side}x{side}, channels and shapes, uint8 nhwc", timings, "3 channels")
    for row, (name, (height, width, _)) in zip(table.rows, cases.items()):
        slower = 1 / ratio(timings[name], base)
        per_value = slower * values["3 channels"] / values[name]
        per_pixel = slower * side * side / (height * width)
        rows.append(replace(row, note=f"time per value {per_value:.2f}, per pixel {per_pixel:.2f} of RGB's"))
        if name != "3 channels":
            check = Check(f"{side}x{side}, {name}: time per value beside RGB", per_value, 1.5, at_most=True)
            checks.append(check)
    return Section(table.title, tuple(rows), beside=table.beside), checks


def first_image(effort: Effort) -> tuple[Section, list[Check]]:
    """Seconds from ``import ipmix`` to the first augmented image, NumPy being imported already."""
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as top:
        for turn in range(1 if effort.quick else 3):
            folder = os.path.join(top, str(turn))
            cold.append(_fresh(folder))
            warm += [_fresh(folder) for _ in range(1 if effort.quick else 3)]
    rows = tuple(
        Row(name, statistics.median(found), max(found), min(found))
        for name, found in (("cold cache (everything is compiled)", cold), ("warm cache", warm))
    )
    checks = [
        Check("first augmented image, cold cache", rows[0].rate, 8.0, 3.0, "s", at_most=True),
        Check("first augmented image, warm cache", rows[1].rate, 0.7, 0.4, "s", at_most=True),
    ]
    return Section("The first image of a fresh process", rows, "s"), checks


def _fresh(cache: str) -> float:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", FIRST_IMAGE],
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the fresh process failed after {time.perf_counter() - begin:.1f} s:\n{done.stderr}")
    return float(done.stdout)


def beside_peers(side: int, effort: Effort, source: Source) -> Section:
    """Ours in its default form beside public augmentations, one thread each."""
    images, mixing_images = materials(side, effort, source)
    mixing = MixingSet.array(mixing_images)
    name = "IPMix() to uint8"
    racers = [
        ours(name, images, IPMix(), mixing),
        ours("IPMix() to float32, normalised", images, IPMix(), mixing, "float32", "nchw"),
    ]
    others, absent = peers.contestants(images, share=0.25 if effort.quick else 1.0)
    timings = race(racers + others, effort)
    note = "Each in the form its users call, default settings; conversions to PIL images or tensors not timed."
    return section(
        f"{side}x{side}, peers, one thread",
        timings,
        name,
        absent=[*absent, *peers.OTHERS],
        note=note,
        inverse=True,
        drawn=True,
    )
