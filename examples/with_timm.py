"""timm: --aa ipmix-m3-k3-t3 --aug-splits 3 --jsd-loss, with timm's own loader, data set and loss."""

import timm
import torch
from timm.data import AugMixDataset, create_loader
from timm.loss import JsdCrossEntropy
from torchvision.datasets import FakeData

from ipmix.integrations.timm import register


def main(workers: int = 2, start: str | None = None, persistent: bool = False) -> float:
    timm.utils.random_seed(0)  # also of Python, which timm draws crops from
    register()  # the line: timm now knows the names of ipmix's methods
    loader = create_loader(
        AugMixDataset(FakeData(16, (3, 40, 40), num_classes=4), num_splits=3),
        input_size=(3, 32, 32),
        batch_size=8,
        is_training=True,
        auto_augment="ipmix-m3-k3-t3",  # --aa
        num_aug_splits=3,
        use_prefetcher=False,
        num_workers=workers,
        persistent_workers=persistent,
    )
    loader.multiprocessing_context = start
    model = timm.create_model("test_vit3", img_size=32, num_classes=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(2):
        for images, labels in loader:
            loss = JsdCrossEntropy(num_splits=3)(model(torch.cat(images)), labels)  # clean, augmented, augmented
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.item()


if __name__ == "__main__":
    print(f"loss {main():.3f}")
