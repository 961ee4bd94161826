"""The batch loader: arrays in memory and JPEG files, with and without augmentation; and its memory.

Memory is measured in a process of its own for each row: see :func:`measure_memory`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.images import Source, find
from benchmarks.results import Absent, Check, Section, Suite, section
from benchmarks.timing import Contestant, Effort, Timing, race, ratio
from ipmix.data.datasets import ArrayDataset, FileDataset, scan
from ipmix.methods.ipmix import IPMix
from ipmix.mixing_set.mixing_set import MixingSet
from ipmix.training.loader import Loader

Say = Callable[[str], None]
BATCH = 128


@dataclass(frozen=True)
class Form:
    """What a row's loader does with each image."""

    name: str
    augmented: bool
    views: int = 1
    clean: bool = False


FORMS = (
    Form("no augmentation", False),
    Form("IPMix", True),
    Form("IPMix, JSD (clean and two views)", True, 2, True),
)
THREADS = (1, 2)


def run(effort: Effort, source: Source, say: Say) -> Suite:
    """All of it."""
    say("arrays in memory")
    parts = [arrays(effort, source)]
    for shorter in (375,) if effort.quick else (375, None):
        say("JPEG files" + (" of ImageNet's usual size" if shorter else ""))
        parts.append(files(effort, source, shorter))
    sections = tuple(part for part, _ in parts)
    return Suite("loader", "Batch loader", source.description, sections, tuple(c for _, met in parts for c in met))


def row_name(form: Form, threads: int) -> str:
    return f"{form.name}, {threads} thread{'s' if threads > 1 else ''}"


def make_loader(form: Form, threads: int, dataset: ArrayDataset | FileDataset, mixing: MixingSet) -> Loader:
    """The loader of one row."""
    return Loader(
        dataset,
        batch_size=min(BATCH, len(dataset)),
        seed=0,
        method=IPMix() if form.augmented else None,
        mixing=mixing if form.augmented else None,
        views=form.views,
        clean=form.clean,
        threads=threads,
    )


def contestant(form: Form, threads: int, dataset: ArrayDataset | FileDataset, mixing: MixingSet) -> Contestant:
    """One epoch a call, all batches taken and dropped at once."""
    loader = make_loader(form, threads, dataset, mixing)

    def call(number: int) -> None:
        for _ in loader.epoch(number):
            pass

    return Contestant(row_name(form, threads), call, len(dataset), threads)


def cifar_like(count: int, source: Source) -> ArrayDataset:
    """``count`` images of 32x32 in memory; a fifth of them differ."""
    images = np.tile(source.images(max(1, count // 5), 32), (5, 1, 1, 1))
    classes = tuple(str(i) for i in range(10))
    return ArrayDataset(images, np.arange(len(images), dtype=np.int64) % 10, classes, "benchmark")


def arrays(effort: Effort, source: Source) -> tuple[Section, list[Check]]:
    """32x32 images in memory: gathered, flipped, cropped, augmented."""
    count = effort.count(50_000, 1000)
    dataset, mixing = cifar_like(count, source), MixingSet.array(source.mixing(effort.count(500, 48), 32))
    timings = race([contestant(form, n, dataset, mixing) for form in FORMS for n in THREADS], effort)
    memory, absent = _memory([("arrays", form, n, len(dataset)) for form in FORMS for n in THREADS], effort)
    fast = timings[row_name(FORMS[1], 2)]
    check = Check("32x32 arrays, IPMix, 2 threads", fast.rate, 80_000, unit="images/s")
    plain = row_name(FORMS[0], 1)
    note = f"{len(dataset)} images, batches of {BATCH}; a JSD triple counts as one image."
    table = section("32x32, arrays in memory", timings, plain, note=note, memory=memory, absent=absent, drawn=True)
    return table, [check]


def files(effort: Effort, source: Source, shorter: int | None) -> tuple[Section, list[Check]]:
    """JPEG files: decoded, a random part brought to 224x224, augmented."""
    mixing = MixingSet.array(source.mixing(effort.count(500, 48), 224))
    count = effort.count(512, 32)
    what = "shorter side 375, as ImageNet's usual files" if shorter else "shorter side 256"
    with tempfile.TemporaryDirectory() as top:
        kilobytes = source.write_jpegs(Path(top, "train"), count, shorter)
        dataset = scan(top, "train")
        timings = race([contestant(form, n, dataset, mixing) for form in FORMS for n in THREADS], effort)
        memory: dict[str, tuple[float, float]] = {}
        absent: list[Absent] = []
        if shorter:
            memory, absent = _memory([(top, form, n, count) for form in FORMS for n in THREADS], effort)
    checks = [check for n in THREADS for check in _added(timings, n, what)] if shorter else []
    note = (
        f"{count} files of {kilobytes:.0f} kB in the mean, batches of {BATCH}; a JSD triple counts as one image. "
        f"Added processor time: {_processor_time(timings)}."
    )
    plain = row_name(FORMS[0], 1)
    return section(
        f"224x224, JPEG files, {what}", timings, plain, note=note, memory=memory, absent=absent, drawn=True
    ), checks


def _added(timings: dict[str, Timing], threads: int, what: str) -> list[Check]:
    """By how much augmentation lengthens the loader's time."""
    plain = timings[row_name(FORMS[0], threads)]
    checks = []
    for form, most in zip(FORMS[1:], (8.0, 15.0)):
        added = 100 * (1 / ratio(timings[row_name(form, threads)], plain) - 1)
        name = f"224x224 JPEG, {what}, {row_name(form, threads)}: adds to the loader's time"
        checks.append(Check(name, added, most, unit="%", at_most=True))
    return checks


def _processor_time(timings: dict[str, Timing]) -> str:
    """What augmentation adds in processor time, which other guests of the machine disturb less than the clock."""
    said = []
    for threads in THREADS:
        plain, *others = (timings[row_name(form, threads)] for form in FORMS)
        added = [100 * ((other.busy / other.rate) / (plain.busy / plain.rate) - 1) for other in others]
        said += [f"{other.name} {percent:+.1f} %" for other, percent in zip(others, added)]
    return "; ".join(said)


def _memory(
    rows: list[tuple[str, Form, int, int]], effort: Effort
) -> tuple[dict[str, tuple[float, float]], list[Absent]]:
    """(resident before, at most) in MiB of each row, each in a process of its own."""
    found: dict[str, tuple[float, float]] = {}
    absent: list[Absent] = []
    for where, form, threads, count in rows:
        if effort.quick and threads > 1:
            continue
        name = row_name(form, threads)
        words = [sys.executable, "-m", "benchmarks.loader", where, str(FORMS.index(form)), str(threads), str(count)]
        words.append(str(effort.count(500, 48)))
        done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no word"]
            absent.append(Absent(f"memory of {name}", lines[-1]))
        else:
            before, most = json.loads(done.stdout)
            found[name] = (before, most)
    return found, absent


def resident() -> tuple[float, float]:
    """(resident now, at most so far), MiB, of this process alone.

    From /proc: what getrusage reports starts with the parent's peak where a process was started by fork.
    """
    values = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            values[name] = int(value.split()[0]) / 1024
    return values["VmRSS"], values["VmHWM"]


def measure_memory(where: str, form: int, threads: int, count: int, mixing_count: int) -> tuple[float, float]:
    """Run one row's loader for an epoch in this process; what was resident before, and at most.

    ``where`` is "arrays" or the folder of files. Images and mixing set are in memory before the first figure;
    the loader's batches, and one call of the compiled functions, come on top.
    """
    source = find()
    dataset: ArrayDataset | FileDataset
    if where == "arrays":
        dataset, mixing = cifar_like(count, source), MixingSet.array(source.mixing(mixing_count, 32))
        mixing.planes(32, 32)
    else:
        dataset, mixing = scan(where, "train"), MixingSet.array(source.mixing(mixing_count, 224))
        mixing.planes(224, 224)
    before = resident()[0]
    _forget_peak()
    for _ in make_loader(FORMS[form], threads, dataset, mixing).epoch(0):
        pass
    return before, resident()[1]


def _forget_peak() -> None:
    """Let the system count the peak anew, where it can (Linux): preparing images took more for a moment."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    print(json.dumps(measure_memory(place, *(int(n) for n in numbers))))
