"""Random recipes through both engines step by step; mutated files through their readers."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.reliability import harness
from tests.reliability.harness import Part
from tests.reliability.writers import prepare, small_images

SLOW = 5.0
"""Seconds of computing that a reader may take for a small file: the clock on the wall goes on while others compute."""

SHAPES = ((32, 32), (1, 1), (1, 17), (23, 1), (7, 9), (8, 40), (33, 31), (64, 16))
AT_ONCE = 200


def recipes(count: int, seed: int = 0, jobs: int = 1) -> Part:
    """Each step of random recipes: the compiled engine against the reference, as tests/engines/step_by_step.py says."""
    part = Part("recipes", "a random recipe, each of its steps in both engines", seed=seed)
    sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))
    import step_by_step

    def one(part: Part, number: int, job: int) -> None:
        height, width = SHAPES[number % len(SHAPES)]
        some = min(AT_ONCE, count - AT_ONCE * (number - seed))
        draws = np.random.default_rng(number)
        images = draws.integers(0, 256, (some, height, width, 3), dtype=np.uint8)
        mixing = draws.integers(0, 256, (step_by_step.IMAGES, height + 5, width + 3, 3), dtype=np.uint8)
        try:
            step_by_step.check(step_by_step.random_table(number, some, height, width), images, mixing)
        except Exception as error:
            part.check(False, f"seed {number}: {type(error).__name__}: {error}")
        part.tried += some

    if jobs > 1:  # what the jobs share is loaded once
        one(Part("", ""), seed, 0)
    # A table holds many recipes: where those of another run end, its number has long been left behind.
    return harness.carry_out(part, range(seed, seed - (-count // AT_ONCE)), one, jobs=jobs)


def bounds(count: int, seed: int = 0, jobs: int = 1) -> Part:
    """The same with every index of the kernels checked (NUMBA_BOUNDSCHECK), in a process with a cache of its own."""
    part = Part("bounds", "a random recipe with every index checked", seed=seed)
    with harness.scratch() as folder:
        program = (
            "import sys; from tests.reliability import fuzzing, harness; *words, minutes = map(eval, sys.argv[1:]); "
            "harness.allow(minutes); part = fuzzing.recipes(*words); print(part.tried, len(part.faults))"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, *map(str, (count, seed, jobs, harness.minutes_left()))],
            env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        part.check(done.returncode == 0, done.stderr[-500:])
        if done.returncode == 0:
            tried, faults = map(int, done.stdout.split())
            part.tried = tried
            part.check(faults == 0, f"{faults} recipes: {done.stderr[-500:]}")
    return part


# --- mutated files ----------------------------------------------------------------------------------------


class TooSlow(Exception):
    """A reader took longer than :data:`SLOW`."""


def guarded(part: Part, read: Callable[[], Any], what: Callable[[], str]) -> None:
    """A reader may refuse with InputError, and may not raise anything else, nor take long."""
    from ipmix.core.errors import InputError

    def alarm(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, alarm)
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except InputError:
        pass
    except BaseException as error:
        part.check(False, f"{what()}: {type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    part.tried += 1


def mutated(content: bytes, draws: np.random.Generator) -> bytes:
    """A few bytes flipped, cut, doubled, replaced by extreme ones."""
    found = bytearray(content)
    for _ in range(int(draws.integers(1, 6))):
        if not found:
            return b""
        place, kind = int(draws.integers(len(found))), int(draws.integers(6))
        length = int(draws.integers(1, 9))
        if kind == 0:
            found[place] ^= 1 << int(draws.integers(8))
        elif kind == 1:
            del found[place : place + length]
        elif kind == 2:
            found[place:place] = found[place : place + length]
        elif kind == 3:
            found[place : place + length] = bytes(draws.choice([0, 255, 127, 128], length).tolist())
        elif kind == 4:
            found = found[:place]
        else:
            found[place : place + length] = draws.integers(0, 256, length, dtype=np.uint8).tobytes()
    return bytes(found)


STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1e12, 10**30, -0.5, float("inf"), float("nan"), "", "=1+1", "\u202e", "a" * 5000, [], {},
    [[]], {"a": {}}, "../x", 2**63, -(2**63), "\ud800", [None], {"": None},
)  # fmt: skip


def changed(content: Any, draws: np.random.Generator) -> Any:
    """JSON with one value, at any depth, replaced, removed, renamed or doubled."""
    if isinstance(content, dict) and content and draws.random() < 0.9:
        key = list(content)[int(draws.integers(len(content)))]
        kind = draws.random()
        if kind < 0.1:
            return {name: value for name, value in content.items() if name != key}
        if kind < 0.2:
            return {**content, str(draws.choice(["more", "", "a", key + " "])): content[key]}
        return {**content, key: changed(content[key], draws)}
    if isinstance(content, list) and content and draws.random() < 0.9:
        place = int(draws.integers(len(content)))
        return [*content[:place], changed(content[place], draws), *content[place + (draws.random() < 0.9) :]]
    return STRANGE[int(draws.integers(len(STRANGE)))]


def texts(count: int, seed: int = 0) -> Part:
    """Recipes, manifests, predictions, scorecards, class maps, YAML, weights, saved states: mutated, then read."""
    part = Part("texts", "a mutated file of ours through its reader", seed=seed)
    with harness.scratch() as folder:
        (folder / "in").mkdir()
        prepare(folder / "in")
        readers = _readers(folder)
        draws = np.random.default_rng(seed)
        for number in range(count):
            if number % 100 == 0 and not part.more():
                break
            name, content, read = readers[number % len(readers)]
            if name.endswith(".json") and draws.random() < 0.6:
                new = json.dumps(changed(json.loads(content), draws)).encode(errors="surrogatepass")
            else:
                new = mutated(content, draws)

            def reading(read: Callable[[bytes], Any] = read, new: bytes = new) -> Any:
                return read(new)

            guarded(part, reading, lambda name=name, new=new: f"{name} {new[:200]!r}")  # type: ignore[misc]
        part.notes.append(", ".join(name for name, _, _ in readers))
    return part


def _readers(folder: Path) -> list[tuple[str, bytes, Callable[[bytes], Any]]]:
    import ipmix
    from ipmix.evaluation import results
    from ipmix.evaluation.class_maps import read_class_map
    from ipmix.evaluation.predictions import PredictionFolder, open_predictions
    from ipmix.evaluation.scorecard import score
    from ipmix.experiment.config import ExperimentConfig
    from ipmix.experiment.config_file import read as read_settings
    from ipmix.mixing_set import manifest
    from ipmix.models import load
    from ipmix.report import exports
    from ipmix.training.checkpoint import read_state

    inputs, made = folder / "in", folder / "made"
    made.mkdir()

    def through(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
        def reading(content: bytes) -> Any:
            (made / name).write_bytes(content)
            return read(made / name)

        return reading

    card = score(open_predictions(inputs / "predictions.npz"), samples=20)
    mixing = ipmix.MixingSet.generate(count=3, size=16, seed=0, mix={"ifs": 1}, cache=folder / "cache")
    place = next((folder / "cache").rglob("manifest*.json"))
    recipe = ipmix.draw(ipmix.IPMix(), (1, 32, 32, 3), len(mixing), seed=0)[0].to_json()
    kept = PredictionFolder.begin(made / "predictions", {"name": "a"})
    kept.write(
        0, {"labels": np.arange(4) % 2, "indices": np.arange(4), "clean": np.eye(2, dtype=np.float32)[[0, 1] * 2]}
    )
    (run,) = (made / "predictions").glob("run.json")

    def all_forms(path: Path) -> None:
        cards = results.read_cards(path)
        for form in ("html", "markdown", "csv", "json", "model-card"):
            exports.rendered(cards[:1], form)

    import torch

    torch.save({"format": 2, "experiment": "{}", "log_lengths": {}}, made / "state.pt")
    state = (made / "state.pt").read_bytes()
    return [
        ("recipe.json", recipe.encode(), lambda text: ipmix.Recipe.from_json(text.decode(errors="replace"))),
        ("scorecard.json", json.dumps(card).encode(), through("scorecard.json", all_forms)),
        ("manifest.json", place.read_bytes(), through("manifest.json", manifest.read)),
        ("class-map.json", b'{"a": 1, "b": [2, 3]}', through("map.json", lambda path: read_class_map(str(path)))),
        ("experiment.yaml", (inputs / "experiment.yaml").read_bytes(),
         through("a.yaml", lambda path: read_settings(ExperimentConfig, path))),
        ("predictions.npz", (inputs / "predictions.npz").read_bytes(),
         through("a.npz", lambda path: score(open_predictions(path), samples=0))),
        ("run.json", run.read_bytes(), through("predictions/run.json", lambda at: PredictionFolder.open(at.parent))),
        ("model.safetensors", (inputs / "model.safetensors").read_bytes()[:4096], through("a.safetensors", load)),
        ("state.pt", state, through("a.pt", read_state)),
    ]  # fmt: skip


def image_files(count: int, seed: int = 0, jobs: int = 1) -> Part:
    """Image files of all kinds, mutated: an image, or one line; no crash, no hang."""
    part = Part("image files", "a mutated image file, decoded", seed=seed)
    from ipmix.data.decoding import FORMATS, decode

    with tempfile.TemporaryDirectory() as folder:
        originals = []
        for suffix in sorted(FORMATS):
            path = Path(folder) / f"original{suffix}"
            try:
                Image.fromarray(small_images(1, 32)[0]).save(path)
            except (ValueError, KeyError, OSError):  # this Pillow can't write the format
                continue
            originals.append((suffix, path.read_bytes()))

        # In processes, so that a crash of a decoder is one fault and not the end.
        def one(part: Part, number: int, job: int) -> None:
            some = min(1000, count - 1000 * (number - seed))

            def work() -> int:
                inner, draws = Part("", ""), np.random.default_rng(number)
                for place in range(some):
                    suffix, content = originals[place % len(originals)]
                    path = Path(folder) / f"{job}{suffix}"
                    path.write_bytes(new := mutated(content, draws))
                    guarded(inner, lambda path=path: decode(path), lambda s=suffix, n=new: f"{s} {n[:80]!r}")  # type: ignore[misc]
                return 1 if inner.faults else 0

            ended = harness.run(work, timeout=60 + some * SLOW)
            part.check(ended.code == 0, f"seed {number}: ended with {ended.code}: {ended.text[-500:]}")
            part.tried += some

        part.notes.append(" ".join(suffix for suffix, _ in originals))
        return harness.carry_out(part, range(seed, seed - (-count // 1000)), one, jobs=jobs)
