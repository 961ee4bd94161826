"""Images a second of every method, beside the figures of AugMix's and PixMix's authors and beside torchvision."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.augmentation import materials
from benchmarks.images import Source
from benchmarks.results import Check, Section, Suite, section
from benchmarks.timing import Contestant, Effort, race, ratio
from ipmix.augmentation.batches import apply, draw
from ipmix.methods import METHODS
from ipmix.mixing_set.mixing_set import MixingSet

Say = Callable[[str], None]

AUTHORS = {32: {"augmix": 1042.0, "pixmix": 2291.0}, 224: {"augmix": 137.0, "pixmix": 231.0}}
"""Images a second of the authors' own code (Pillow), one thread, measured apart on a machine of this kind, where
torchvision's AugMix on Pillow images ran at 1,092 and 168: its row here says how the machines compare."""

TIMES = {32: 80.0, 224: 25.0}
BATCH = 128


def run(effort: Effort, source: Source, say: Say) -> Suite:
    """All of it."""
    sections, checks = [], []
    for side in TIMES:
        say(f"methods at {side}x{side}")
        part, met = every_method(side, effort, source)
        sections.append(part)
        checks += met
    return Suite("methods", "Methods", source.description, tuple(sections), tuple(checks))


def every_method(side: int, effort: Effort, source: Source) -> tuple[Section, list[Check]]:
    """All methods with their defaults, uint8 in and out, drawing and labels included; and the peers."""
    images, mixing_images = materials(side, effort, source)
    mixing = MixingSet.array(mixing_images)
    racers = [_contestant(name, kind, images, mixing) for name, kind in METHODS.items()]
    wanted = [peer for peer in peers.peers() if peer.name.startswith("torchvision ")]
    others, absent = peers.contestants(images, wanted, share=0.25 if effort.quick else 1.0)
    timings = race([*racers, *others], effort)
    checks = []
    for name, figure in AUTHORS[side].items():
        times = timings[name].rate / figure
        checks.append(Check(f"{side}x{side}, {name}, beside the figure of its authors' code", times, TIMES[side]))
    for name, peer in (
        ("mixup", "torchvision MixUp, float batch"),
        ("cutmix", "torchvision CutMix, float batch"),
        ("cutout", "torchvision RandomErasing, float tensor"),
        ("randaugment", "torchvision RandAugment, PIL"),
        ("trivialaugment", "torchvision TrivialAugmentWide, PIL"),
    ):
        if peer in timings:
            checks.append(
                Check(f"{side}x{side}, {name}, beside torchvision's", ratio(timings[name], timings[peer]), 1.0)
            )
    for name in ("layermix", "augmax", "combined"):
        if name in timings and side > 32:
            what = f"{side}x{side}, {name}, beside ipmix (at most 1.2 times the time)"
            checks.append(Check(what, ratio(timings[name], timings["ipmix"]), 1 / 1.2))
    for side_of, rate in ((32, 15_000), (224, 500)):
        if side == side_of:
            checks.append(Check(f"{side}x{side}, prime", timings["prime"].rate, rate, unit="images/s"))
    note = f"Defaults, one thread; methods that mix labels on batches of {BATCH}, labels included."
    table = section(
        f"{side}x{side}, uint8 nhwc", timings, "torchvision AugMix, PIL", absent=absent, note=note, drawn=True
    )
    return table, checks


def _contestant(name: str, kind: Any, images: np.ndarray, mixing: MixingSet) -> Contestant:
    method = kind()
    batch = images[:BATCH] if method.mixes_labels else images
    out = np.empty_like(batch)
    labels = np.arange(len(batch)) % 10

    def call(number: int) -> None:
        recipes = draw(method, batch.shape, len(mixing), seed=number)
        apply(recipes, batch, mixing, out=out)
        if method.mixes_labels:
            recipes.labels(labels, 10)

    return Contestant(name, call, len(batch))
