"""One image at a time: the key is asked for, any shape, any number of threads, and other processes."""

import copy
import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipmix import Augmenter, IPMix, MixingSet
from ipmix.augmentation import single
from ipmix.augmentation.batches import augment
from ipmix.core.errors import InputError
from ipmix.methods.augmax import AugMax

METHOD = IPMix(min_ops=0)
SHAPES = ((16, 16, 3), (9, 13, 3), (20, 7, 3))


@pytest.fixture(scope="module")
def shapes() -> dict[tuple[int, ...], np.ndarray]:
    draws = np.random.default_rng(3)
    return {shape: draws.integers(0, 256, (40, *shape), dtype=np.uint8) for shape in SHAPES}


@pytest.fixture(scope="module")
def mixing() -> MixingSet:
    return MixingSet.array(np.random.default_rng(4).integers(0, 256, (6, 24, 24, 3), dtype=np.uint8))


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads take turns after each few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def expected(images: np.ndarray, mixing: Any, epoch: int = 1, method: Any = METHOD, **form: Any) -> np.ndarray:
    return augment(images, method, mixing, seed=5, epoch=epoch, **form)


def test_images_of_any_shape_one_after_the_other(shapes: dict[Any, np.ndarray], mixing: MixingSet) -> None:
    augmenter = Augmenter(METHOD, mixing, seed=5, output="float32", layout="nchw")
    for index in range(10):
        for images in shapes.values():
            got = augmenter(images[index], index=index, epoch=1)
            assert np.array_equal(got, expected(images, mixing, output="float32", layout="nchw")[index])


def test_an_array_of_mixing_images_serves_any_shape_it_is_large_enough_for(shapes: dict[Any, np.ndarray]) -> None:
    mixing = np.random.default_rng(4).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)
    augmenter = Augmenter(METHOD, mixing, seed=5)
    for images in shapes.values():
        assert np.array_equal(augmenter(images[3], index=3, epoch=1), expected(images, mixing)[3])
    with pytest.raises(InputError, match="at least as large as the images"):
        augmenter(np.zeros((21, 20, 3), np.uint8), index=0, epoch=0)


def test_shapes_beyond_those_kept_are_made_ready_again(mixing: MixingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single, "KEPT_SHAPES", 2)
    augmenter = Augmenter(METHOD, mixing, seed=5)
    image = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    for width in (9, 10, 11, 9, 10, 11, 11, 9):
        view = image[:, :width]
        assert np.array_equal(augmenter(view, index=0, epoch=1), expected(view[None], mixing)[0])
    assert len(augmenter._kept.shapes) == 2


@pytest.mark.parametrize("method", [METHOD, IPMix(framework="fed_back"), AugMax()], ids=["chains", "stages", "augmax"])
@pytest.mark.usefixtures("often_switched")
def test_one_augmenter_for_eight_threads(method: Any, shapes: dict[Any, np.ndarray], mixing: MixingSet) -> None:
    """Shared working arrays gave wrong images and could crash the process."""
    calls = 125_000 if method is METHOD else 500  # a million in all
    right = {shape: expected(images, mixing, method=method) for shape, images in shapes.items()}
    augmenter = Augmenter(method, mixing, seed=5)
    wrong: list[Any] = []

    def work(number: int) -> None:
        draws = np.random.default_rng(number)
        try:
            for which, index in zip(draws.integers(0, 3, calls).tolist(), draws.integers(0, 40, calls).tolist()):
                shape = SHAPES[which]
                if augmenter(shapes[shape][index], index=index, epoch=1).tobytes() != right[shape][index].tobytes():
                    wrong.append((shape, index))
        except BaseException as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _one(augmenter: Augmenter, image: np.ndarray) -> bytes:
    return augmenter(image, index=7, epoch=1).tobytes()


@pytest.mark.parametrize("shape", [None, SHAPES[0]], ids=["any shape", "one shape"])
def test_pickled_copied_forked_and_spawned(shape: Any, shapes: dict[Any, np.ndarray], mixing: MixingSet) -> None:
    image = shapes[SHAPES[0]][7]
    augmenter = Augmenter(METHOD, mixing, shape=shape, seed=5)
    right = _one(augmenter, image)
    assert right == expected(shapes[SHAPES[0]], mixing)[7].tobytes()
    assert _one(pickle.loads(pickle.dumps(augmenter)), image) == right
    assert _one(copy.deepcopy(augmenter), image) == right
    assert _one(copy.copy(augmenter), image) == right
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_one, (augmenter, image)) == right
    if hasattr(os, "fork"):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.write(writer, _one(augmenter, image))
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, len(right) + 1) == right


def test_a_row_of_a_memory_map(shapes: dict[Any, np.ndarray], mixing: MixingSet, tmp_path: Path) -> None:
    images = shapes[SHAPES[0]]
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert type(mapped[7]) is np.memmap
    got = Augmenter(METHOD, mixing, seed=5)(mapped[7], index=7, epoch=1)
    assert type(got) is np.ndarray
    assert np.array_equal(got, expected(images, mixing)[7])


def test_index_and_epoch_are_asked_for(mixing: MixingSet) -> None:
    """Left out, they gave every image of every epoch one recipe."""
    augmenter: Any = Augmenter(METHOD, mixing, seed=5)
    image = np.zeros(SHAPES[0], np.uint8)
    for given in ({}, {"index": 0}, {"epoch": 0}):
        with pytest.raises(TypeError, match="required keyword-only argument"):
            augmenter(image, **given)


@pytest.mark.parametrize("name", ["index", "epoch", "view"])
@pytest.mark.parametrize("value", [1.0, 1.5, "1", None, [1], True, 2**63, -(2**63) - 1, 2**70, np.float32(1)])
@pytest.mark.parametrize("framework", ["chains", "fed_back"])
def test_what_is_no_integer_of_64_bits_is_refused(name: str, value: Any, framework: Any, mixing: MixingSet) -> None:
    augmenter = Augmenter(IPMix(framework=framework), mixing, seed=5)
    image = np.zeros(SHAPES[0], np.uint8)
    key = {"index": 0, "epoch": 0, "view": 0}
    with pytest.raises(InputError, match=f"^{name} must (be an integer of|fit) 64 bits"):
        augmenter(image, **{**key, name: value})
    for good in (np.int64(3), np.uint8(3), -(2**63), 2**63 - 1):
        assert augmenter(image, **{**key, name: good}).shape == image.shape


@pytest.mark.parametrize(
    "image", [None, [[1]], np.zeros((2, 8, 8, 3), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)]
)
def test_what_is_no_image_is_refused(image: Any, mixing: MixingSet) -> None:
    with pytest.raises(InputError, match=r"this augmenter takes uint8\[H, W, C\], got"):
        Augmenter(METHOD, mixing, seed=5)(image, index=0, epoch=0)


def test_a_shape_that_was_promised_is_held_to(mixing: MixingSet) -> None:
    augmenter = Augmenter(METHOD, mixing, shape=SHAPES[0], seed=5)
    with pytest.raises(InputError, match=r"this augmenter takes uint8\[16, 16, 3\], got uint8\[9, 13, 3\]"):
        augmenter(np.zeros(SHAPES[1], np.uint8), index=0, epoch=0)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 8), r"shape must be \(H, W, C\), got \(8, 8\)"),
        (8, r"shape must be \(H, W, C\), got 8"),
        ("abc", r"shape must be \(H, W, C\), got 'abc'"),
        (("a", 8, 3), "shape's H must be a whole number from 1 to 65536, got 'a'"),
        ((8, 0, 3), "shape's W must be a whole number from 1 to 65536, got 0"),
        ((8, 8.5, 3), "shape's W must be a whole number"),
        ((2**40, 8, 3), "shape's H must be a whole number from 1 to 65536, got 1099511627776"),
        ((8, 8, 10**5000), "shape's C must be a whole number .* got a number of thousands of digits"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape: Any, message: str, mixing: MixingSet) -> None:
    with pytest.raises(InputError, match=message):
        Augmenter(METHOD, mixing, shape=shape, seed=5)
