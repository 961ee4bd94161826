"""albumentations: IPMix as one more line of A.Compose, in a data set of one's own."""

import albumentations as A
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ipmix.integrations.albumentations import AlbumentationsTransform

PIPELINE = [A.RandomCrop(32, 32), A.HorizontalFlip(), AlbumentationsTransform("ipmix-k3-t3"), A.Normalize()]  # the line


class Pixels(Dataset):
    def __init__(self, images: np.ndarray) -> None:
        self.images, self.transform = images, A.Compose(PIPELINE, seed=0)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = self.transform(image=self.images[index])["image"]
        return torch.from_numpy(image).permute(2, 0, 1), index % 4


def main(workers: int = 2, start: str | None = None, persistent: bool = False) -> float:
    torch.manual_seed(0)
    dataset = Pixels(np.random.default_rng(0).integers(0, 256, (16, 40, 40, 3), dtype=np.uint8))
    workings = {"num_workers": workers, "persistent_workers": persistent, "multiprocessing_context": start}
    loader = DataLoader(dataset, batch_size=8, shuffle=True, **(workings if workers else {}))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 4))
    for epoch in range(2):
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        print(f"epoch {epoch}: {len(loader)} batches, loss {loss.item():.3f}")
    return loss.item()


if __name__ == "__main__":
    main()
