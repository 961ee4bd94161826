"""``python -m tests.reliability``: the whole of it, or parts, with as many tries as one wants.

    python -m tests.reliability --list
    python -m tests.reliability --all --record          the long part; its figures go to docs/reliability.md
    python -m tests.reliability kills crashes --share 0.05 --only train
    python -m tests.reliability kills --minutes 5        as many of the long part's tries as that time allows
    python -m tests.reliability recipes --share 0.1 --record --jobs 2     a tenth more, on two processors

``--share`` multiplies the tries of the long part (1.0); every part makes at least one. ``--minutes`` ends each part,
for each writer, after that time: its row then says so, and how many tries it made. ``--record`` adds a run to those
that are kept, with tries that none of them has made; ``--seed`` says where the tries begin.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.reliability import harness, record
from tests.reliability.harness import Part

Parts = Callable[[float, str], Iterator[Part]]


@dataclass(frozen=True)
class Wanted:
    """Which tries, of what, how.

    Attributes:
        share: of the long part's tries.
        only: writers or functions with this in their name.
        jobs: processes that try at the same time, each in folders of its own.
        seed: where the tries of the part with this name begin.
    """

    share: float
    only: str
    jobs: int
    seed: Callable[[str], int]

    def tries(self, whole: int) -> int:
        return max(1, round(self.share * whole))


Parts = Callable[[Wanted], Iterator[Part]]


def _writers(part: str, name: str, whole: int) -> Parts:
    def parts(wanted: Wanted) -> Iterator[Part]:
        from tests.reliability import interruptions, writers

        with harness.scratch() as folder:
            (folder / "in").mkdir()
            for writer in writers.prepare(folder / "in"):
                if wanted.only in writer.name:
                    bench = interruptions.Bench(writer, folder / writer.name.replace(" ", "-"))
                    most = None if part in ("crashes", "steps") and wanted.share >= 1 else wanted.tries(whole)
                    seed = wanted.seed(f"{name}: {writer.name}")
                    yield getattr(interruptions, part)(bench, most, seed, wanted.jobs)

    return parts


def _counted(module: str, function: str, name: str, whole: int, *, jobs: bool = False) -> Parts:
    def parts(wanted: Wanted) -> Iterator[Part]:
        from importlib import import_module

        if wanted.only in function:
            more = (wanted.jobs,) if jobs else ()
            work = getattr(import_module(f"tests.reliability.{module}"), function)
            yield work(wanted.tries(whole), wanted.seed(name), *more)

    return parts


PARTS: dict[str, Parts] = {
    "kills": _writers("kills", "kill", 200),
    "crashes": _writers("crashes", "crash", 400),
    "full_disk": _writers("full_disk", "full disk", 20),
    "bad_folders": _writers("bad_folders", "folder", 20),
    "two_at_once": _writers("two_at_once", "two at once", 10),
    "signals": _writers("signals", "signal", 40),
    "steps": _writers("steps", "step", 400),
    "resumes": _counted("resuming", "resumes", "resume", 144, jobs=True),
    "surroundings": _counted("surroundings", "surroundings", "surroundings", 10),
    "processes": _counted("processes", "processes", "processes", 5),
    "workers": _counted("processes", "workers", "workers", 6),
    "torchrun": _counted("torchrun", "torchrun", "torchrun", 10),
    "determinism": _counted("determinism", "determinism", "determinism", 7),
    "recipes": _counted("fuzzing", "recipes", "recipes", 1_000_000, jobs=True),
    "bounds": _counted("fuzzing", "bounds", "bounds", 100_000, jobs=True),
    "texts": _counted("fuzzing", "texts", "texts", 100_000),
    "image_files": _counted("fuzzing", "image_files", "image files", 100_000, jobs=True),
    "loader": _counted("load", "loader", "load: loader", 5_000_000),
    "augmenter": _counted("load", "augmenter", "load: Augmenter", 5_000_000),
    "corruptions": _counted("load", "corruptions", "load: corruptions", 1_000_000),
}
"""By the name on the command line."""


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    words.add_argument("parts", nargs="*", help="which parts; see --list")
    words.add_argument("--all", action="store_true", help="all parts")
    words.add_argument("--list", action="store_true", help="name the parts")
    words.add_argument("--share", type=float, default=1.0, help="of the long part's tries")
    words.add_argument("--minutes", type=float, help="at most, for each part and writer")
    words.add_argument("--only", default="", help="only writers or functions with this in their name")
    words.add_argument("--jobs", type=int, default=1, help="processes that try at the same time")
    words.add_argument("--seed", type=int, help="other tries; without it 0, with --record as many as are recorded")
    words.add_argument("--record", action="store_true", help="add the figures to those of docs/reliability.md")
    words.add_argument("--rows", action="store_true", help="only make the table of docs/reliability.md anew")
    words.add_argument("--out", type=Path, help="write them as JSON")
    chosen = words.parse_args()
    if chosen.jobs < 1 or (chosen.seed or 0) < 0:
        words.error("--jobs is at least 1, --seed at least 0")
    if chosen.rows:
        record.rows()
        return 0
    if chosen.list or not (chosen.parts or chosen.all):
        sys.stdout.write("\n".join(PARTS) + "\n")
        return 0
    if unknown := [name for name in chosen.parts if name not in PARTS]:
        words.error(f"there is no part {unknown[0]}; see --list")

    def seed(name: str) -> int:
        given: int | None = chosen.seed
        return given if given is not None else record.tried(name) if chosen.record else 0

    harness.load_everything()
    wanted = Wanted(chosen.share, chosen.only, chosen.jobs, seed)
    done: list[Part] = []
    for name in PARTS if chosen.all else chosen.parts:
        began = time.monotonic()
        harness.allow(chosen.minutes)
        for part in PARTS[name](wanted):
            part.seconds, began = time.monotonic() - began, time.monotonic()
            harness.allow(chosen.minutes)
            done.append(part)
            told = f"{part.name}: {part.tried:,} tries, {len(part.faults)} faults, {part.seconds:.0f} s"
            sys.stdout.write("; ".join([told, *part.notes]) + "\n")
            sys.stdout.flush()
            if chosen.record:
                record.record([part])
    if chosen.out:
        chosen.out.write_text(json.dumps([vars(part) for part in done], indent=1))
    return 1 if any(part.faults for part in done) else 0


if __name__ == "__main__":
    raise SystemExit(main())
