"""Walks the data once: every picture clean, corrupted, attacked and perturbed, through the model, once.

Nothing here augments. Each part of the pictures is read, every condition of it is made on the fly and
forgotten, and the logits are kept (:mod:`ipmix.predictions`), so that memory does not grow with the data.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmix.ascent import pgd
from ipmix.auto_attack import auto_attack, check_classes, require
from ipmix.checking import check_count
from ipmix.corruptions import ALL_CORRUPTIONS, CORRUPTIONS, PERTURBATIONS, corrupt, perturb
from ipmix.errors import InputError
from ipmix.measures import consistency, outputs
from ipmix.predictions import PredictionFolder, check_space
from ipmix.progress import Counter, counting
from ipmix.sources import Source
from ipmix.target import Columns, Target, device_named

PART = 256
"""Pictures in a part: what memory holds at a time, and what an interruption can cost."""

FRAMES_AT_ONCE = 64 * 2**20
"""Bytes of frames that are made at a time."""


@dataclass(frozen=True)
class Attack:
    """Settings of the PGD attack (see :func:`ipmix.ascent.pgd`); the defaults are the paper's."""

    epsilon: float = 2 / 255
    steps: int = 20
    step_size: float = 0.5 / 255
    centre: Literal["clean", "noisy"] = "clean"
    norm: Literal["linf", "l2"] = "linf"
    restarts: int = 1
    pictures: int | None = None
    """Attack only so many of the pictures, evenly spread; None for all."""


@dataclass(frozen=True)
class AutoAttack:
    """Settings of the standard AutoAttack (see :func:`ipmix.auto_attack.auto_attack`)."""

    epsilon: float = 2 / 255
    norm: Literal["linf", "l2"] = "linf"
    pictures: int | None = None
    """Attack only so many of the pictures, evenly spread; None for all."""


@dataclass(frozen=True)
class Plan:
    """What to do to each picture."""

    corruptions: tuple[str, ...] = CORRUPTIONS
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    form: Literal["original", "corrected"] = "original"
    attack: Attack | None = Attack()
    perturbations: tuple[str, ...] = ()
    difficulty: int = 1
    seed: int = 0
    auto_attack: AutoAttack | None = None

    def __post_init__(self) -> None:
        for name in self.corruptions:
            if name not in ALL_CORRUPTIONS:
                raise InputError(f"unknown corruption {name!r}; known are {', '.join(ALL_CORRUPTIONS)}")
        for name in self.perturbations:
            if name not in PERTURBATIONS:
                raise InputError(f"unknown perturbation {name!r}; known are {', '.join(PERTURBATIONS)}")
        for severity in self.severities:
            if severity not in range(1, 6):
                raise InputError(f"a severity is 1 to 5, got {severity}")
        if self.corruptions and not self.severities:
            raise InputError("severities is empty; give at least one of 1 to 5")


def predict(
    model: nn.Module,
    source: Source,
    plan: Plan,
    folder: str | Path,
    *,
    name: str,
    columns: Columns | None = None,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> PredictionFolder:
    """Put every picture of ``source`` through ``model`` under every condition of ``plan``; keep the logits.

    Goes on where an earlier call with the same model, data and plan was interrupted.

    Args:
        model: takes float32[B, C, H, W] in [0, 1], gives logits float[B, K].
        source: the pictures.
        plan: what to do to them.
        folder: where predictions go.
        name: what the run is called in results.
        columns: which of the model's outputs stand for the data's classes, in their order (for data with
            other classes than the model): one for each, or several of which the largest counts; None if they
            are the same.
        batch_size: pictures in one forward pass.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        threads: that make corruptions.
        force: replace predictions of another run.
        quiet: show no progress.
        shard: (rank, processes): predict only this process's share of the parts. All processes write to the
            same folder; with several, ``force`` must have been settled by one of them beforehand.

    Raises:
        InputError: the model's outputs don't match the data's classes, the folder holds another run, or the
            disk is too full for it.
    """
    check_count("batch_size", batch_size, 1)
    run = describe(model, source, plan, name=name, columns=columns)
    check_beforehand(source, plan, folder, run)
    target = Target(model, device_named(device), batch_size, columns)
    rank, processes = shard
    kept = PredictionFolder.begin(folder, run, force=force and processes == 1)
    count = len(source.labels)
    todo = [part for part in range(rank, -(-count // PART), processes) if not kept.has(part)]
    # A processor is busy with the model already: pictures made beside it would make its threads wait for each other.
    beside = nullcontext() if target.device.type == "cpu" else ThreadPoolExecutor(1)
    with (
        counting(f"{name}: pictures", passes(plan, count, [PART * part for part in todo]), quiet=quiet) as advance,
        beside as ahead,
    ):
        for part in todo:
            images, indices = source.read(PART * part, PART * (part + 1))
            labels = source.labels[indices]
            arrays: dict[str, NDArray[Any]] = {"labels": labels, "indices": indices}
            if len(indices):
                target.check(images[:1], len(source.classes))
                arrays |= _answers(target, _ready(_conditions(plan, images, indices, threads), ahead), advance)
                for condition, attack in (("attack", plan.attack), ("auto_attack", plan.auto_attack)):
                    if attack is not None and len(places := _attacked_places(attack, indices, count)):
                        arrays[condition] = _attacked(
                            target, attack, images[places], labels[places], indices[places], plan.seed, advance
                        )
                        arrays[f"places/{condition}"] = places
            kept.write(part, arrays)
    return kept


def check_beforehand(source: Source, plan: Plan, folder: str | Path, run: Mapping[str, Any]) -> None:
    """Refuse, before any work is done, what would fail later: a missing package, a disk too full.

    Args:
        source, plan, folder: as for :func:`predict`.
        run: what :func:`describe` says of them.

    Raises:
        InputError: with what is missing.
    """
    if plan.auto_attack is not None:
        require()
        check_classes(len(source.classes))
    there = PredictionFolder.of(folder, run)
    parts = range(-(-len(source.labels) // PART))
    check_space(folder, needed_bytes(plan, source, [PART * part for part in parts if not there.has(part)]))


def describe(
    model: nn.Module, source: Source, plan: Plan, *, name: str, columns: Columns | None = None
) -> dict[str, Any]:
    """What makes a run the same run: model, data and plan, as JSON."""
    settings = asdict(plan)
    settings["corruptions"], settings["severities"] = list(plan.corruptions), list(plan.severities)
    settings["perturbations"] = list(plan.perturbations)
    if plan.auto_attack is None:
        del settings["auto_attack"]  # runs that were begun before there was one go on
    return {
        "name": name,
        "model": {
            "name": str(getattr(model, "name", type(model).__name__)),
            "parameters": sum(p.numel() for p in model.parameters()),
            "sha256": weights_hash(model),
        },
        "data": {
            "name": source.name,
            "pictures": len(source.labels),
            "classes": list(source.classes),
            "sha256": source.fingerprint(),
        },
        "plan": settings,
        "columns": None if columns is None else [c if isinstance(c, int) else list(c) for c in columns],
        "part": PART,
    }


def weights_hash(model: nn.Module) -> str:
    """A hash of a model's parameters and buffers, and of its file where those can't be seen (ONNX, exported)."""
    digest = hashlib.sha256(str(getattr(model, "sha256", "")).encode())
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def passes(plan: Plan, count: int, starts: Sequence[int]) -> int:
    """Forward passes of pictures that the parts beginning at ``starts`` need; a gradient step counts as 3."""
    pictures = sum(min(PART, count - start) for start in starts)
    total = pictures * (1 + len(plan.corruptions) * len(plan.severities))
    total += pictures * sum(map(_frames, plan.perturbations))
    every = np.concatenate([np.arange(start, min(start + PART, count)) for start in starts]) if starts else np.arange(0)
    for attack in (plan.attack, plan.auto_attack):
        if attack is not None:
            total += len(_attacked_places(attack, every, count)) * _attack_cost(attack)
    return total


def needed_bytes(plan: Plan, source: Source, starts: Sequence[int]) -> int:
    """What the parts beginning at ``starts`` will take on the disk."""
    count, logits = len(source.labels), 4 * len(source.classes)
    pictures = sum(min(PART, count - start) for start in starts)
    attacks = sum(attack is not None for attack in (plan.attack, plan.auto_attack))
    each = 16 + 8 * attacks + logits * (1 + len(plan.corruptions) * len(plan.severities) + attacks)
    each += sum(8 * _frames(name) + 4 for name in plan.perturbations)
    # Each array in a file has a header of its own.
    arrays = 3 + len(plan.corruptions) * len(plan.severities) + 2 * attacks + 2 * len(plan.perturbations)
    return pictures * each + 256 * arrays * len(starts)


def _conditions(
    plan: Plan, images: NDArray[np.uint8], indices: NDArray[np.int64], threads: int
) -> Iterator[tuple[str, Callable[[], NDArray[np.uint8]]]]:
    yield "clean", lambda: images
    for name in plan.corruptions:
        for severity in plan.severities:
            make = partial(
                corrupt, images, name, severity,
                seed=plan.seed, indices=indices, form=plan.form, threads=threads,
            )  # fmt: skip
            yield f"corruption/{name}/{severity}", make
    for name in plan.perturbations:
        step = max(1, FRAMES_AT_ONCE // (_frames(name) * images[0].nbytes))
        for start in range(0, len(images), step):
            chosen = slice(start, start + step)
            make = partial(
                perturb, images[chosen], name,
                seed=plan.seed, difficulty=plan.difficulty, indices=indices[chosen], threads=threads,
            )  # fmt: skip
            yield f"frames/{name}", make


def _ready(
    jobs: Iterator[tuple[str, Callable[[], NDArray[np.uint8]]]], pool: ThreadPoolExecutor | None
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Each condition's pictures, made when they are asked for or, in ``pool``, while the model works on the last."""
    if pool is None:
        for name, make in jobs:
            yield name, make()
        return
    name, make = next(jobs)
    waiting = pool.submit(make)
    for following, then in jobs:
        pictures = waiting.result()
        waiting = pool.submit(then)
        yield name, pictures
        name = following
    yield name, waiting.result()


def _attacked(
    target: Target,
    attack: Attack | AutoAttack,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    seed: int,
    advance: Counter,
) -> NDArray[np.float32]:
    found = []
    for batch in target.batches(len(images)):
        pixels, truth = target.tensor(images[batch]), torch.from_numpy(labels[batch]).to(target.device)
        if isinstance(attack, AutoAttack):
            changed = auto_attack(
                target.of_the_data, pixels, truth, epsilon=attack.epsilon, norm=attack.norm, seed=seed
            )
        else:
            changed = pgd(
                target.of_the_data,
                pixels,
                truth,
                epsilon=attack.epsilon,
                steps=attack.steps,
                step_size=attack.step_size,
                centre=attack.centre,
                norm=attack.norm,
                restarts=attack.restarts,
                seed=seed,
                indices=indices[batch],
            )
        found.append(target.answer(changed))
        advance((batch.stop - batch.start) * _attack_cost(attack))
    return np.concatenate(found)


def _answers(
    target: Target, made: Iterator[tuple[str, NDArray[np.uint8]]], advance: Counter
) -> dict[str, NDArray[Any]]:
    """Logits of every condition's pictures; of films the classes of the frames and the top-5 distances."""
    found: dict[str, list[NDArray[Any]]] = {}
    for condition, pictures in made:
        if pictures.ndim == 4:
            found[condition] = [target.logits(pictures, advance)]
            continue
        count, length = pictures.shape[:2]
        logits = target.logits(pictures.reshape(count * length, *pictures.shape[2:]), advance)
        found.setdefault(condition, []).append(outputs.predicted(logits).reshape(count, length))
        if logits.shape[1] >= 5:
            name = condition.removeprefix("frames/")
            order = np.argsort(-logits, axis=1, kind="stable")[:, :5].reshape(count, length, 5)
            distances = consistency.top5_distances(order, reference=consistency.reference_of(name)).mean(axis=1)
            found.setdefault(f"top5/{name}", []).append(distances.astype(np.float32))
    return {condition: np.concatenate(parts) for condition, parts in found.items()}


def _attacked_places(attack: Attack | AutoAttack, indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Which of ``indices`` are attacked, of ``count`` in all: not the first, as folders are sorted by class."""
    if attack.pictures is None or attack.pictures >= count:
        return np.arange(len(indices))
    chosen = np.linspace(0, count - 1, attack.pictures).round().astype(np.int64)
    return np.flatnonzero(np.isin(indices, chosen))


def _attack_cost(attack: Attack | AutoAttack) -> int:
    if isinstance(attack, AutoAttack):
        return 3 * 100 + 1  # the first of four attacks: on a model that it defeats, the others have nothing to do
    return 3 * attack.steps * attack.restarts + 1


def _frames(perturbation: str) -> int:
    """About how many frames a sequence has: for the progress shown and the memory used, not for results."""
    return 41 if perturbation == "translate" else 31
