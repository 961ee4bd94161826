"""kornia: IPMix inside AugmentationSequential, on batches that are on the device already."""

import kornia.augmentation as K
import torch
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData
from torchvision.transforms import ToTensor

from ipmix.integrations.kornia import KorniaAugmentation


def main(workers: int = 2, start: str | None = None, persistent: bool = False) -> float:
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    augment = K.AugmentationSequential(
        K.RandomCrop((32, 32), padding=4),
        K.RandomHorizontalFlip(),
        KorniaAugmentation("ipmix-k3-t3"),  # the line
        K.Normalize(mean=[0.5] * 3, std=[0.5] * 3),
    )
    dataset = FakeData(16, (3, 32, 32), num_classes=4, transform=ToTensor())
    workings = {"num_workers": workers, "persistent_workers": persistent, "multiprocessing_context": start}
    loader = DataLoader(dataset, batch_size=8, shuffle=True, **(workings if workers else {}))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 4)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(2):
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(model(augment(images.to(device))), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")
    return loss.item()


if __name__ == "__main__":
    main()
