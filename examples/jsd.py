"""Jensen-Shannon consistency: the clean image and two augmented views of it, from any data set of images."""

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData
from torchvision.transforms import v2

import ipmix


def main() -> None:
    torch.manual_seed(0)
    dataset = ipmix.transforms.AugmentedDataset(
        FakeData(64, (3, 32, 32), num_classes=10),
        "ipmix-k3-t3",
        seed=0,
        views=2,
        clean=True,
        before=v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()]),
        after=v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]),
    )
    loader = DataLoader(dataset, batch_size=16, shuffle=True)  # with workers too, persistent or not
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for _ in range(2):
        for (clean, view1, view2), labels in loader:
            logits = model(torch.cat([clean, view1, view2]))
            loss = ipmix.losses.jsd_loss(logits, labels, splits=3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {dataset.epoch}: loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
