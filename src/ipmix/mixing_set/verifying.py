"""Is a set what its manifest says? Read everything, paint a sample again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ipmix.core.checking import check_threads
from ipmix.core.errors import InputError
from ipmix.core.threads import default_threads
from ipmix.fractals.kinds import KINDS, PAINTINGS_VERSION, paint
from ipmix.mixing_set.image_files import digest
from ipmix.mixing_set.manifest import Entry, MixingSetPlan

LOSSLESS = ("png", "shard")


class MadeSet(Protocol):
    """What is verified: a mixing set with its manifest."""

    plan: MixingSetPlan | None

    @property
    def entries(self) -> list[Entry]:
        """What each image is."""

    def __getitem__(self, index: int) -> np.ndarray: ...


@dataclass(frozen=True)
class Finding:
    """One image's check: whether it was painted again, and what is wrong ('' for nothing)."""

    number: int
    painted: bool
    complaint: str


def verify(mixing: MadeSet, sample: int = 100, threads: int | None = None) -> Iterator[Finding]:
    """Check every image of a set; yields one finding each. ``sample`` 0 paints all of them again."""
    plan = mixing.plan
    if plan is None:
        raise InputError("this folder has no manifest: there is nothing to verify its images against")
    if threads is not None:
        check_threads(threads)
    if sample < 0:
        raise InputError(f"the sample to paint again must be 0 (all) or more, got {sample}")
    if plan.paintings_version != PAINTINGS_VERSION:
        raise InputError(
            f"this set was made by version {plan.paintings_version} of the generator, this ipmix has version "
            f"{PAINTINGS_VERSION}, whose images differ; verify it with the ipmix that made it"
        )
    seeded = [entry.number for entry in mixing.entries if entry.kind in KINDS]
    chosen = set(seeded)
    if 0 < sample < len(seeded):
        chosen = {seeded[i * len(seeded) // sample] for i in range(sample)}

    def check(entry: Entry) -> Finding:
        again = entry.number in chosen
        return Finding(entry.number, again, _complaint(mixing, plan, entry, again))

    with ThreadPoolExecutor(threads or default_threads()) as pool:
        for start in range(0, len(mixing.entries), 256):
            yield from pool.map(check, mixing.entries[start : start + 256])


def refuse_changed(pixels: np.ndarray, entry: Entry) -> None:
    """Raise :class:`InputError` where an image that is kept without loss holds other pixels than its manifest says."""
    if digest(pixels) != entry.sha256:
        raise InputError(
            f"{entry.file or f'image {entry.number}'} of the mixing set holds other pixels than its manifest says: it "
            "was changed after it was made; make the set again, or remove the manifest to take its images as they are"
        )


def _complaint(mixing: MadeSet, plan: MixingSetPlan, entry: Entry, again: bool) -> str:
    name = entry.file or f"image {entry.number}"
    try:
        pixels = mixing[entry.number]
    except InputError as error:
        return str(error)
    if pixels.shape != (plan.size, plan.size, 3):
        return f"{name} is {pixels.shape[1]} x {pixels.shape[0]}, the manifest says {plan.size} x {plan.size}"
    if plan.files in LOSSLESS and digest(pixels) != entry.sha256:
        return f"{name} holds other pixels than the manifest says"
    if again and digest(paint(entry.kind, plan.seed, entry.index, plan.size).pixels) != entry.sha256:
        return f"{name}, painted again from seed {plan.seed}, differs from the manifest"
    return ""
