"""Hugging Face: IPMix by set_transform, with the Trainer."""

import tempfile

import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from torchvision.transforms import v2
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

from ipmix.integrations.huggingface import AugmentedColumn

TO_PIXELS = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)])


def main(**workings: object) -> float:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    columns = {"image": [Image.fromarray(one) for one in pixels], "label": [i % 4 for i in range(16)]}
    dataset = Dataset.from_dict(columns)
    dataset.set_transform(AugmentedColumn("ipmix-k3-t3", after=TO_PIXELS, into="pixel_values"))  # the line
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    small = ViTConfig(**sizes, image_size=32, num_labels=4)
    quiet = {"report_to": [], "save_strategy": "no", **workings}
    arguments = TrainingArguments(tempfile.gettempdir(), remove_unused_columns=False, **quiet)  # it needs "image"
    trainer = Trainer(ViTForImageClassification(small), arguments, train_dataset=dataset, data_collator=collated)
    return trainer.train().training_loss


def collated(rows: list[dict]) -> dict[str, torch.Tensor]:
    labels = torch.tensor([row["label"] for row in rows])
    return {"pixel_values": torch.stack([row["pixel_values"] for row in rows]), "labels": labels}


if __name__ == "__main__":
    main()
