"""The epoch, brought to where an item is made: by the index, or by memory that all workers share."""

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from ipmix.core.checking import check_int64, shown
from ipmix.core.errors import InputError

UNKNOWN, COUNTED, GIVEN = range(3)

ITEMS = 5
"""Numbers of :class:`SharedEpoch` before those of the items."""

REPEATS_MAY_COME, NONE_YET = -1, 0
"""Which item of a pass has come again: no matter which, none; or one more than its number."""


class EpochIndex(int):
    """An index that carries the epoch it was drawn for."""

    epoch: int

    def __new__(cls, index: int, epoch: int) -> "EpochIndex":
        made = super().__new__(cls, index)
        made.epoch = epoch
        return made

    def __reduce__(self) -> tuple[type["EpochIndex"], tuple[int, int]]:
        return EpochIndex, (int(self), self.epoch)


class EpochSampler(Sampler[int]):
    """Another sampler's indices, each with its epoch: exact whenever and wherever the item is made.

    The one way that also holds where batches of the next epoch are fetched before this one has ended. Counts by
    itself, from 0; :meth:`set_epoch` says which epoch the next pass is (and tells the other sampler, if it asks).

    >>> loader = DataLoader(dataset, 128, sampler=EpochSampler(RandomSampler(dataset)))  # doctest: +SKIP
    """

    def __init__(self, sampler: Any) -> None:
        if not hasattr(sampler, "__iter__"):
            raise InputError(
                f"EpochSampler takes another sampler, such as RandomSampler(dataset), got {shown(sampler)}"
            )
        self.sampler = sampler
        self._next = 0

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """The next pass is epoch ``epoch``."""
        check_int64("epoch", epoch)
        self._next = int(epoch)

    def __iter__(self) -> Iterator[int]:
        # Not a generator itself: the epoch is that of the call, not of the first index that is asked for.
        epoch = self._next
        self._next += 1
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)
        return (EpochIndex(index, epoch) for index in self.sampler)


class SharedEpoch:
    """The epoch of a data set, in memory that it shares with its copies in worker processes.

    Until an epoch is given or a pass was seen to begin, an item's epoch is how often it was made before. A pass that
    begins twice before any item was made is one: without batches, a DataLoader with workers asks its sampler two times.

    A pass of which nothing is seen, over a Subset, say, is then in the epoch of the pass before it: a warning tells it
    when two items have come again.
    """

    def __init__(self, count: int) -> None:
        # The epoch, how it is known, whether it was given since a pass began, whether an item was made since, which
        # item has come again in the pass; and of each item how often it was made, or one more than its epoch.
        self._memory = torch.zeros(ITEMS + count, dtype=torch.int64, device="cpu").share_memory_()
        self._numbers: np.ndarray = self._memory.numpy()

    def __getstate__(self) -> torch.Tensor:
        return self._memory  # multiprocessing sends torch's shared memory by its name

    def __setstate__(self, memory: torch.Tensor) -> None:
        self._memory = memory
        self._numbers = memory.numpy()

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return int(self._numbers[0])

    def give(self, epoch: int) -> None:
        """The pass that begins next, or the one that runs, is this epoch."""
        check_int64("epoch", epoch)
        self._numbers[:3] = int(epoch), GIVEN, 1

    def begin_pass(self, *, repeats: bool = False) -> None:
        """A pass begins: the next epoch, but for the first pass and the first after :meth:`give`.

        Args:
            repeats: whether items may come several times in it.
        """
        _, state, fresh, made = self._numbers[: ITEMS - 1]
        if state == UNKNOWN:
            self._numbers[ITEMS:] = 0
        elif made and not fresh:
            self._numbers[0] += 1
        self._numbers[1:ITEMS] = state or COUNTED, 0, 0, REPEATS_MAY_COME if repeats else NONE_YET

    def of(self, index: int) -> int:
        """The epoch that an item is made for."""
        if isinstance(index, EpochIndex):
            return index.epoch
        self._numbers[3] = 1
        epoch, state = int(self._numbers[0]), self._numbers[1]
        if state == UNKNOWN:
            self._numbers[ITEMS + index] += 1
            return int(self._numbers[ITEMS + index]) - 1
        if state == COUNTED:
            if self._numbers[ITEMS + index] == epoch + 1:
                self._come_again(index, epoch)
            self._numbers[ITEMS + index] = epoch + 1
        return epoch

    def _come_again(self, index: int, epoch: int) -> None:
        """Warn at the second item that comes again (one alone may be looked at), once in a pass."""
        before = int(self._numbers[4])
        if before == NONE_YET:
            self._numbers[4] = index + 1
        elif before not in (REPEATS_MAY_COME, index + 1):
            self._numbers[4] = REPEATS_MAY_COME
            warnings.warn(
                f"items {before - 1} and {index} have come a second time in epoch {epoch} and are augmented as before: "
                "if this is another pass, the data set could not see it begin: call set_epoch(n) before each, or pass "
                "sampler=ipmix.transforms.EpochSampler(the sampler) to the DataLoader",
                stacklevel=4,
            )


def asking_sampler() -> Any:
    """The sampler of torch's that begins a pass, if one is the caller's caller: all of them ask for the length then."""
    caller = sys._getframe(2)
    asking = caller.f_locals.get("self")
    return asking if caller.f_code.co_name == "__iter__" and isinstance(asking, Sampler) else None
