"""What one step minimises: from a batch of views to the loss, for every kind of training there is.

* cross-entropy of one view, with hard labels or with the soft ones of a method that mixes labels;
* cross-entropy of the clean image and Jensen-Shannon consistency with two augmented views (AugMix, IPMix);
* the same with AugMax's worst mixture as one of the views, found against the network as it is now.
"""

import numpy as np
import torch
from torch import nn

from ipmix.attacks.worst_mixture import worst_mixture
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys
from ipmix.methods.augmax import AugMax
from ipmix.methods.protocol import Method
from ipmix.models.dual_norm import ADVERSARIAL, MAIN, has_dual_norms, routed
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Batch
from ipmix.training.losses import cross_entropy, jsd_loss
from ipmix.training.validation import on_device


def views_of(config: TrainingConfig, method: Method | None) -> int:
    """How many augmented views of each image a step needs.

    Raises:
        InputError: a method and a loss that don't go together.
    """
    if config.jsd and method is not None and method.mixes_labels:
        raise InputError(
            f"{method.name} mixes labels, and Jensen-Shannon consistency compares views of one image with one "
            "label: leave out jsd"
        )
    if isinstance(method, AugMax):
        if not config.jsd:
            raise InputError("AugMax's loss holds Jensen-Shannon consistency with its worst mixture: turn jsd on")
        return method.views
    return 2 if config.jsd else 1


class Objective:
    """The loss of a micro-batch, computed by ``network`` (``classifier``, made ready for all processes)."""

    def __init__(
        self,
        config: TrainingConfig,
        method: Method | None,
        classifier: nn.Module,
        network: nn.Module,
        device: torch.device,
    ) -> None:
        if isinstance(method, AugMax) and not has_dual_norms(classifier):
            raise InputError(
                f"AugMax trains networks with a second BatchNorm for its worst mixtures: take {config.model}-dubin"
            )
        self.config, self.method, self.device = config, method, device
        self.classifier, self.network = classifier, network

    def __call__(self, batch: Batch, micro_batch: np.ndarray, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss of the images of a batch at the places ``micro_batch`` (int[n]), and how many are wrong.

        Where labels are mixed, an image counts as wrong if its largest label is not the network's answer.
        """
        config = self.config
        whole = len(micro_batch) == len(batch)
        targets = torch.from_numpy(batch.labels if whole else batch.labels[micro_batch]).to(self.device)
        views = [images if whole else images[micro_batch] for images in batch.images]
        images = [on_device(view, self.device, channels_last=config.channels_last) for view in views]
        if not config.jsd:
            clean = self.network(images[0])
            loss = cross_entropy(clean, targets, label_smoothing=config.label_smoothing)
        else:
            if isinstance(self.method, AugMax):
                keys = Keys.of(config.seed, epoch, batch.indices[micro_batch])
                logits = self._logits_with_the_worst(self.method, images, targets, keys)
            else:
                logits = self.network(torch.cat(images))
            loss = jsd_loss(logits, targets, coefficient=config.jsd_coefficient, label_smoothing=config.label_smoothing)
            clean = logits[: len(targets)]
        labels = targets.argmax(1) if targets.is_floating_point() else targets
        return loss, (clean.detach().argmax(1) != labels).sum()

    def _logits_with_the_worst(
        self, method: AugMax, images: list[torch.Tensor], targets: torch.Tensor, keys: Keys
    ) -> torch.Tensor:
        """The logits of the clean images, of an AugMix of them, and of the worst mixture of other chains.

        All in one pass; each third is normalised by itself, the last by the norms for adversarial images.
        """
        clean, augmix, *chains = (view.to(torch.float32).div_(255.0) for view in images)
        blend, logits = (torch.from_numpy(numbers).to(self.device) for numbers in method.starts(keys))
        with routed(self.classifier, ADVERSARIAL):
            worst = worst_mixture(
                self.classifier,
                clean,
                chains,
                targets,
                blend=blend,
                logits=logits,
                steps=method.steps,
                step_size=method.step_size,
                budget=method.budget,
            )
        with routed(self.classifier, MAIN, MAIN, ADVERSARIAL):
            result: torch.Tensor = self.network(torch.cat([clean, augmix, worst]))
        return result
