"""The test error after each epoch, each image counted once, whatever the number of processes."""

import numpy as np
import torch
from torch import nn

from ipmix.core.processes import Processes
from ipmix.data.datasets import ArrayDataset
from ipmix.data.sources import InMemory, OnDisk
from ipmix.training.losses import cross_entropy

BATCH = 500


def error_and_loss(
    network: nn.Module, test: ArrayDataset | OnDisk, processes: Processes, *, channels_last: bool
) -> dict[str, float]:
    """``test_error`` (percent) and ``test_loss`` (mean cross-entropy) of the network, left in evaluation mode.

    An image for which the network gives NaN or infinite numbers counts as wrong, and the loss is then no number.
    Each process takes a stretch of the images of its own; the sums are put together.
    """
    processes.same_buffers(network)
    network.eval()
    source = InMemory(test) if isinstance(test, ArrayDataset) else test
    rank, count = processes.rank, processes.count
    first, end = len(source.labels) * rank // count, len(source.labels) * (rank + 1) // count
    sums = processes.figures(3)
    with torch.no_grad(), processes.autocast():
        for begin in range(first, end, BATCH):
            pixels, places = source.read(begin, min(begin + BATCH, end))
            if not len(places):  # every image of this stretch was broken and passed over
                continue
            logits = network(on_device(pixels, processes.device, channels_last=channels_last))
            labels = torch.from_numpy(source.labels[places]).to(processes.device)
            # The largest of NaN is the first class: an answer that is no number is wrong, not class 0.
            answered = torch.isfinite(logits).all(1)
            sums[0] += ((logits.argmax(1) != labels) | ~answered).sum()
            sums[1] += cross_entropy(logits, labels) * len(labels)
            sums[2] += len(labels)
    processes.add_up(sums)
    wrong, loss, seen = sums.tolist()
    return {"test_error": 100 * wrong / seen, "test_loss": loss / seen}


def on_device(images: np.ndarray, device: torch.device, *, channels_last: bool) -> torch.Tensor:
    """uint8[B, H, W, C] -> uint8[B, C, H, W] on the device; the bytes stay in NHWC order if wanted."""
    tensor = torch.from_numpy(images)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    tensor = tensor.to(device, non_blocking=True).permute(0, 3, 1, 2)
    return tensor if channels_last else tensor.contiguous()
