"""torchvision: IPMix as one more line of v2.Compose. Keys come from torch's generator, as for its neighbors."""

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData
from torchvision.transforms import v2

import ipmix


def main(workers: int = 2, start: str | None = None, persistent: bool = False) -> float:
    torch.manual_seed(0)
    transform = v2.Compose(
        [
            v2.RandomCrop(32, padding=4),
            v2.RandomHorizontalFlip(),
            ipmix.transforms.IPMix(k=3, t=3),  # the line; or from_name("augmix"), PixMix(), ...
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    dataset = FakeData(16, (3, 32, 32), num_classes=4, transform=transform)
    workings = {"num_workers": workers, "persistent_workers": persistent, "multiprocessing_context": start}
    loader = DataLoader(dataset, batch_size=8, shuffle=True, **(workings if workers else {}))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 4))
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
