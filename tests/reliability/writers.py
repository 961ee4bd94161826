"""The commands that write, each on a few small images, with what is said the second time after an interruption."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ipmix import models

CHUNK = 4
"""Images in a shard of predictions, so that a few images make several."""


@dataclass(frozen=True)
class Writer:
    """A command that writes into a folder or to a file.

    Attributes:
        name: of the writer.
        words: the command without its output.
        out: the words before the output: ("--out",), or none where it stands alone.
        again: what is added when it goes on after an interruption.
        ignore: files that hold the clock's figures.
        file: the output is this file in the folder, not the folder.
    """

    name: str
    words: tuple[object, ...]
    out: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    file: str = ""

    def first(self, out: Path) -> list[object]:
        """The command's words."""
        return [*self.words, *self.out, out / self.file if self.file else out]

    def second(self, out: Path) -> list[object]:
        """Its words after an interruption."""
        return [*self.first(out), *self.again]


def small_images(count: int, side: int = 16, seed: int = 0) -> np.ndarray:
    """Smooth color images, uint8[count, side, side, 3]."""
    draws = np.random.default_rng(seed)
    coarse = draws.integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, side // 4, 1), side // 4, 2)


def prepare(folder: Path) -> tuple[Writer, ...]:
    """Make what the writers read in ``folder``, and give the writers."""
    images = small_images(20)
    for split, chosen in (("train", range(12)), ("test", range(12, 20))):
        for i in chosen:
            path = folder / "data" / split / "ab"[i % 2] / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[i]).save(path)
    np.save(folder / "images.npy", images[:6])
    np.save(folder / "labels.npy", np.arange(6) % 2)
    torch.manual_seed(0)
    models.save(folder / "model.safetensors", models.build("wrn-10-1", ("a", "b")), {"size": 16})
    (folder / "experiment.yaml").write_text(
        f"data: {{source: {json.dumps(str(folder / 'data'))}}}\n"
        "method: {name: augmix}\n"
        "training: {model: wrn-10-1, epochs: 2, batch_size: 4, crop_size: 16, log_steps: 1, ema_decay: 0.9}\n"
        "evaluation: {corruptions: [brightness], severities: [1], attack: false}\n"
    )
    logits = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    np.savez(folder / "predictions.npz", logits=logits, labels=np.arange(40) % 3)
    data, quiet, clock = folder / "data", ("--quiet",), ("speed.jsonl", "state.pt", "run.lock")
    short = ("--model", "wrn-10-1", "--epochs", "2", "--batch-size", "4", "--crop-size", "16", "--log-steps", "1")
    kinds = "ifs=5,julia=2"
    return (
        Writer("corrupt folders", ("corrupt", data / "test", "--names", "fog,jpeg_compression")),
        Writer("corrupt arrays", ("corrupt", folder / "images.npy", "--names", "contrast,shot_noise")),
        Writer("corrupt sequences", ("corrupt", data / "test", "--set", "p", "--names", "brightness")),
        Writer("mixing-set png", ("mixing-set", "make", "--count", "7", "--size", "16", "--mix", kinds)),
        Writer(
            "mixing-set shard",
            ("mixing-set", "make", "--count", "7", "--size", "16", "--mix", kinds, "--files", "shard"),
        ),
        Writer(
            "train",
            ("train", data, *short, "--method", "augmix", "--ema-decay", "0.9", "--checkpoint-seconds", "0", *quiet),
            ("--out",), ("--resume",), clock,
        ),
        Writer(
            "evaluate",
            ("evaluate", folder / "model.safetensors", data, "--corruptions", "brightness", "--severities", "1",
             "--no-attack", "--device", "cpu", *quiet),
            ("--out",),
        ),
        Writer(
            "experiment", ("experiment", folder / "experiment.yaml", "--device", "cpu", *quiet), ("--out",),
            ("--resume",), clock,
        ),
        Writer("score", ("score", folder / "predictions.npz", "--samples", "20"), ("--out",), ("--force",)),
        Writer(
            "augment", ("augment", data / "train" / "a" / "00.png", "--count", "2"), ("--out",), ("--force",),
            file="sheet.png",
        ),
    )  # fmt: skip


def small_chunks() -> None:
    """In this process, let a shard of predictions hold a few images only."""
    from ipmix.evaluation import plan, predicting

    plan.CHUNK = predicting.CHUNK = CHUNK


def working(writer: Writer, out: Path, *, second: bool = False) -> Callable[[], int]:
    """The writer's command, to be run in a process."""

    def work() -> int:
        from ipmix.cli.main import main

        small_chunks()
        return main([str(word) for word in (writer.second(out) if second else writer.first(out))])

    return work
