"""Plain, AugMix and IPMix on CIFAR-10 and CIFAR-100, with and without Jensen-Shannon loss, on one thread.

    python -m benchmarks.small_runs IMAGES --out runs/small [--seeds 0,1] [--epochs 3] [--results FILE]

IMAGES holds cifar10 and cifar100, each with train/<class>/* and test/<class>/*. Every run is one call of
``ipmix experiment`` on ``experiments/<data>-wrn-10-1-small.yaml`` with method, loss and seed replaced, and resumes what
an earlier call left. Interrupted by Ctrl-C or SIGTERM, the run at hand saves its state. What has finished by then is
gathered in one file: every run with its command and commit, and mean, least and most over the seeds.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine

ROOT = Path(__file__).parent.parent
DATA = ("cifar10", "cifar100")
# The cheap ones first.
ROUNDS = (("none", False), ("ipmix", False), ("augmix", False), ("ipmix", True), ("augmix", True))
PRESETS = {"none": "null", "ipmix": "paper-cifar", "augmix": "cifar"}
MEASURES = ("clean_error", "mean_corruption_error", "rms_calibration_error")


@dataclass(frozen=True)
class Run:
    """One network to train and measure."""

    data: str
    method: str
    jsd: bool
    seed: int

    @property
    def label(self) -> str:
        return f"{self.data}-{self.method}{'-jsd' if self.jsd else ''}-seed{self.seed}"

    def words(self, images: str, out: str, epochs: int) -> list[str]:
        """The arguments of ``ipmix``."""
        settings = {
            "data.source": f"{images}/{self.data}",
            "method.name": self.method,
            "method.preset": PRESETS[self.method],
            "training.jsd": str(self.jsd).lower(),
            "training.seed": str(self.seed),
            "training.epochs": str(epochs),
        }
        start = ["experiment", f"experiments/{self.data}-wrn-10-1-small.yaml", "--out", f"{out}/{self.label}"]
        return [*start, *(f"--set={key}={value}" for key, value in settings.items()), "--device=cpu", "--resume"]


def planned(seeds: Sequence[int]) -> Iterator[Run]:
    """All runs in their order: a seed after the other, a data set after the other; so they get whole one by one."""
    for seed in seeds:
        for data in DATA:
            for method, jsd in ROUNDS:
                yield Run(data, method, jsd, seed)


class Stopped(Exception):
    """The runner was asked to end."""


def carry_out(run: Run, images: Path, out: Path, epochs: int) -> None:
    """Train and measure in a process of its own; nothing if that has been done."""
    folder = out / run.label
    if (folder / "small-run.json").exists():
        return
    about = {"commit": machine.commit(), "command": "ipmix " + " ".join(run.words("IMAGES", "OUT", epochs))}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "ipmix", *run.words(str(images), str(out), epochs)]
    with subprocess.Popen(words, env=environment, cwd=ROOT) as process:
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
    if status:
        raise RuntimeError(f"{' '.join(words[1:])} ended with status {status}")
    (folder / "small-run.json").write_text(json.dumps(about) + "\n")


def found(run: Run, out: Path) -> dict[str, Any] | None:
    """The figures of a finished run."""
    folder = out / run.label
    if not (folder / "small-run.json").exists():
        return None
    results = json.loads((folder / "results.json").read_text())
    measured = results["measured"]["last"]["measures"]
    speed = [json.loads(line) for line in (folder / "speed.jsonl").read_text().splitlines()]
    return {
        **json.loads((folder / "small-run.json").read_text()),
        "data": run.data, "method": run.method, "jsd": run.jsd, "seed": run.seed,
        "epochs": results["last"]["epoch"],
        "train_loss": round(results["last"]["loss"], 4),
        "train_error": round(results["last"]["train_error"], 2),
        "test_error": round(results["last"]["test_error"], 2),
        "best_test_error": round(results["best"]["test_error"], 2),
        "best_epoch": results["best"]["epoch"],
        **{name: _percent(measured[name]) for name in MEASURES},
        "seconds": round(sum(row["seconds"] for row in speed), 1),
        "waiting_share": round(statistics.mean(row["waiting_share"] for row in speed), 4),
    }  # fmt: skip


def _percent(measure: dict[str, Any]) -> dict[str, Any]:
    interval = measure["interval"]
    return {
        "percent": round(100 * measure["value"], 2),
        "interval": None if interval is None else [round(100 * value, 2) for value in interval],
        "pictures": measure["pictures"],
    }


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean, least and most over the seeds, for each of data, method and loss."""
    lines = []
    for data in DATA:
        for method, jsd in ROUNDS:
            same = [row for row in rows if (row["data"], row["method"], row["jsd"]) == (data, method, jsd)]
            if not same:
                continue
            figures = {"test_error": [row["test_error"] for row in same]}
            figures |= {name: [row[name]["percent"] for row in same] for name in MEASURES}
            spread = {
                name: {"mean": round(statistics.mean(values), 2), "least": min(values), "most": max(values)}
                for name, values in figures.items()
            }
            seeds = sorted(row["seed"] for row in same)
            lines.append({"data": data, "method": method, "jsd": jsd, "seeds": seeds, **spread})
    return lines


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The summary as text."""
    rows = [f"{'':26} seeds  test error (all)    mCE                 RMS calibration"]
    for line in lines:
        name = f"{line['data']} {line['method']}{' + JSD' if line['jsd'] else ''}"
        cells = [
            f"{line[key]['mean']:5.1f} ({line[key]['least']:.1f}-{line[key]['most']:.1f})"
            for key in ("test_error", "mean_corruption_error", "rms_calibration_error")
        ]
        rows.append(f"{name:26} {len(line['seeds']):5}  " + "  ".join(f"{cell:18}" for cell in cells).rstrip())
    return "\n".join(rows)


def _stop(*_: object) -> None:
    raise Stopped


def main(words: Sequence[str] | None = None) -> int:
    """Run what is missing, then gather what is there; 1 if it was interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0", help="as 0,1,2")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--gather", action="store_true", help="run nothing: gather what has finished")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "cifar-three-epochs.json")
    arguments = parser.parse_args(words)
    images, out = arguments.images.resolve(), arguments.out.resolve()
    runs = list(planned([int(seed) for seed in arguments.seeds.split(",")]))
    signal.signal(signal.SIGTERM, _stop)
    interrupted = False
    try:
        for run in () if arguments.gather else runs:
            print(f"[{time.strftime('%H:%M:%S')}] {run.label}", file=sys.stderr, flush=True)
            carry_out(run, images, out, arguments.epochs)
    except (KeyboardInterrupt, Stopped):
        interrupted = True
    rows = [row for run in runs if (row := found(run, out)) is not None]
    lines = summary(rows)
    chosen = f"--seeds {arguments.seeds} --epochs {arguments.epochs}"
    record = {
        "what": "Plain, AugMix and IPMix on CIFAR-10 and CIFAR-100, with and without Jensen-Shannon loss; small",
        "note": "All 50,000 training images. test_error: all 10,000 test images after the last epoch. The other "
        "measures: test images evenly spread over the classes, corruptions as the experiment file says; mean "
        "corruption error not divided by another network's; intervals: 95 percent bootstrap over images. One thread "
        "at the lowest priority beside other work: the seconds say nothing of speed.",
        **machine.describe(f"python -m benchmarks.small_runs IMAGES --out OUT {chosen}"),
        "not finished": [run.label for run in runs if found(run, out) is None],
        "summary": lines,
        "runs": rows,
    }
    arguments.results.write_text(json.dumps(record, indent=1) + "\n")
    print(table(lines))
    return int(interrupted)


if __name__ == "__main__":
    sys.exit(main())
