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

SAMPLES = 20
"""Draws for an interval: a thousand of them took most of the time of a run, and write nothing."""


STUDY = """
title: noise
kind: training
measures: [clean_error, mean_corruption_error]
base:
  data: {source: data}
  training: {model: wrn-10-1, epochs: 1, batch_size: 4, crop_size: 16, flip: false}
cells:
  plain: {method: {name: none}}
  augmix: {method: {name: augmix}}
scales:
  laptop:
    passes:
      clean: {}
      corruptions: {corruptions: [contrast], severities: [2], limit: 4}
"""
"""Two cells of a table."""


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
        threads: it takes --threads.
        without: keys of its JSON files, at any depth, that hold the clock's figures.
    """

    name: str
    words: tuple[object, ...]
    out: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    file: str = ""
    threads: bool = False
    without: tuple[str, ...] = ()

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
        "training: {model: wrn-10-1, epochs: 2, batch_size: 6, crop_size: 16, log_steps: 1, ema_decay: 0.9}\n"
        "evaluation: {corruptions: [brightness], severities: [1], attack: false}\n"
    )
    logits = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    np.savez(folder / "predictions.npz", logits=logits, labels=np.arange(40) % 3)
    (folder / "study.yaml").write_text(STUDY)
    data, quiet, clock = folder / "data", ("--quiet",), ("speed.jsonl", "state.pt", "run.lock")
    short = ("--model", "wrn-10-1", "--epochs", "2", "--batch-size", "6", "--crop-size", "16", "--log-steps", "1")
    kinds = "ifs=5,julia=2"
    return (
        Writer("corrupt folders", ("corrupt", data / "test", "--names", "fog,jpeg_compression"), threads=True),
        Writer("corrupt arrays", ("corrupt", folder / "images.npy", "--names", "contrast,shot_noise"), threads=True),
        Writer("corrupt sequences", ("corrupt", data / "test", "--set", "p", "--names", "brightness"), threads=True),
        Writer("mixing-set png", ("mixing-set", "make", "--count", "7", "--size", "16", "--mix", kinds), threads=True),
        Writer(
            "mixing-set shard",
            ("mixing-set", "make", "--count", "7", "--size", "16", "--mix", kinds, "--files", "shard"),
            threads=True,
        ),
        Writer(
            "train",
            ("train", data, *short, "--method", "augmix", "--ema-decay", "0.9", "--checkpoint-seconds", "0", *quiet),
            ("--out",), ("--resume",), clock, threads=True,
        ),
        Writer(
            "evaluate",
            ("evaluate", folder / "model.safetensors", data, "--corruptions", "brightness", "--severities", "1",
             "--no-attack", "--device", "cpu", *quiet),
            ("--out",), threads=True,
        ),
        Writer(
            "experiment", ("experiment", folder / "experiment.yaml", "--device", "cpu", *quiet), ("--out",),
            ("--resume",), clock, threads=True,
        ),
        Writer("score", ("score", folder / "predictions.npz", "--samples", "20"), ("--out",), ("--force",)),
        Writer(
            "augment", ("augment", data / "train" / "a" / "00.png", "--count", "2"), ("--out",), ("--force",),
            file="sheet.png",
        ),
        Writer(
            "reproduce",
            ("reproduce", "run", folder / "study.yaml", "--data", data, "--device", "cpu", "--no-estimate", "--here",
             *quiet),
            ("--out",), threads=True, without=("date", "hours", "clock"),
        ),
    )  # fmt: skip


def small_chunks() -> None:
    """In this process, let a shard of predictions hold a few images only, and draw few for an interval."""
    from ipmix.evaluation import plan, predicting, scorecard

    plan.CHUNK = predicting.CHUNK = CHUNK
    scorecard.scored.__kwdefaults__["samples"] = SAMPLES


def working(writer: Writer, out: Path, *, second: bool = False, threads: int = 0) -> Callable[[], int]:
    """The writer's command, to be run in a process; ``threads``: on so many, where it is not 0."""

    def work() -> int:
        from ipmix.cli.main import main

        small_chunks()
        words = writer.second(out) if second else writer.first(out)
        return main([str(word) for word in words] + ["--threads", str(threads)] * (threads > 0))

    return work
