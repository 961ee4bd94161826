"""Walks the data once: every image clean, corrupted, attacked and perturbed, through the model, once.

Nothing here augments. The images are read a chunk at a time, every condition of it is made on the fly and
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
from ipmix.core.files import alone
from ipmix.core.progress import Counter, counting
from ipmix.corruptions import corrupt, perturb
from ipmix.data.sources import ImageSource
from ipmix.evaluation.batched_model import BatchedModel, device_named
from ipmix.evaluation.class_outputs import ClassOutputs
from ipmix.evaluation.conditions import CLEAN, Condition
from ipmix.evaluation.made import how_made
from ipmix.evaluation.plan import (
    CHUNK,
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
from ipmix.evaluation.ready_made import ReadyMade
from ipmix.measures import consistency, outputs

Work = tuple[Condition, Callable[[], NDArray[np.uint8]]]
"""A condition and what makes its images."""

FRAMES_AT_ONCE = 64 * 2**20
"""Bytes of frames that are made at a time."""


def predict(
    model: nn.Module,
    source: ImageSource,
    plan: EvaluationPlan,
    folder: str | Path,
    *,
    name: str,
    class_outputs: ClassOutputs | None = None,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 1,
    force: bool = False,
    quiet: bool = False,
    shard: tuple[int, int] = (0, 1),
    ready: ReadyMade | None = None,
    told: Callable[[int, int], None] | None = None,
    logits: bool = True,
    within: str | Path | None = None,
) -> PredictionFolder:
    """Put every image of ``source`` through ``model`` under every condition of ``plan``; keep the logits.

    Goes on where an earlier call with the same model, data and plan was interrupted.

    Args:
        model: takes float32[B, C, H, W] in [0, 1], gives logits float[B, K].
        source: the images.
        plan: what to do to them.
        folder: where predictions go.
        name: what the run is called in results.
        class_outputs: which of the model's outputs stand for the data's classes, in their order (for data with
            other classes than the model): one for each, or several of which the largest counts; None if they
            are the same.
        batch_size: images in one forward pass.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        threads: that make corruptions.
        force: replace predictions of another run.
        quiet: show no progress.
        shard: (rank, processes): predict only this process's share of the chunks. All processes write to the
            same folder; with several, ``force`` must have been settled by one of them beforehand.
        ready: corrupted images and sequences that lie on the disk and stand in for those that would be made.
        logits: whether the model is known to give logits; where not, its first answers are held to the rule of
            ``ipmix score``.
        within: a folder; the predictions' is only made where that one is there.
        told: called with how many passes of images are done and how many there are, as they are done.

    Raises:
        InputError: the model's outputs don't match the data's classes, the folder holds another run, another process
            is writing to it, or the disk is too full for it.
    """
    check_count("batch_size", batch_size, 1)
    run = describe(model, source, plan, name=name, class_outputs=class_outputs, ready=ready)
    check_beforehand(source, plan, folder, run)
    batched = BatchedModel(model, device_named(device), batch_size, class_outputs)
    batched.unchecked = not logits
    rank, processes = shard
    # Processes of one run share the folder: the first holds it for all of them.
    with alone(folder, within=within) if rank == 0 else nullcontext():
        kept = PredictionFolder.begin(folder, run, force=force and processes == 1, within=within)
        if rank == 0:
            kept.note_made(how_made(batched.model, batched.device, source))
        count = len(source.labels)
        todo = [chunk for chunk in range(rank, -(-count // CHUNK), processes) if not kept.has(chunk)]
        # A processor is busy with the model already: images made beside it would make its threads wait for each other.
        beside = nullcontext() if batched.device.type == "cpu" else ThreadPoolExecutor(1)
        total = passes(plan, count, [CHUNK * chunk for chunk in todo])
        with counting(f"{name}: images", total, quiet=quiet) as counter, beside as ahead:
            advance = counter if told is None else _telling(counter, told, total)
            for chunk in todo:
                kept.write(chunk, _chunk(batched, source, plan, chunk, threads, ahead, advance, ready))
    return kept


def _telling(counter: Counter, told: Callable[[int, int], None], total: int) -> Counter:
    """The counter that also tells somebody else."""
    done = 0

    def advance(finished: int = 1) -> None:
        nonlocal done
        done += finished
        counter(finished)
        told(done, total)

    return advance


def _chunk(
    batched: BatchedModel,
    source: ImageSource,
    plan: EvaluationPlan,
    chunk: int,
    threads: int,
    ahead: ThreadPoolExecutor | None,
    advance: Counter,
    ready: ReadyMade | None,
) -> dict[str, NDArray[Any]]:
    """The arrays of a chunk's shard."""
    images, indices = source.read(CHUNK * chunk, CHUNK * (chunk + 1))
    labels = source.labels[indices]
    arrays: dict[str, NDArray[Any]] = {"labels": labels, "indices": indices}
    if not len(indices):
        return arrays
    batched.check(images[:1], len(source.classes))
    work = _conditions(plan, images, indices, threads) if ready is None else _read(ready, plan, images, indices)
    made = _ready(work, ahead)
    arrays |= {condition.key: array for condition, array in _answers(batched, made, advance).items()}
    for name_of_attack, attack in (("attack", plan.attack), ("auto_attack", plan.auto_attack)):
        if attack is not None and len(places := attacked_places(attack, indices, len(source.labels))):
            arrays[name_of_attack] = _attacked(
                batched, attack, images[places], labels[places], indices[places], plan.seed, advance
            )
            arrays[f"places/{name_of_attack}"] = places
    return arrays


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
    chunks = range(-(-len(source.labels) // CHUNK))
    check_space(folder, needed_bytes(plan, source, [CHUNK * chunk for chunk in chunks if not there.has(chunk)]))


def _conditions(
    plan: EvaluationPlan, images: NDArray[np.uint8], indices: NDArray[np.int64], threads: int
) -> Iterator[Work]:
    yield CLEAN, lambda: images
    for name in plan.corruptions:
        for severity in plan.severities:
            make = partial(
                corrupt, images, name, severity,
                seed=plan.seed, indices=indices, form=plan.form, threads=threads,
            )  # fmt: skip
            yield Condition("corruption", name, severity), make
    for name in plan.perturbations:
        step = max(1, FRAMES_AT_ONCE // (frame_count_of(name) * images[0].nbytes))
        for start in range(0, len(images), step):
            chosen = slice(start, start + step)
            make = partial(
                perturb, images[chosen], name,
                seed=plan.seed, difficulty=plan.difficulty, indices=indices[chosen], threads=threads,
            )  # fmt: skip
            yield Condition("frames", name), make


def _read(
    ready: ReadyMade, plan: EvaluationPlan, images: NDArray[np.uint8], indices: NDArray[np.int64]
) -> Iterator[Work]:
    """The conditions that lie on the disk."""
    if ready.has_clean:
        yield CLEAN, lambda: images
    for name in plan.corruptions:
        for severity in plan.severities:
            yield Condition("corruption", name, severity), partial(ready.corrupted, name, severity, indices)
    for name in plan.perturbations:
        step = max(1, FRAMES_AT_ONCE // (frame_count_of(name) * images[0].nbytes))
        for start in range(0, len(images), step):
            yield Condition("frames", name), partial(ready.frames, name, indices[start : start + step])


def _ready(jobs: Iterator[Work], pool: ThreadPoolExecutor | None) -> Iterator[tuple[Condition, NDArray[np.uint8]]]:
    """Each condition's images, made when they are asked for or, in ``pool``, while the model works on the last."""
    if pool is None:
        for condition, make in jobs:
            yield condition, make()
        return
    condition, make = next(jobs)
    waiting = pool.submit(make)
    for following, then in jobs:
        images = waiting.result()
        waiting = pool.submit(then)
        yield condition, images
        condition = following
    yield condition, waiting.result()


def _attacked(
    batched: BatchedModel,
    attack: AttackConfig | AutoAttackConfig,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    seed: int,
    advance: Counter,
) -> NDArray[np.float32]:
    found = []
    for batch in batched.batches(len(images)):
        pixels, targets = batched.tensor(images[batch]), torch.from_numpy(labels[batch]).to(batched.device)
        if isinstance(attack, AutoAttackConfig):
            changed = auto_attack(
                batched.on_data_classes, pixels, targets, epsilon=attack.epsilon, norm=attack.norm, seed=seed
            )
        else:
            changed = pgd(
                batched.on_data_classes,
                pixels,
                targets,
                epsilon=attack.epsilon,
                steps=attack.steps,
                step_size=attack.step_size,
                centre=attack.centre,
                norm=attack.norm,
                restarts=attack.restarts,
                seed=seed,
                indices=indices[batch],
            )
        found.append(batched.answer(changed))
        advance((batch.stop - batch.start) * attack_cost(attack))
    return np.concatenate(found)


def _answers(
    batched: BatchedModel, made: Iterator[tuple[Condition, NDArray[np.uint8]]], advance: Counter
) -> dict[Condition, NDArray[Any]]:
    """Logits of every condition's images; of perturbation sequences the frames' classes and the top-5 distances."""
    found: dict[Condition, list[NDArray[Any]]] = {}
    for condition, images in made:
        if condition.holds_logits:
            found[condition] = [batched.logits(images, advance)]
            if batched.unchecked:  # many images: of one alone honest logits may look like anything
                batched.check_scores(found[condition][0])
                batched.unchecked = False
            continue
        count, length = images.shape[:2]
        logits = batched.logits(images.reshape(count * length, *images.shape[2:]), advance)
        found.setdefault(condition, []).append(outputs.predicted(logits).reshape(count, length))
        if logits.shape[1] >= 5:
            order = outputs.ranked(logits, 5).reshape(count, length, 5)
            reference = consistency.reference_of(condition.name)
            distances = consistency.top5_distances(order, reference=reference).mean(axis=1)
            found.setdefault(Condition("top5", condition.name), []).append(distances.astype(np.float32))
    return {condition: np.concatenate(arrays) for condition, arrays in found.items()}
