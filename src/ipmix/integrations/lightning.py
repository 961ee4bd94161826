"""Lightning: a callback that tells the training data their epoch.

>>> trainer = lightning.Trainer(callbacks=[EpochCallback()])  # doctest: +SKIP

With an :class:`ipmix.transforms.AugmentedDataset` in the DataModule, an image is then a pure function of (seed, epoch,
index), also where training is resumed in the middle, and with workers that stay.
"""

from typing import Any

from ipmix.core.errors import InputError
from ipmix.integrations.sharing import needed

with needed("lightning", "lightning"):
    from lightning.pytorch import Callback


class EpochCallback(Callback):
    """Calls ``set_epoch`` of the training data set, and of those that it wraps, before each epoch.

    Raises:
        InputError: no training data set has ``set_epoch``.
    """

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Tell every data set its epoch; Lightning asks for the first batch after this."""
        loaders = trainer.train_dataloader
        found = [dataset for loader in _several(loaders) for dataset in _datasets(getattr(loader, "dataset", None))]
        if not found:
            raise InputError(
                "EpochCallback found no training data set with set_epoch: wrap yours in "
                "ipmix.transforms.AugmentedDataset, or leave the callback out"
            )
        for dataset in found:
            dataset.set_epoch(trainer.current_epoch)


def _several(loaders: Any) -> list[Any]:
    if isinstance(loaders, dict):
        return list(loaders.values())
    return list(loaders) if isinstance(loaders, list | tuple) else [loaders]


def _datasets(dataset: Any) -> list[Any]:
    """The data set and what it wraps (Subset, ConcatDataset), those of them that take an epoch."""
    if dataset is None:
        return []
    found = [dataset] if hasattr(dataset, "set_epoch") else []
    for name in ("dataset", "datasets"):
        if name in getattr(dataset, "__dict__", {}):
            for inner in _several(getattr(dataset, name)):
                found += _datasets(inner)
    return found
