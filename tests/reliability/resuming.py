"""Trainings stopped at every step and gone on with, on 1, 2 and 4 threads: the same bytes as never stopped."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.reliability import harness
from tests.reliability.harness import Part, contents, differences
from tests.reliability.writers import small_images

KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "cross-entropy": ({}, "ipmix"),
    "Jensen-Shannon": ({"jsd": True}, "ipmix"),
    "AugMax": ({"jsd": True, "model": "wrn-10-1-dubin"}, "augmax"),
    "dropout": ({"dropout": 0.3}, "augmix"),
    "moving average": ({"ema_decay": 0.9}, "ipmix"),
    "bfloat16": ({"precision": "bfloat16"}, "ipmix"),
}
"""Settings and method; float16 needs an accelerator."""

THREADS = (1, 2, 4)
STEPS = 8
CLOCK = ("speed.jsonl", "state.pt", "run.lock")


def training(kind: str, out: Path, threads: int, *, stop_at: int | None = None) -> Callable[[], int]:
    """Two epochs of four steps; stopped by SIGTERM during step ``stop_at`` (from 1), which is then saved."""

    def work() -> int:
        from ipmix.data.datasets import ArrayDataset
        from ipmix.methods import METHODS
        from ipmix.training import loop
        from ipmix.training.config import TrainingConfig

        settings, method = KINDS[kind]
        images, labels = small_images(16), np.arange(16, dtype=np.int64) % 2
        dataset = ArrayDataset(images, labels, ("a", "b"), "noise")
        test = ArrayDataset(images[:6], labels[:6], ("a", "b"), "noise")
        mixing = small_images(3, 20, seed=1)
        config = TrainingConfig(
            **{"model": "wrn-10-1", "epochs": 2, "batch_size": 4, "log_steps": 1, "seed": 3, **settings}
        )
        step, count = loop._Run._step, 0

        def counted(*words: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return step(*words, **options)

        loop._Run._step = counted  # type: ignore[method-assign]
        chosen = METHODS[method]()
        loop.train(
            config, dataset, test, out, method=chosen, mixing=mixing if chosen.needs_mixing_images else None,
            resume=True, threads=threads, device="cpu", quiet=True, checkpoint_seconds=1e9,
        )  # fmt: skip
        return 0

    return work


def places() -> Iterator[tuple[int, int, str]]:
    """Every step, number of threads and kind, the kinds quickest, so that any beginning has something of all."""
    for step in range(1, STEPS + 1):
        for threads in THREADS:
            for kind in KINDS:
                yield step, threads, kind


def resumes(count: int, seed: int = 0, jobs: int = 1) -> Part:
    """Stop at a step, go on with another number of threads, compare with a run that was not stopped."""
    part = Part(
        "resume", f"stopped at one of {STEPS} steps, gone on with 1, 2 or 4 threads, 6 kinds of training", seed=seed
    )
    everything = list(places())
    chosen = [everything[(seed + i) * 7 % len(everything)] for i in range(min(count, len(everything)))]
    whole: dict[str, dict[str, str]] = {}
    with harness.scratch() as folder:
        for kind in dict.fromkeys(kind for _, _, kind in chosen):
            out = folder / f"whole {kind}"
            ended = harness.run(training(kind, out, 1), timeout=600)
            if not part.check(ended.code == 0, f"{kind}: {ended.text[-300:]}"):
                return part
            whole[kind] = contents(out, CLOCK)
        harness.warm(training(chosen[0][2], folder / "warm", 1))

        def one(part: Part, place: tuple[int, int, str], job: int) -> None:
            step, threads, kind = place
            out, what = folder / f"{kind} {step} {threads}", f"{kind}, step {step}, {threads} threads"
            ended = harness.run(training(kind, out, 1, stop_at=step))
            part.check(ended.code == 128 + signal.SIGTERM, f"{what}: stopped with {ended.code}: {ended.text[-300:]}")
            ended = harness.run(training(kind, out, threads))
            part.check(ended.code == 0, f"{what}: then ended with {ended.code}: {ended.text[-300:]}")
            told = differences(contents(out, CLOCK), whole[kind])
            part.check(not told, f"{what}: other bytes: {told}")
            part.tried += 1
            shutil.rmtree(out)

        part.notes.append(", ".join(whole))
        return harness.carry_out(part, chosen, one, jobs=jobs)
