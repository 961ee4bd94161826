"""Plain NumPy: each image once an epoch, by its key, whatever the threads."""

import numpy as np
import pytest

import ipmix
from ipmix.core.errors import InputError
from ipmix.integrations.numpy import AugmentedBatches


def test_batches_are_those_of_augment(images: np.ndarray) -> None:
    labels = np.arange(12)
    batches = AugmentedBatches(images, labels, "ipmix-k2", batch_size=5, seed=4, threads=2)
    orders = []
    for epoch in range(2):
        seen = list(batches.epoch(epoch))
        assert [len(pixels) for pixels, _ in seen] == [5, 5, 2]
        numbers = np.concatenate([targets for _, targets in seen])
        assert sorted(numbers) == list(range(12))
        expected = ipmix.augment(images, ipmix.IPMix(k=2), ipmix.MixingSet.sample(), seed=4, epoch=epoch)
        assert np.array_equal(np.concatenate([pixels for pixels, _ in seen]), expected[numbers])
        orders.append(tuple(numbers))
    assert len({*orders, tuple(range(12))}) == 3
    still = AugmentedBatches(images, labels, "augmix", batch_size=12, shuffle=False)
    assert np.array_equal(next(still.epoch(0))[1], labels)


def test_looped_over_as_a_loader_is(images: np.ndarray) -> None:
    """Each loop is the next epoch, a broken one too; two at once are two; an epoch that is set goes on from there."""
    batches = AugmentedBatches(images, np.arange(12), "augmix", batch_size=5, seed=4)

    def epoch_of(loop: object) -> int:
        pixels, numbers = (np.concatenate(parts) for parts in zip(*loop))  # type: ignore[call-overload]
        assert sorted(numbers) == list(range(12))
        (found,) = [
            epoch for epoch in range(9)
            if np.array_equal(pixels, ipmix.augment(images, ipmix.AugMix(), seed=4, epoch=epoch)[numbers])
        ]  # fmt: skip
        return found

    assert len(batches) == len(list(batches)) == 3
    assert [epoch_of(batches) for _ in range(2)] == [1, 2]
    assert epoch_of(batches.epoch(1)) == 1
    next(iter(batches))
    assert [epoch_of(loop) for loop in (iter(batches), iter(batches))] == [4, 5]
    first, second = iter(batches), iter(batches)
    assert (epoch_of(second), epoch_of(first)) == (7, 6)
    batches.set_epoch(2)
    assert [epoch_of(batches) for _ in range(2)] == [2, 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 0}, "threads must be a whole number"),
        ({"output": "float16"}, "float16"),
        ({"layout": "hwc"}, "hwc"),
        ({"output": "float32", "mean": (0.5, 0.5)}, "mean"),
        ({"mean": 0.5}, "mean"),
        ({"shuffle": 1}, "shuffle must be True or False, got 1"),
        ({"seed": 0.5}, "seed must be an integer"),
        ({"mixing": "a/folder"}, r"pass mixing=ipmix.MixingSet.folder\('a/folder'\)"),
        ({"mixing": np.zeros((3, 8, 8, 3), np.uint8)}, "at least as large as the images"),
    ],
)
def test_all_is_checked_before_the_first_batch(images: np.ndarray, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AugmentedBatches(images, np.arange(12), **{"method": "ipmix", "batch_size": 2, **settings})  # type: ignore[arg-type]
    batches = AugmentedBatches(images, np.arange(12), "augmix", batch_size=2)
    for call in (batches.set_epoch, batches.epoch):
        with pytest.raises(InputError, match="epoch must be an integer"):
            call(0.5)  # type: ignore[arg-type]


def test_settings_that_do_not_fit_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"labels must be an array of 12, one for each image"):
        AugmentedBatches(images, np.arange(3), batch_size=2)
    with pytest.raises(InputError, match="batch_size"):
        AugmentedBatches(images, np.arange(12), batch_size=0)
    with pytest.raises(IndexError, match="batch 6 of 6"):
        AugmentedBatches(images, np.arange(12), "augmix", batch_size=2).batch(0, 6)
