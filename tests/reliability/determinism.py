"""The same figures from any number of threads, from children of every kind, and from a fresh interpreter.

``python -m tests.reliability.determinism THREADS`` prints the figures of this process; with ``golden``, the golden
file's.
"""

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests import golden
from tests.reliability import harness
from tests.reliability.harness import Part, differences
from tests.reliability.writers import small_images

SIDE = 32


def figures(threads: int = 1) -> dict[str, str]:
    """By name a hash of everything that ipmix makes, on so many threads.

    Every method's images, mixing images, corruptions and sequences; a training's figures and weights, and its
    network's scorecard.
    """
    found: dict[str, str] = {}
    images = golden.sample_images(6, SIDE, SIDE, 3)
    mixing = golden.sample_images(4, SIDE + 4, SIDE + 4, 3)
    for name, content in _images(images, mixing, threads):
        found[name] = golden.content_hash(content)
    with harness.scratch() as folder:
        found |= {name: hashlib.sha256(text).hexdigest() for name, text in _run(folder, threads).items()}
    return found


def _images(images: np.ndarray, mixing: np.ndarray, threads: int) -> Any:
    import ipmix
    from ipmix import corruptions

    for label, method in golden.all_methods():
        if method.mixes_labels:
            table = ipmix.draw(method, images.shape, len(mixing), seed=7, epoch=3)
            yield f"method {label}", ipmix.apply(table, images, mixing, threads=threads)
        else:
            yield f"method {label}", ipmix.augment(images, method, mixing, seed=7, epoch=3, threads=threads)
    with golden.grown_frost():
        for name in corruptions.ALL_CORRUPTIONS:
            yield f"corruption {name}", ipmix.corrupt(images[:3], name, 3, seed=5, threads=threads)
        for name in corruptions.PERTURBATIONS:
            yield f"sequence {name}", ipmix.perturb(images[:3], name, seed=5, threads=threads)
    with harness.scratch() as folder:
        made = ipmix.MixingSet.generate(count=12, size=24, seed=3, cache=folder, threads=threads)
        yield "mixing set", np.stack([made[number] for number in range(len(made))])


def _run(folder: Path, threads: int) -> dict[str, bytes]:
    """A small training and the scorecard of its network."""
    import ipmix
    from ipmix.data.datasets import ArrayDataset
    from ipmix.evaluation.plan import EvaluationPlan
    from ipmix.methods import METHODS
    from ipmix.training import loop
    from ipmix.training.config import TrainingConfig

    images, labels = small_images(24), np.arange(24, dtype=np.int64) % 2
    dataset = ArrayDataset(images[:16], labels[:16], ("a", "b"), "noise")
    test = ArrayDataset(images[16:], labels[16:], ("a", "b"), "noise")
    config = TrainingConfig(model="wrn-10-1", epochs=2, batch_size=4, log_steps=1, jsd=True, dropout=0.3, seed=3)
    outcome = loop.train(
        config, dataset, test, folder / "run", method=METHODS["ipmix"](), mixing=small_images(3, 20, seed=1),
        threads=threads, device="cpu", quiet=True,
    )  # fmt: skip
    plan = EvaluationPlan(corruptions=("fog", "shot_noise"), severities=(1, 5))
    card = ipmix.evaluate(
        outcome.model, images[16:], labels[16:], plan=plan, device="cpu", progress=False, threads=threads, name="a"
    )
    card.save(folder / "card.json")
    run = folder / "run"
    return {
        "training's figures": (run / "metrics.jsonl").read_bytes(),
        "training's weights": (run / "last.safetensors").read_bytes(),
        "scorecard": json.dumps({key: card.card[key] for key in ("measures", "corruptions")}).encode(),
    }


def determinism(count: int, seed: int = 0) -> Part:
    """So many of the cases, from number ``seed`` on, round and round: each against one thread of this process."""
    part = Part("determinism", "everything made again in another way, each figure compared", seed=seed)
    expected = figures(1)
    for name, make in harness.in_turn(list(CASES.items()), count, seed):
        if not part.more():
            break
        found, wanted = make(), expected
        if name.startswith("golden"):
            kept = json.loads(golden.FILE.read_text())
            wanted = {f"{group} {key}": value for group in golden.PARTS for key, value in kept[group].items()}
        part.tried += 1
        told = differences(found, wanted)
        part.check(not told, f"{name}: {told}")
        part.notes.append(f"{name} ({len(found)} figures)")
    return part


def _child(kind: str) -> dict[str, str]:
    with multiprocessing.get_context(kind).Pool(1) as pool:
        return pool.apply(figures, (2,))


def _fresh(word: str) -> dict[str, str]:
    """By another interpreter that finds no compiled kernels, no mixing sets, no home and other hashes of texts."""
    with harness.scratch() as folder:
        environment = {
            **os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONHASHSEED": "12345",
            "NUMBA_CACHE_DIR": str(folder / "kernels"), "IPMIX_CACHE_DIR": str(folder / "sets"),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.reliability.determinism", word],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return {"ended": done.stderr[-500:]}
        found: dict[str, str] = json.loads(done.stdout)
        if not any((folder / "kernels").rglob("*.nbc")):
            return {"compiled nothing": str(folder)}
        return found


CASES: dict[str, Callable[[], dict[str, str]]] = {
    "2 threads": lambda: figures(2),
    "4 threads": lambda: figures(4),
    "spawn": lambda: _child("spawn"),
    "fork": lambda: _child("fork"),
    "forkserver": lambda: _child("forkserver"),
    "a fresh interpreter, nothing compiled": lambda: _fresh("4"),
    "golden file by a fresh interpreter": lambda: _fresh("golden"),
}


if __name__ == "__main__":
    if sys.argv[1] == "golden":
        printed = {f"{group} {key}": value for group, make in golden.PARTS.items() for key, value in make()}
    else:
        printed = figures(int(sys.argv[1]))
    sys.stdout.write(json.dumps(printed))
