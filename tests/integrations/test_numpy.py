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


def test_settings_that_do_not_fit_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"labels must be an array of 12, one for each image"):
        AugmentedBatches(images, np.arange(3), batch_size=2)
    with pytest.raises(InputError, match="batch_size"):
        AugmentedBatches(images, np.arange(12), batch_size=0)
    with pytest.raises(IndexError, match="batch 6 of 6"):
        AugmentedBatches(images, np.arange(12), "augmix", batch_size=2).batch(0, 6)
