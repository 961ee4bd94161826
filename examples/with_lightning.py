"""Lightning: a DataModule whose training images are a pure function of (seed, epoch, index)."""

import lightning
import torch
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData
from torchvision.transforms import ToTensor

from ipmix.integrations.lightning import EpochCallback
from ipmix.transforms import AugmentedDataset


class Images(lightning.LightningDataModule):
    workings: dict

    def train_dataloader(self) -> DataLoader:
        dataset = AugmentedDataset(FakeData(16, (3, 32, 32), 4), "ipmix-k3-t3", seed=0, after=ToTensor())  # the line
        return DataLoader(dataset, batch_size=8, shuffle=True, **self.workings)


class Linear(lightning.LightningModule):
    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(self.layer(batch[0].flatten(1)), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters())


def main(**workings: object) -> float:
    lightning.seed_everything(0, verbose=False)
    data, model = Images(), Linear()
    data.workings, model.layer = workings, torch.nn.Linear(3 * 32 * 32, 4)
    trainer = lightning.Trainer(max_epochs=2, callbacks=[EpochCallback()], logger=False, enable_checkpointing=False)
    trainer.fit(model, data)
    return float(model.layer.weight.detach().abs().sum())


if __name__ == "__main__":
    main(num_workers=2, persistent_workers=True)
