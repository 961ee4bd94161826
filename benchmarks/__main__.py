"""``python -m benchmarks [SUITE ...] [--quick] [--out FOLDER]``; the README beside this file is the contract."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from benchmarks import machine

if TYPE_CHECKING:
    from benchmarks.images import Source
    from benchmarks.results import Suite
    from benchmarks.timing import Effort

OWN = ("augmentation", "methods", "loader", "growth")
MORE = ("adapters",)
"""Of the same kind, run where they are named: they need other people's libraries."""
SEPARATE = {
    "corruptions": ("speed",),
    "mixing-set": ("--images", "60", "--make", "13000"),
    "training": (),
    "scorecard": (),
}
"""Programs of their own that print their tables: their arguments."""
QUICK = ("training",)
"""Those of them that know ``--quick``."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the suites named and write their results; 1 if one of them failed."""
    arguments = _parser().parse_args(words)
    machine.one_thread()
    from benchmarks import images, report, yardstick
    from benchmarks.timing import FULL, QUICK
    from ipmix.engines.compiled import beginning

    beginning.wait_from_now_on()  # the first call compiles, and is the warm-up
    effort = QUICK if arguments.quick else FULL
    folder = arguments.out or Path("runs" if arguments.quick else "results", "benchmarks")
    source = images.find()
    # Without --out: a record says how to measure again, not where its machine keeps files.
    command = " ".join(["python -m benchmarks", *arguments.suites, *(["--quick"] if arguments.quick else [])])
    failed = []
    begin = time.perf_counter()
    for name in arguments.suites or OWN:
        circumstances = machine.describe(command, yardstick.file())
        try:
            suite = _run(name, effort, source)
        except RuntimeError as error:
            print(f"{name} failed: {error}", file=sys.stderr)
            failed.append(name)
            continue
        circumstances["load average at the end"] = machine.load()
        suite = replace(suite, metadata=circumstances)
        written = report.write(suite, folder)
        print(report.markdown(suite))
        print("Written: " + ", ".join(str(path) for path in written), flush=True)
    print(f"{time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed, memory and growth.")
    known = (*OWN, *MORE, *SEPARATE)
    parser.add_argument(
        "suites",
        nargs="*",
        metavar="suite",
        choices=(*known, []),
        help=f"{', '.join(known)}; by default {', '.join(OWN)}",
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, few rounds: two minutes, rough figures")
    parser.add_argument(
        "--out", type=Path, help="folder for the results; by default results/benchmarks (quick: runs/benchmarks)"
    )
    return parser


def _run(name: str, effort: "Effort", source: "Source") -> "Suite":
    def say(what: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')}] {name}: {what}", file=sys.stderr, flush=True)

    if name in SEPARATE:
        return _separate(name, effort, source, say)
    from benchmarks import adapters, augmentation, growth, loader, methods

    suites: dict[str, ModuleType] = {
        "augmentation": augmentation, "methods": methods, "loader": loader, "growth": growth, "adapters": adapters,
    }  # fmt: skip
    return suites[name].run(effort, source, say)


def _separate(name: str, effort: "Effort", source: "Source", say: Callable[[str], None]) -> "Suite":
    """Run a program of its own and keep what it prints; RuntimeError if it fails."""
    from benchmarks.results import Suite

    words = [sys.executable, "-m", f"benchmarks.{name.replace('-', '_')}", *SEPARATE[name]]
    if name == "corruptions" and source.folder is not None:
        words += ["--images", str(source.folder / "imagenet-sample")]
    if effort.quick and name in QUICK:
        words.append("--quick")
    say("runs as a program of its own")
    here = Path(__file__).parent.parent
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=here) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words[1:])} ended with status {process.returncode}")
    images = "as the program says" if source.folder is None else source.description
    return Suite(name, name.replace("-", " ").capitalize(), images, text="".join(lines))


if __name__ == "__main__":
    sys.exit(main())
