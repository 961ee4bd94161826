"""A shard of predictions whose every array is checked before it is used: files of others may hold anything."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError, first_line
from ipmix.evaluation.conditions import Condition
from ipmix.evaluation.predictions import Predictions, PredictionShard
from ipmix.measures.consistency import FARTHEST

Read = TypeVar("Read")


class CheckedShard:
    """A shard, its arrays checked; every error names the file and the array."""

    def __init__(self, shard: PredictionShard) -> None:
        self._shard = shard
        self.path = shard.path
        self.labels = self._integers("labels")
        if not len(self.labels):
            raise InputError(f"{self.path}: labels is empty; expected one label an image, at least one")
        if self.labels.min() < 0:
            raise InputError(f"{self.path}: labels are numbers of classes from 0, got {self.labels.min()}")

    def conditions(self) -> list[Condition]:
        """Which conditions there are predictions under; an array of an unknown name is refused."""
        return self._shard.conditions()

    def indices(self) -> NDArray[np.int64] | None:
        """Each image's place in the data, int64[n]; None where the file doesn't say."""
        if "indices" not in self._shard.names():
            return None
        indices = self._integers("indices")
        if len(indices) != len(self.labels) or indices.min() < 0:
            raise InputError(
                f"{self.path}: indices are the places of the {len(self.labels)} images from 0, got {len(indices)}, "
                f"the lowest {indices.min(initial=0)}"
            )
        return indices

    def called(self, condition: Condition) -> str:
        """What the file calls a condition's array."""
        return self._shard.called(condition.key)

    def predictions(self, condition: Condition) -> Predictions:
        """Floating outputs [m, K] of the images that a condition covers, at least one, and their labels, below K."""
        self.places(condition)
        found = self._read(condition.key, lambda: self._shard.predictions(condition))
        if not len(found.labels):
            raise InputError(
                f"{self.path}: {self.called(condition)} holds no image; leave the array out, or give at least one"
            )
        if found.logits.dtype.kind != "f" or found.logits.shape[1] < 2:
            raise InputError(
                f"{self.path}: {self.called(condition)} must be floating numbers [images, classes >= 2], got "
                f"{found.logits.dtype}{list(found.logits.shape)}"
            )
        return found

    def places(self, condition: Condition) -> NDArray[np.int64] | None:
        """Which of the shard's images a condition covers, int64[m]; None where the file names none."""
        name = f"places/{condition.key}"
        if name not in self._shard.names():
            return None
        chosen = self._integers(name)
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(self.labels):
            raise InputError(
                f"{self.path}: {name} are places among the {len(self.labels)} images, got {chosen.min()} to "
                f"{chosen.max()}"
            )
        values, times = np.unique(chosen, return_counts=True)
        if (times > 1).any():
            raise InputError(
                f"{self.path}: {name} names the image at {values[times > 1][0]} more than once; each is attacked once"
            )
        return chosen

    def sequences(self, condition: Condition, classes: int | None = None) -> NDArray[Any]:
        """The classes int64[n, T >= 2] of a perturbation's frames, below ``classes``; or its top-5 distances."""
        array = self._array(condition.key)
        count = len(self.labels)
        if condition.kind == "frames":
            if array.ndim != 2 or array.dtype.kind not in "iu" or array.shape[1] < 2 or len(array) != count:
                raise InputError(
                    f"{self.path}: {condition.key} must be whole numbers [{count} sequences, frames >= 2], the class "
                    f"of each frame (-1 for none), got {array.dtype}{list(array.shape)}"
                )
            low, high = int(array.min()), int(array.max())
            if low < -1 or (classes is not None and high >= classes):
                raise InputError(
                    f"{self.path}: {condition.key} must hold the class of each frame, "
                    f"{'from 0' if classes is None else f'0 to {classes - 1}'} (-1 for none), got "
                    f"{low if low < -1 else high}"
                )
            return array.astype(np.int64)
        if array.shape != (count,) or array.dtype.kind not in "fiu":
            raise InputError(
                f"{self.path}: {condition.key} must be numbers [{count}], the mean distance of each sequence, got "
                f"{array.dtype}{list(array.shape)}"
            )
        if not (np.isfinite(array).all() and array.min() >= 0.0 and array.max() <= FARTHEST):
            raise InputError(f"{self.path}: {condition.key} must hold distances in 0 .. {FARTHEST}, without NaN")
        return array

    def _integers(self, name: str) -> NDArray[np.int64]:
        array = self._array(name)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"{self.path}: {name} must be whole numbers [n], got {array.dtype}{list(array.shape)}")
        if array.dtype == np.uint64 and array.max(initial=0) >= 2**63:
            raise InputError(f"{self.path}: {name} must fit 64 bits with a sign, got {array.max()}")
        return array.astype(np.int64)

    def _array(self, name: str) -> NDArray[Any]:
        return self._read(name, lambda: self._shard.array(name))

    def _read(self, name: str, read: Callable[[], Read]) -> Read:
        try:
            return read()
        except InputError:
            raise
        except MemoryError:
            raise InputError(
                f"{self.path}: {self._shard.called(name)} claims to be larger than this machine's memory"
            ) from None
        except Exception as error:  # encrypted members, unknown compression, damaged headers: a dozen kinds
            raise InputError(f"{self.path}: {self._shard.called(name)} can't be read ({first_line(error)})") from None
