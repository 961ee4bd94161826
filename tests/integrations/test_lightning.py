"""Lightning: the callback's epoch reaches every worker before the first batch, also after a resume."""

import multiprocessing
from typing import Any

import numpy as np
import pytest

lightning = pytest.importorskip("lightning", reason="lightning is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.integrations.lightning import EpochCallback  # noqa: E402
from ipmix.transforms import AugmentedDataset  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # the library's own


class Recording(lightning.LightningModule):  # type: ignore[misc]
    """Keeps what it is trained on: (epoch, number) -> image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: dict[tuple[int, int], np.ndarray] = {}

    def training_step(self, batch: Any, number: int) -> Any:
        for image, index in zip(batch[0].numpy(), batch[1].tolist()):
            assert (self.current_epoch, index) not in self.seen
            self.seen[self.current_epoch, index] = image.copy()
        return self.weight * 1.0

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fitted(loader: Any, epochs: int = 3, callback: bool = True) -> Recording:
    model = Recording()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    callbacks = [EpochCallback()] if callback else []
    trainer = lightning.Trainer(max_epochs=epochs, callbacks=callbacks, enable_model_summary=False, **quiet)
    trainer.fit(model, loader)
    return model


WAYS = [
    pytest.param(workers, start, persistent, marks=[pytest.mark.slow] if start == "spawn" else [])
    for start in ("fork", "spawn")
    for workers in (1, 2)
    for persistent in (False, True)
]


@pytest.mark.parametrize(("workers", "start", "persistent"), [(0, None, False), *WAYS])
def test_every_image_is_that_of_its_key(images: np.ndarray, workers: int, start: str | None, persistent: bool) -> None:
    if workers and start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {start}")
    pairs = [(image, index) for index, image in enumerate(images)]
    dataset = AugmentedDataset(pairs, "augmix", seed=2)
    workings = {"multiprocessing_context": start, "persistent_workers": persistent} if workers else {}
    loader = torch.utils.data.DataLoader(dataset, batch_size=5, shuffle=True, num_workers=workers, **workings)
    seen = fitted(loader).seen
    assert len(seen) == 36
    for epoch in range(3):
        expected = ipmix.augment(images, ipmix.AugMix(), seed=2, epoch=epoch)
        assert all(np.array_equal(seen[epoch, index], expected[index]) for index in range(12))


def test_data_that_take_no_epoch_are_refused(images: np.ndarray) -> None:
    loader = torch.utils.data.DataLoader([(image, 0) for image in images], batch_size=5)
    with pytest.raises(InputError, match="EpochCallback found no training data set with set_epoch: wrap yours in"):
        fitted(loader, 1)


def test_wrapped_data_sets_are_found(images: np.ndarray) -> None:
    inner = AugmentedDataset([(image, index) for index, image in enumerate(images)], "augmix", seed=2)
    both = torch.utils.data.ConcatDataset([torch.utils.data.Subset(inner, range(6))])
    seen = fitted(torch.utils.data.DataLoader(both, batch_size=6), 2).seen
    expected = ipmix.augment(images, ipmix.AugMix(), seed=2, epoch=1)
    assert all(np.array_equal(seen[1, index], expected[index]) for index in range(6))
