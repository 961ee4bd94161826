"""The whole story in two minutes: a plain and an IPMix network, trained alike, measured alike, on one page.

Needs no download: scikit-learn's handwritten digits, enlarged to 32x32, are the default data.
"""

import multiprocessing
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from ipmix.augmentation.batches import augment, draw
from ipmix.augmentation.explain import explain
from ipmix.core.children import safe_path
from ipmix.core.errors import InputError
from ipmix.core.files import write_text
from ipmix.core.json_text import json_text
from ipmix.core.progress import duration
from ipmix.core.terminal import say, tell
from ipmix.core.versions import versions
from ipmix.corruptions import CORRUPTIONS, corrupt
from ipmix.data.datasets import ArrayDataset
from ipmix.evaluation.results import read_runs
from ipmix.experiment.quickstart_worker import NAMES, QuickstartConfig, images_of, method_of, mixing_of, work
from ipmix.mixing_set.mixing_set import MixingSet
from ipmix.recipe.format import WHOLE
from ipmix.recipe.recipe import Recipe
from ipmix.report import Figure, Panel, print_comparison, write_page
from ipmix.report.comparison import Comparison, compare_runs
from ipmix.report.facts import facts_of_making

__all__ = ["QuickstartConfig", "quickstart"]

SCHEMA = "ipmix quickstart 1"
LOGGED_STEP = 20
"""Percent between two lines about measuring, where there is no terminal to write over."""

SEVERITY_SHOWN = 3
"""The severity at which the page shows each corruption."""


def quickstart(
    settings: QuickstartConfig, out: Path, *, force: bool = False, device: str = "cpu", quiet: bool = False
) -> dict[str, Any]:
    """Train both networks, measure them, print the table, write ``report.html`` and ``results.json``.

    The networks run in two processes (a script that calls this needs ``if __name__ == "__main__":``).

    Args:
        settings: what to do. More images than ``train_images`` and ``test_images`` are thinned evenly.
        out: the folder for everything that is written.
        force: replace what an earlier quickstart wrote there.
        device: "cpu" gives the same figures for the same seed; "auto" takes an accelerator.
        quiet: print no progress.

    Returns:
        What ``results.json`` holds: the settings, the versions, and one scorecard for each network.

    Raises:
        InputError: data or settings that can't be used, or a folder that is taken.
    """
    began = time.monotonic()
    _refuse_taken(out, force)
    train_set, test_set = images_of(settings, quiet=quiet)
    if settings.model != QuickstartConfig.model:  # that one takes any image, and torch takes seconds to load
        from ipmix import models
        from ipmix.models.advice import check_takes

        check_takes(
            models.build(settings.model, train_set.classes, size=settings.size), 3, settings.size, settings.size
        )
    _prepare(out)
    display = _Display(settings, out, quiet)
    display.say(
        f"{settings.data}: {len(train_set)} images to train on, {len(test_set)} to test on, "
        f"{len(train_set.classes)} classes, {settings.size} pixels"
    )
    display.say("The first time, kernels are compiled as well, which takes about half a minute.")
    cards = _run_both(settings, out, device, force, display)
    results = {
        "schema": SCHEMA,
        "settings": asdict(settings),
        "versions": versions("scikit-learn"),
        "pictures": {"train": len(train_set), "test": len(test_set)},
        "runs": cards,
    }
    write_text(out / "results.json", json_text(results, indent=1) + "\n")
    comparisons = compare_runs(read_runs(out / "results.json"))
    write_report(
        settings, results, train_set, test_set, mixing_of(settings), out / "report.html", comparisons=comparisons
    )
    print_comparison([cards[name] for name in NAMES], comparisons=comparisons)
    say("In brackets: 95% intervals over the test images; one training run each.\n", fold=True)
    told = (
        f"Done in {duration(time.monotonic() - began)}. Open {out / 'report.html'}; "
        f"all figures are in {out / 'results.json'}.\n"
    )
    say(told, fold=True)
    return results


def _refuse_taken(out: Path, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; expected a folder to write to")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise InputError(f"{out} exists and is not empty; choose another --out, or pass --force to replace it")


def _prepare(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:  # an earlier run's lines would look like this run's progress
        for left in ("metrics.jsonl", "scorecard.json"):
            with suppress(FileNotFoundError):
                (out / name.lower() / left).unlink()


def _run_both(
    settings: QuickstartConfig, out: Path, device: str, force: bool, display: "_Display"
) -> dict[str, dict[str, Any]]:
    """Train and measure both networks side by side; the scorecards by name."""
    context = multiprocessing.get_context("spawn")
    waiting: dict[Connection, str] = {}
    processes = []
    cards: dict[str, dict[str, Any]] = {}
    try:
        for name in NAMES:
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(
                target=work, args=(sender, settings, name, out, device, force), daemon=True, name=f"ipmix {name}"
            )
            with safe_path():
                process.start()
            sender.close()  # so that a process that dies is noticed: its end was the last one open
            processes.append(process)
            waiting[receiver] = name
        # The augmentation's kernels are compiled here, while IPMix's process makes its fractals.
        Thread(target=_compile_augmentation, args=(settings,), daemon=True).start()
        with display:
            while waiting:
                for ready in wait(list(waiting), timeout=0.5):
                    assert isinstance(ready, Connection)
                    name = waiting[ready]
                    card = _received(ready, name, display)
                    if card is not None:
                        cards[waiting.pop(ready)] = card
                display.update()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
    return {name: cards[name] for name in NAMES}


def _compile_augmentation(settings: QuickstartConfig) -> None:
    image = np.zeros((1, settings.size, settings.size, 3), np.uint8)
    augment(image, method_of(settings), MixingSet.array(image), seed=0)


def _received(end: Connection, name: str, display: "_Display") -> dict[str, Any] | None:
    """The scorecard that a process sends, or None where it only tells how far it is."""
    try:
        kind, content = end.recv()
    except EOFError:
        raise RuntimeError(f"the process that trains {name} ended without a word (out of memory?)") from None
    if kind == "measured":
        display.measured[name] = content
        return None
    if kind == "input":
        raise InputError(content)
    if kind == "failure":
        raise RuntimeError(f"training or measuring {name} failed:\n{content}")
    card: dict[str, Any] = content
    return card


class _Display:
    """Shows how far the two processes are, from the files they write."""

    def __init__(self, settings: QuickstartConfig, out: Path, quiet: bool) -> None:
        self._epochs, self._out, self._quiet = settings.epochs, out, quiet
        self._shown: dict[str, str] = {}
        self._live: Any = None
        self.measured: dict[str, int] = {}
        """How much each process has measured, in percent."""

    def __enter__(self) -> "_Display":
        if not self._quiet and sys.stderr.isatty():
            with suppress(ImportError):
                from rich.console import Console
                from rich.live import Live

                self._live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)
                self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, message: str) -> None:
        if not self._quiet:
            tell(message + "\n", fold=True)
            sys.stderr.flush()

    def update(self) -> None:
        stages = {name: self._stage(name) for name in NAMES}
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text("\n".join(f"{name:<6} {stage}" for name, stage in stages.items())))
            return
        for name, stage in stages.items():
            if self._shown.get(name) != stage:
                self._shown[name] = stage
                self.say(f"{name}: {stage}")

    def _stage(self, name: str) -> str:
        folder = self._out / name.lower()
        if (folder / "scorecard.json").exists():
            return "done"
        done = 0
        with suppress(OSError):
            done = (folder / "metrics.jsonl").read_text(encoding="utf-8").count('"train_error"')
        if done >= self._epochs:
            step = 1 if self._live is not None else LOGGED_STEP
            percent = self.measured.get(name, 0) // step * step
            return f"measuring: clean, {len(CORRUPTIONS)} corruptions at 5 severities, attacked; {percent}%"
        if (folder / "metrics.jsonl").exists():
            return f"training, epoch {done + 1} of {self._epochs}"
        return "starting" + (", making fractals to mix in" if name == NAMES[-1] else "")


def write_report(
    settings: QuickstartConfig,
    results: dict[str, Any],
    train_set: ArrayDataset,
    test_set: ArrayDataset,
    mixing: MixingSet,
    path: Path,
    *,
    comparisons: Sequence[Comparison] | None = None,
) -> None:
    """Write the page of a finished quickstart; ``comparisons`` is that of the IPMix network with the plain one."""
    same = "random crop" + ("" if settings.data == "digits" else " and mirroring")
    loss = "Jensen-Shannon consistency over two versions of each image" if settings.jsd else "cross-entropy"
    facts = [
        ("data", f"{train_set.name} ({len(train_set)}), {test_set.name} ({len(test_set)}), {settings.size} pixels"),
        ("network", f"{settings.model}, the same for both"),
        ("training", f"{settings.epochs} epochs of the same images, batches of {settings.batch_size}"),
        ("plain", f"{same}; cross-entropy"),
        ("IPMix", f"{same}, then IPMix in its default form{_exception(settings)}; {loss}"),
        ("mixing set", f"{len(mixing)} generated fractals"),
        ("attack", "PGD, L-infinity 2/255, 20 steps of 0.5/255, random start, ball around the clean image"),
        ("seed", str(settings.seed)),
        *facts_of_making([results["runs"][name] for name in NAMES]),
        *results["versions"].items(),
    ]
    write_page(
        path,
        [results["runs"][name] for name in NAMES],
        title=f"A plain and an IPMix network on {_called(settings)}",
        lead=(
            f"The same small network, trained twice on {len(train_set)} images for {settings.epochs} epochs, "
            f"then measured on {len(test_set)} others. One training run each: another seed gives other figures."
        ),
        panels=panels(settings, train_set, mixing),
        facts=facts,
        comparisons=comparisons,
    )


def panels(settings: QuickstartConfig, dataset: ArrayDataset, mixing: MixingSet) -> list[Panel]:
    """The images on the page: IPMix versions, two of them taken apart, and the corruptions."""
    method = method_of(settings)
    images = dataset.images
    chosen = np.linspace(0, len(images) - 1, 8).round().astype(np.int64)
    some = np.ascontiguousarray(images[chosen])
    views = [augment(some, method, mixing, seed=settings.seed, view=view) for view in range(6)]
    grid = [("", [Figure(some[i]), *(Figure(view[i]) for view in views)]) for i in range(len(some))]
    shown = [
        Figure(corrupt(some[:1], name, SEVERITY_SHOWN, seed=settings.seed)[0], name.replace("_", " "))
        for name in CORRUPTIONS
    ]
    return [
        Panel("Images and their IPMix versions", "Each row: the image, then six versions of it.", grid, 58),
        *_taken_apart(settings, images[:: max(1, len(images) // 64)], mixing),
        Panel("The corruptions", f"An image at severity {SEVERITY_SHOWN} of 5.", [("", shown)], 84),
    ]


def _taken_apart(settings: QuickstartConfig, images: np.ndarray, mixing: MixingSet, count: int = 2) -> list[Panel]:
    """The recipes that show most, chain by chain."""
    table = draw(method_of(settings), images.shape, len(mixing), seed=settings.seed)
    telling = sorted(range(len(table)), key=lambda i: _telling(table[i]), reverse=True)[:count]
    rows: list[tuple[str, Sequence[Figure]]] = []
    for i in sorted(telling):
        rows += [
            (row.label, [Figure(image, label) for label, image in row.images])
            for row in explain(images[i], table[i], mixing)
        ]
    text = (
        "Each chain starts from the clean image and goes through its steps; the result mixes the chains "
        "and the clean image by the shares given."
    )
    return [Panel("IPMix taken apart", text, rows, 92, per_column=len(rows) // count)]


def _telling(recipe: Recipe) -> tuple[bool, int, int]:
    """How much a recipe shows: neither all clean nor hardly any of it, both kinds of chain, many steps."""
    steps = [step for chain in recipe.chains for step in chain.steps]
    kinds = {bool(step.mixer) for step in steps}
    return 0.15 < recipe.clean / WHOLE < 0.45, len(kinds), len(steps)


def _exception(settings: QuickstartConfig) -> str:
    return " without mirroring (a mirrored 2 is no 2)" if settings.data == "digits" else ""


def _called(settings: QuickstartConfig) -> str:
    known = {"digits": "handwritten digits", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
    return known.get(settings.data, Path(settings.data).name)
