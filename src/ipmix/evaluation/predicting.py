"""Walks the data once: every image clean, corrupted, attacked and perturbed, through the model, once.

Nothing here augments. Each part of the images is read, every condition of it is made on the fly and
forgotten, and the logits are kept (:mod:`ipmix.evaluation.predictions`), so that memory does not grow with the data.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmix.attacks.auto_attack import auto_attack, check_classes, require
from ipmix.attacks.pgd import pgd
from ipmix.core.checking import check_count
from ipmix.core.progress import Counter, counting
from ipmix.corruptions import corrupt, perturb
from ipmix.data.sources import ImageSource
from ipmix.evaluation.batched_model import BatchedModel, ClassOutputs, device_named
from ipmix.evaluation.plan import (
    PART,
    AttackConfig,
    AutoAttackConfig,
    EvaluationPlan,
    attack_cost,
    attacked_places,
    describe,
    frame_count_of,
    needed_bytes,
    passes,
)
from ipmix.evaluation.predictions import PredictionFolder, check_space
from ipmix.measures import consistency, outputs

FRAMES_AT_ONCE = 64 * 2**20
"""Bytes of frames that are made at a time."""


def predict(
    model: nn.Module,
    source: ImageSource,
    plan: EvaluationPlan,
    folder: str | Path,
    *,
    name: str,
    columns: ClassOutputs | None = None,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> PredictionFolder:
    """Put every image of ``source`` through ``model`` under every condition of ``plan``; keep the logits.

    Goes on where an earlier call with the same model, data and plan was interrupted.

    Args:
        model: takes float32[B, C, H, W] in [0, 1], gives logits float[B, K].
        source: the images.
        plan: what to do to them.
        folder: where predictions go.
        name: what the run is called in results.
        columns: which of the model's outputs stand for the data's classes, in their order (for data with
            other classes than the model): one for each, or several of which the largest counts; None if they
            are the same.
        batch_size: images in one forward pass.
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
    target = BatchedModel(model, device_named(device), batch_size, columns)
    rank, processes = shard
    kept = PredictionFolder.begin(folder, run, force=force and processes == 1)
    count = len(source.labels)
    todo = [part for part in range(rank, -(-count // PART), processes) if not kept.has(part)]
    # A processor is busy with the model already: images made beside it would make its threads wait for each other.
    beside = nullcontext() if target.device.type == "cpu" else ThreadPoolExecutor(1)
    with (
        counting(f"{name}: images", passes(plan, count, [PART * part for part in todo]), quiet=quiet) as advance,
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
                    if attack is not None and len(places := attacked_places(attack, indices, count)):
                        arrays[condition] = _attacked(
                            target, attack, images[places], labels[places], indices[places], plan.seed, advance
                        )
                        arrays[f"places/{condition}"] = places
            kept.write(part, arrays)
    return kept


def check_beforehand(source: ImageSource, plan: EvaluationPlan, folder: str | Path, run: Mapping[str, Any]) -> None:
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


def _conditions(
    plan: EvaluationPlan, images: NDArray[np.uint8], indices: NDArray[np.int64], threads: int
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
        step = max(1, FRAMES_AT_ONCE // (frame_count_of(name) * images[0].nbytes))
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
    """Each condition's images, made when they are asked for or, in ``pool``, while the model works on the last."""
    if pool is None:
        for name, make in jobs:
            yield name, make()
        return
    name, make = next(jobs)
    waiting = pool.submit(make)
    for following, then in jobs:
        images = waiting.result()
        waiting = pool.submit(then)
        yield name, images
        name = following
    yield name, waiting.result()


def _attacked(
    target: BatchedModel,
    attack: AttackConfig | AutoAttackConfig,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    seed: int,
    advance: Counter,
) -> NDArray[np.float32]:
    found = []
    for batch in target.batches(len(images)):
        pixels, truth = target.tensor(images[batch]), torch.from_numpy(labels[batch]).to(target.device)
        if isinstance(attack, AutoAttackConfig):
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
        advance((batch.stop - batch.start) * attack_cost(attack))
    return np.concatenate(found)


def _answers(
    target: BatchedModel, made: Iterator[tuple[str, NDArray[np.uint8]]], advance: Counter
) -> dict[str, NDArray[Any]]:
    """Logits of every condition's images; of films the classes of the frames and the top-5 distances."""
    found: dict[str, list[NDArray[Any]]] = {}
    for condition, images in made:
        if images.ndim == 4:
            found[condition] = [target.logits(images, advance)]
            continue
        count, length = images.shape[:2]
        logits = target.logits(images.reshape(count * length, *images.shape[2:]), advance)
        found.setdefault(condition, []).append(outputs.predicted(logits).reshape(count, length))
        if logits.shape[1] >= 5:
            name = condition.removeprefix("frames/")
            order = np.argsort(-logits, axis=1, kind="stable")[:, :5].reshape(count, length, 5)
            distances = consistency.top5_distances(order, reference=consistency.reference_of(name)).mean(axis=1)
            found.setdefault(f"top5/{name}", []).append(distances.astype(np.float32))
    return {condition: np.concatenate(parts) for condition, parts in found.items()}
