"""IPMix as one line in a torchvision pipeline. Put your own ImageFolder where FakeData stands."""

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData
from torchvision.transforms import v2

import ipmix


def main(**workers: object) -> float:
    torch.manual_seed(0)
    pipeline = v2.Compose(
        [
            v2.RandomCrop(32, padding=4),
            v2.RandomHorizontalFlip(),
            ipmix.transforms.IPMix(),  # after cropping, before normalising
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        ]
    )
    dataset = FakeData(64, (3, 32, 32), num_classes=10, transform=pipeline)
    loader = DataLoader(dataset, batch_size=16, shuffle=True, **workers)  # num_workers=2, ...
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(2):
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")
    return loss.item()


if __name__ == "__main__":
    main()
