"""``python -m tests.reliability``: the whole of it, or parts, with as many tries as one wants.

    python -m tests.reliability --list
    python -m tests.reliability --all --record          the long part; its figures go to docs/reliability.md
    python -m tests.reliability kills crashes --share 0.05 --only train
    python -m tests.reliability kills --minutes 5        as many of the long part's tries as that time allows

``--share`` multiplies the tries of the long part (1.0); every part makes at least one. ``--minutes`` ends each part,
for each writer, after that time: its row then says so, and how many tries it made.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.reliability import harness
from tests.reliability.harness import Part

Parts = Callable[[float, str], Iterator[Part]]


def _tries(share: float, whole: int) -> int:
    return max(1, round(share * whole))


def _writers(part: str, whole: int) -> Parts:
    def parts(share: float, only: str) -> Iterator[Part]:
        from tests.reliability import interruptions, writers

        with harness.scratch() as folder:
            (folder / "in").mkdir()
            for writer in writers.prepare(folder / "in"):
                if only in writer.name:
                    bench = interruptions.Bench(writer, folder / writer.name.replace(" ", "-"))
                    most = None if part in ("crashes", "steps") and share >= 1 else _tries(share, whole)
                    yield getattr(interruptions, part)(bench, most)

    return parts


def _counted(module: str, function: str, whole: int) -> Parts:
    def parts(share: float, only: str) -> Iterator[Part]:
        from importlib import import_module

        if only in function:
            yield getattr(import_module(f"tests.reliability.{module}"), function)(_tries(share, whole))

    return parts


PARTS: dict[str, Parts] = {
    "kills": _writers("kills", 200),
    "crashes": _writers("crashes", 400),
    "full_disk": _writers("full_disk", 20),
    "bad_folders": _writers("bad_folders", 20),
    "two_at_once": _writers("two_at_once", 10),
    "signals": _writers("signals", 40),
    "steps": _writers("steps", 400),
    "resumes": _counted("resuming", "resumes", 1000),
    "surroundings": _counted("surroundings", "surroundings", 1000),
    "processes": _counted("processes", "processes", 10),
    "workers": _counted("processes", "workers", 6),
    "torchrun": _counted("torchrun", "torchrun", 10),
    "determinism": _counted("determinism", "determinism", 7),
    "recipes": _counted("fuzzing", "recipes", 1_000_000),
    "bounds": _counted("fuzzing", "bounds", 100_000),
    "texts": _counted("fuzzing", "texts", 100_000),
    "image_files": _counted("fuzzing", "image_files", 100_000),
    "loader": _counted("load", "loader", 5_000_000),
    "augmenter": _counted("load", "augmenter", 5_000_000),
    "corruptions": _counted("load", "corruptions", 1_000_000),
}


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    words.add_argument("parts", nargs="*", help="which parts; see --list")
    words.add_argument("--all", action="store_true", help="all parts")
    words.add_argument("--list", action="store_true", help="name the parts")
    words.add_argument("--share", type=float, default=1.0, help="of the long part's tries")
    words.add_argument("--minutes", type=float, help="at most, for each part and writer")
    words.add_argument("--only", default="", help="only writers or functions with this in their name")
    words.add_argument("--record", action="store_true", help="write the figures into docs/reliability.md")
    words.add_argument("--out", type=Path, help="write them as JSON")
    chosen = words.parse_args()
    if chosen.list or not (chosen.parts or chosen.all):
        sys.stdout.write("\n".join(PARTS) + "\n")
        return 0
    if unknown := [name for name in chosen.parts if name not in PARTS]:
        words.error(f"there is no part {unknown[0]}; see --list")
    harness.load_everything()
    done: list[Part] = []
    for name in PARTS if chosen.all else chosen.parts:
        began = time.monotonic()
        harness.allow(chosen.minutes)
        for part in PARTS[name](chosen.share, chosen.only):
            part.seconds, began = time.monotonic() - began, time.monotonic()
            harness.allow(chosen.minutes)
            done.append(part)
            told = f"{part.name}: {part.tried:,} tries, {len(part.faults)} faults, {part.seconds:.0f} s"
            sys.stdout.write("; ".join([told, *part.notes]) + "\n")
            sys.stdout.flush()
            if chosen.record:
                from tests.reliability.record import record

                record([part])
    if chosen.out:
        chosen.out.write_text(json.dumps([vars(part) for part in done], indent=1))
    return 1 if any(part.faults for part in done) else 0


if __name__ == "__main__":
    raise SystemExit(main())
