import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipmix.augmentation.batches import draw
from ipmix.core.errors import InputError
from ipmix.core.randomness import SHARED_VIEW, Key, below, bits
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.recipe.table import RecipeTable
from ipmix.training.cropping import CROP_SALT
from ipmix.training.loader import ORDER_SALT, Batch, Loader


def dataset(count: int = 23, height: int = 7, width: int = 9, channels: int = 3) -> ArrayDataset:
    draws = np.random.default_rng(5)
    images = draws.integers(1, 256, (count, height, width, channels), dtype=np.uint8)  # 0 marks the padding
    return ArrayDataset(images, np.arange(count, dtype=np.int64) % 4, ("a", "b", "c", "d"), "test")


def all_batches(loader: Loader, epoch: int = 0, start: int = 0) -> list[Batch]:
    return list(loader.epoch(epoch, start))


def same(first: Batch, second: Batch) -> bool:
    return (
        np.array_equal(first.indices, second.indices)
        and np.array_equal(first.labels, second.labels)
        and all(np.array_equal(a, b) for a, b in zip(first.images, second.images, strict=True))
    )


def cropped(image: np.ndarray, seed: int, epoch: int, index: int, flip: bool, pad: int) -> np.ndarray:
    """One image, slowly: mirror it, then cut a window out of it with zeros around."""
    stream = Key(seed ^ CROP_SALT, epoch, index, SHARED_VIEW).stream()
    mirrored = below(stream, 2) == 1
    top, left = below(stream, 2 * pad + 1), below(stream, 2 * pad + 1)
    if mirrored and flip:
        image = image[:, ::-1]
    framed = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    return framed[top : top + image.shape[0], left : left + image.shape[1]]


@pytest.mark.parametrize(("flip", "pad"), [(True, 4), (True, 0), (False, 2), (False, 0), (True, 12)])
def test_flip_and_crop_are_those_of_the_key(flip: bool, pad: int) -> None:
    data = dataset()
    loader = Loader(data, batch_size=5, seed=11, flip=flip, pad=pad)
    for batch in all_batches(loader, 3):
        for row, index in enumerate(batch.indices):
            expected = cropped(data.images[index], 11, 3, int(index), flip, pad)
            assert np.array_equal(batch.images[0][row], expected)
        assert np.array_equal(batch.labels, data.labels[batch.indices])


def test_flips_and_shifts_take_every_value() -> None:
    data = dataset(400, 3, 3, 1)
    loader = Loader(data, batch_size=400, seed=0, pad=1, shuffle=False)
    (batch,) = all_batches(loader)
    seen = set()
    for image, got in zip(data.images, batch.images[0], strict=True):
        for flip in (False, True):
            framed = np.pad(image[:, ::-1] if flip else image, ((1, 1), (1, 1), (0, 0)))
            for top in range(3):
                for left in range(3):
                    if np.array_equal(framed[top : top + 3, left : left + 3], got):
                        seen.add((flip, top, left))
    assert len(seen) == 18


def test_the_order_is_the_sorted_hashes() -> None:
    loader = Loader(dataset(), batch_size=5, seed=7)
    hashes = [int(bits(Key(7 ^ ORDER_SALT, 2, i, SHARED_VIEW).stream())) for i in range(23)]
    assert loader.order(2).tolist() == sorted(range(23), key=hashes.__getitem__)
    assert loader.order(2).tolist() != loader.order(3).tolist()
    assert loader.order(2).tolist() != Loader(dataset(), batch_size=5, seed=8).order(2).tolist()


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    drop_last=st.booleans(),
    processes=st.integers(1, 4),
    seed=st.integers(-(2**62), 2**62),
)
def test_an_epoch_has_every_image_once(count: int, batch_size: int, drop_last: bool, processes: int, seed: int) -> None:
    processes = min(processes, batch_size)
    shards = [
        Loader(dataset(count, 2, 2), batch_size=batch_size, seed=seed, drop_last=drop_last, shard=(r, processes))
        for r in range(processes)
    ]
    batches = [all_batches(loader) for loader in shards]
    assert {len(b) for b in batches} == {len(shards[0])}
    # Alone but with as large a last batch: one with fewer images than processes joins the batch before.
    lone = Loader(dataset(count, 2, 2), batch_size=batch_size, seed=seed, drop_last=drop_last, least=processes)
    whole = all_batches(lone)[: len(shards[0])]
    for number, batch in enumerate(whole):
        joined = np.concatenate([b[number].indices for b in batches])
        assert np.array_equal(joined, batch.indices)
        assert len(batch) == lone.batch_length(number)
        assert all(len(b[number]) for b in batches)
    seen = [int(i) for batch in whole for i in batch.indices]
    assert len(set(seen)) == len(seen)
    rest = count % batch_size
    left_out = drop_last or (rest < processes and count < batch_size)
    assert len(seen) == count - (rest if left_out else 0)


def test_an_epoch_can_be_entered_at_any_batch() -> None:
    loader = Loader(dataset(), batch_size=4, seed=1)
    whole = all_batches(loader, 5)
    for start in range(len(loader) + 1):
        rest = all_batches(Loader(dataset(), batch_size=4, seed=1), 5, start)
        assert len(rest) == len(whole) - start
        assert all(same(a, b) for a, b in zip(rest, whole[start:], strict=True))


def test_the_clean_image_shares_flip_and_crop_with_the_views() -> None:
    batch = all_batches(Loader(dataset(), batch_size=23, seed=1, views=2, clean=True))[0]
    assert len(batch.images) == 3
    # Without a method the views are the clean image; its flip and crop are theirs.
    assert np.array_equal(batch.images[0], batch.images[1])
    assert np.array_equal(batch.images[0], batch.images[2])


def test_an_error_in_the_background_is_raised_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader(dataset(), batch_size=4, seed=1)
    made = loader._batch
    calls = []

    def failing(*arguments: object) -> Batch:
        calls.append(arguments)
        if len(calls) == 4:
            raise OSError("the disk is gone")
        return made(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loader, "_batch", failing)
    epoch = loader.epoch(0)
    assert [len(next(epoch)) for _ in range(3)] == [4, 4, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(epoch)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    epoch = Loader(dataset(), batch_size=1, seed=1).epoch(0)
    next(epoch)
    assert threading.active_count() == before + 1
    epoch.close()
    assert threading.active_count() == before


def slow_mixup(images: np.ndarray, labels: np.ndarray, classes: int, table: RecipeTable) -> tuple[list, list]:
    """Images and labels of the recipes, one at a time: partners are rows of this batch."""
    mixed, shares = [], []
    for i in range(len(images)):
        recipe = table[i]
        part = recipe.label / 32768
        hot = np.eye(classes)[labels]
        shares.append((1 - part) * hot[i] + part * hot[recipe.partner])
        exact = (1 - part) * images[i].astype(float) + part * images[recipe.partner]
        mixed.append(exact)
    return mixed, shares


@pytest.mark.parametrize("shard", [(0, 1), (0, 2), (1, 2)])
def test_labels_are_mixed_as_the_images_are(shard: tuple[int, int]) -> None:
    """With the crops of the batch's rows, and partners within this process's own rows."""
    data, method = dataset(), METHODS["mixup"]()
    plain = Loader(data, batch_size=10, seed=3, shard=shard)
    mixing = Loader(data, batch_size=10, seed=3, method=method, shard=shard)
    partners = 0
    for clean, batch in zip(all_batches(plain, 2), all_batches(mixing, 2), strict=True):
        assert np.array_equal(batch.indices, clean.indices)
        table = draw(method, clean.images[0].shape, seed=3, epoch=2, indices=clean.indices)
        images, labels = slow_mixup(clean.images[0], clean.labels, 4, table)
        assert batch.labels.dtype == np.float32
        assert batch.labels.shape == (len(batch), 4)
        assert np.allclose(batch.labels, labels, atol=1e-6)
        assert np.allclose(batch.labels.sum(1), 1, atol=1e-6)
        assert np.abs(batch.images[0] - np.array(images)).max() <= 1
        partners += sum(recipe.partner != i for i, recipe in enumerate(table))
    assert partners


@pytest.mark.parametrize("name", ["cutmix", "combined"])
def test_soft_labels_do_not_depend_on_threads_or_on_where_the_epoch_begins(name: str) -> None:
    data, method = dataset(), METHODS[name]()
    whole = all_batches(Loader(data, batch_size=5, seed=8, method=method), 1)
    rest = all_batches(Loader(data, batch_size=5, seed=8, method=method, threads=3), 1, start=2)
    assert all(same(a, b) for a, b in zip(whole[2:], rest, strict=True))
    assert any((batch.labels.max(1) < 1).any() for batch in whole)


def test_a_method_that_mixes_labels_has_one_view() -> None:
    for options in ({"views": 2}, {"clean": True}):
        with pytest.raises(InputError, match="mixup mixes labels: a batch has one view"):
            Loader(dataset(), batch_size=4, seed=0, method=METHODS["mixup"](), **options)


def test_a_label_preserving_method_hands_out_the_labels_themselves() -> None:
    (batch,) = all_batches(Loader(dataset(), batch_size=23, seed=0, method=METHODS["augmix"]()))
    assert batch.labels.dtype == np.int64
    assert np.array_equal(batch.labels, dataset().labels[batch.indices])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number from 1 to 16777216, got 0"),
        ({"batch_size": 4, "views": 0}, "views must be a whole number from 1 to 64"),
        ({"batch_size": 4, "pad": -1}, "pad must be a whole number from 0 to 1024"),
        ({"batch_size": 4, "threads": 0}, "threads must be a whole number from 1 to 1024"),
        ({"batch_size": 4, "views": 2**40}, "views must be a whole number from 1 to 64, got 1099511627776"),
        ({"batch_size": 4, "shard": (2, 2)}, "rank < processes"),
        ({"batch_size": 4, "shard": ("x", 2)}, r"rank < processes .*, got \('x', 2\)"),
        ({"batch_size": 4, "flip": None}, "a loader's flip must be True or False, got None"),
        ({"batch_size": 4, "shuffle": "no"}, "a loader's shuffle must be True or False, got 'no'"),
        ({"batch_size": 4, "shard": 3}, "rank < processes .*, got 3"),
        ({"batch_size": 2, "shard": (0, 3)}, "rank < processes"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Loader(dataset(), seed=0, **options)


def test_only_a_data_set_is_loaded() -> None:
    with pytest.raises(InputError, match=r"a loader's dataset must be what datasets\.load or scan gives, got None"):
        Loader(None, batch_size=1, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"epoch": None}, "epoch must be an integer of 64 bits, got None"),
        ({"epoch": 2**63}, "epoch must fit 64 bits"),
        ({"epoch": 0, "start": "x"}, "start must be a whole number from 0 to"),
        ({"epoch": 0, "start": -1}, "start must be a whole number from 0 to"),
        ({"epoch": 0, "start": 2**40}, "start must be a whole number from 0 to"),
    ],
)
def test_an_epoch_that_can_not_be_is_refused(place: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        next(Loader(dataset(), batch_size=4, seed=0).epoch(**place))
