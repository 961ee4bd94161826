"""The ecosystems' examples, run against the real libraries: short, and the same with any number of workers."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer version

import math
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    "with_albumentations": "albumentations",
    "with_grain": "grain",
    "with_huggingface": "transformers",
    "with_keras": "keras",
    "with_kornia": "kornia",
    "with_lightning": "lightning",
    "with_numpy": "numpy",
    "with_timm": "timm",
    "with_webdataset": "webdataset",
}
"""Example -> the library that it needs."""

WORKERS = [(1, "fork", False), (2, "fork", True), (1, "spawn", True), (2, "spawn", False)]
"""How many, how they are started, and whether they stay for the next epoch; 0 is what they are compared with."""

pytestmark = pytest.mark.filterwarnings("default")  # the libraries' own


def example(name: str) -> ModuleType:
    pytest.importorskip(EXAMPLES[name], reason=f"{EXAMPLES[name]} is not installed")
    return import_module(f"examples.{name}")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short_and_says_which_line_it_is_about(name: str) -> None:
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert text.count("# the line") == 1
    assert text.endswith('if __name__ == "__main__":\n    ' + text.splitlines()[-1].strip() + "\n")


def test_all_examples_are_here() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("with_*.py")} == set(EXAMPLES)


def test_an_example_as_a_script() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "with_numpy.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^epoch 2: largest weight 0\.0\d+$", done.stdout, re.M)


def test_numpy_with_threads() -> None:
    main = example("with_numpy").main
    assert main(threads=1) == main(threads=3) > 0


def test_grain_with_threads_and_processes() -> None:
    main = example("with_grain").main
    alone = main(workers=0, threads=1)
    assert alone.shape == (32,)
    assert len(set(alone)) == 32, "each image of each epoch has a draw of its own"
    assert np.array_equal(main(workers=0, threads=16), alone)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_grain_with_worker_processes(workers: int) -> None:
    """In a process of its own, as grain's workers start anew by the main script.

    Each worker makes batches of its own share: the same images, in other batches.
    """
    example("with_grain")
    program = (
        "import sys\nfrom examples.with_grain import main\n"
        f"if __name__ == '__main__':\n    assert sorted(main(0, 1)) == sorted(main({workers}, 4))\n"
    )
    path = ROOT / "src"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_keras_with_threads() -> None:
    main = example("with_keras").main
    assert main(threads=3) == pytest.approx(main(threads=1), rel=1e-6)


@pytest.mark.parametrize("words", [{"workers": 2}, {"workers": 1, "use_multiprocessing": True}])
def test_workers_that_keep_batches_of_an_earlier_epoch_are_refused(words: dict[str, Any]) -> None:
    example("with_keras")
    from ipmix.core.errors import InputError
    from ipmix.integrations.keras import AugmentedPyDataset

    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.arange(4)
    with pytest.raises(InputError, match=r"batches of an epoch that has ended: leave out workers.*threads=2"):
        AugmentedPyDataset(images, labels, "augmix", **words)


def test_what_keras_trains_on_is_each_image_once_an_epoch() -> None:
    """And by its key: the batches of fit() are those of ipmix.augment."""
    example("with_keras")
    import ipmix
    from ipmix.integrations.keras import AugmentedPyDataset

    images, labels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8), np.arange(20)
    batches = AugmentedPyDataset(images, labels, "augmix", batch_size=8, seed=3)
    for epoch in range(2):
        expected = ipmix.augment(images, ipmix.AugMix(), seed=3, epoch=epoch, output="float32")
        seen = [batches[i] for i in range(len(batches))]
        numbers = np.concatenate([targets for _, targets in seen])
        assert sorted(numbers) == list(range(20)) != list(numbers)
        assert np.array_equal(np.concatenate([pixels for pixels, _ in seen]), expected[numbers])
        batches.on_epoch_end()


def test_the_layer_of_keras_works_in_training_only(tmp_path: Path) -> None:
    example("with_keras")
    import keras

    from ipmix.integrations.keras import AugmentationLayer

    if keras.backend.backend() != "torch":
        pytest.skip("the layer is for a backend that runs eagerly")
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.float32) / 255
    layer, again = (AugmentationLayer("augmix", seed=1) for _ in range(2))
    assert np.array_equal(keras.ops.convert_to_numpy(layer(images, training=False)), images)
    first, second = (keras.ops.convert_to_numpy(layer(images, training=True)) for _ in range(2))
    assert first.shape == images.shape
    assert not np.array_equal(first, second)
    assert np.array_equal(keras.ops.convert_to_numpy(again(images, training=True)), first)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with_lightning", "with_webdataset"])
def test_images_with_keys_are_the_same_whatever_the_workers(name: str) -> None:
    main = example(name).main
    alone = main(num_workers=0)
    # With workers that stay, DataLoader draws fewer numbers of torch's generator: another order from the second epoch
    # on, on which Lightning's weights depend; the images don't, as test_lightning.py shows.
    for workers, start, persistent in WORKERS:
        if persistent and name == "with_lightning":
            continue
        workings = {"num_workers": workers, "multiprocessing_context": start, "persistent_workers": persistent}
        assert same(main(**workings), alone), (workers, start, persistent)


def same(one: Any, other: Any) -> bool:
    if isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    # Several epochs of a stream: each image has another form in each, and the same in any worker.
    assert len(other) == 16
    assert all(len(set(means)) == 2 for means in other.values())
    return {key: sorted(means) for key, means in one.items()} == {key: sorted(means) for key, means in other.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with_albumentations", "with_kornia", "with_timm"])
@pytest.mark.parametrize(("workers", "start", "persistent"), [(0, None, False), *WORKERS])
def test_randomness_of_the_host_repeats(name: str, workers: int, start: str | None, persistent: bool) -> None:
    main = example(name).main
    loss = main(workers=workers, start=start, persistent=persistent)
    assert math.isfinite(loss)
    # Again, or of forked workers: how they are started is no matter.
    start = "fork" if start == "spawn" else start
    assert main(workers=workers, start=start, persistent=persistent) == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_the_trainer_of_hugging_face(workers: int) -> None:
    main = example("with_huggingface").main
    loss = main(dataloader_num_workers=workers, dataloader_persistent_workers=workers > 0)
    assert 0 < loss < 10
