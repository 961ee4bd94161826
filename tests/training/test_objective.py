"""The loss of a step, against the plainest form of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ipmix import models
from ipmix.attacks.worst_mixture import mixture
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.methods.augmax import AugMax
from ipmix.models.dual_norm import DualBatchNorm2d
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Batch, Loader
from ipmix.training.loop import train
from ipmix.training.losses import cross_entropy, jsd_loss
from ipmix.training.objective import Objective, views_of

CONFIG = TrainingConfig(model="wrn-10-1", batch_size=6, dropout=0.0, channels_last=False, seed=4)
AUGMAX = replace(CONFIG, model="wrn-10-1-dubin", jsd=True, jsd_coefficient=10.0)


def dataset(count: int = 12) -> ArrayDataset:
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    return ArrayDataset(images, np.arange(count, dtype=np.int64) % 3, ("a", "b", "c"), "noise")


def first_batch(config: TrainingConfig, method: Any, epoch: int = 0) -> Batch:
    views = views_of(config, method)
    loader = Loader(dataset(), batch_size=6, seed=config.seed, method=method, views=views, clean=config.jsd)
    return next(iter(loader.epoch(epoch)))


def network(config: TrainingConfig) -> models.Classifier:
    torch.manual_seed(1)
    return models.build(config.model, 3, dropout=0.0).train()


def objective(config: TrainingConfig, method: Any, model: models.Classifier) -> Objective:
    return Objective(config, method, model, model, torch.device("cpu"))


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 255


def test_soft_labels_are_minimised_as_shares_of_hard_ones() -> None:
    method, model = METHODS["mixup"](), network(CONFIG)
    batch = first_batch(CONFIG, method)
    assert (batch.labels.max(1) < 1).any()
    loss, wrong = objective(CONFIG, method, model)(batch, np.arange(6), 0)
    with torch.no_grad():
        logs = model(tensor(batch.images[0])).double().log_softmax(1)
    expected = -(torch.from_numpy(batch.labels) * logs).sum(1).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert wrong.item() == (logs.argmax(1).numpy() != batch.labels.argmax(1)).sum()


def route_by_hand(model: torch.nn.Module, route: str) -> None:
    for module in model.modules():
        if isinstance(module, DualBatchNorm2d):
            module.routes = (route,)


def augmax_by_hand(model: models.Classifier, method: AugMax, batch: Batch, epoch: int) -> torch.Tensor:
    """Three passes, one a kind of image; the attack step by step, all gradients taken together."""
    clean, augmix, *chains = (tensor(view) for view in batch.images)
    labels = torch.from_numpy(batch.labels)
    blend, logits = map(torch.from_numpy, method.starts(Keys.of(AUGMAX.seed, epoch, batch.indices)))
    route_by_hand(model.eval(), "adversarial")
    stopped = torch.zeros(len(batch), dtype=torch.bool)
    for _ in range(method.steps):
        blend, logits = blend.detach().requires_grad_(), logits.detach().requires_grad_()
        found = model(mixture(clean, chains, blend, logits))
        stopped |= found.argmax(1) != labels
        functional.cross_entropy(found, labels, reduction="sum").backward()
        with torch.no_grad():
            moved = (blend + 0.1 * blend.grad.sign()).clamp(0, 1)
            blend = torch.where(stopped, blend, moved)
            logits = torch.where(stopped[:, None], logits, logits + 0.1 * logits.grad.sign())
    worst = mixture(clean, chains, blend, logits).detach()
    model.train().zero_grad()
    answers = {}
    for name, images, route in (("clean", clean, "main"), ("augmix", augmix, "main"), ("worst", worst, "adversarial")):
        route_by_hand(model, route)
        answers[name] = model(images)
    chances = [answers[name].softmax(1) for name in ("clean", "worst", "augmix")]
    mean = (sum(chances) / 3).clamp(1e-7, 1).log()
    divergence = sum(functional.kl_div(mean, p, reduction="batchmean") for p in chances) / 3
    return functional.cross_entropy(answers["clean"], labels) + AUGMAX.jsd_coefficient * divergence


@pytest.mark.parametrize("epoch", [0, 3])
def test_augmax_is_three_passes_with_the_worst_mixture(epoch: int) -> None:
    """Loss, gradients and BatchNorm statistics."""
    method = AugMax(steps=4)
    batch = first_batch(AUGMAX, method, epoch)
    ours, theirs = network(AUGMAX), network(AUGMAX)
    loss, wrong = objective(AUGMAX, method, ours)(batch, np.arange(6), epoch)
    loss.backward()
    expected = augmax_by_hand(theirs, method, batch, epoch)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-4), name
    for (name, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        assert torch.allclose(a, b, atol=1e-5), name
    assert all(module.routes == () for module in ours.modules() if isinstance(module, DualBatchNorm2d))
    assert 0 <= wrong.item() <= 6


def test_the_comparison_tells_another_epoch_apart() -> None:
    method = AugMax(steps=4)
    batch = first_batch(AUGMAX, method, 0)
    loss, _ = objective(AUGMAX, method, network(AUGMAX))(batch, np.arange(6), 0)
    other = augmax_by_hand(network(AUGMAX), method, batch, 1)
    assert loss.item() != pytest.approx(other.item(), rel=1e-5)


def test_a_part_of_a_batch() -> None:
    """Slices of a batch are attacked from their own starting points."""
    method = AugMax(steps=2)
    batch = first_batch(AUGMAX, method)
    part = np.array([4, 5])
    sliced = Batch(batch.indices[part], batch.labels[part], tuple(images[part] for images in batch.images))
    got, _ = objective(AUGMAX, method, network(AUGMAX))(batch, part, 0)
    expected, _ = objective(AUGMAX, method, network(AUGMAX))(sliced, np.arange(2), 0)
    assert got.item() == expected.item()


@pytest.mark.parametrize("jsd", [False, True])
def test_the_losses_of_one_and_of_three_views(jsd: bool) -> None:
    config, method = replace(CONFIG, jsd=jsd, label_smoothing=0.1), METHODS["augmix"]()
    batch = first_batch(config, method)
    loss, _ = objective(config, method, network(config))(batch, np.arange(6), 0)
    logits = network(config)(torch.cat([tensor(view) for view in batch.images]))
    labels = torch.from_numpy(batch.labels)
    expected = (
        jsd_loss(logits, labels, label_smoothing=0.1) if jsd else cross_entropy(logits, labels, label_smoothing=0.1)
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match="mixup mixes labels, and Jensen-Shannon consistency compares"):
        views_of(replace(CONFIG, jsd=True), METHODS["mixup"]())
    with pytest.raises(InputError, match="turn jsd on"):
        views_of(CONFIG, AugMax())
    with pytest.raises(InputError, match="take wrn-10-1-dubin"):
        objective(replace(CONFIG, jsd=True), AugMax(), network(CONFIG))
    with pytest.raises(InputError, match="combined mixes labels"):
        train(replace(CONFIG, jsd=True), dataset(), method=METHODS["combined"](), device="cpu", quiet=True)


def test_augmax_trains_and_what_comes_back_is_an_ordinary_network() -> None:
    config = replace(AUGMAX, epochs=2, accumulate=2, channels_last=True)
    first, second = (
        train(config, dataset(), dataset(), method=AugMax(steps=3), device="cpu", quiet=True, threads=threads)
        for threads in (1, 3)
    )
    assert first.epochs == second.epochs
    assert np.isfinite(first.last["loss"])
    with torch.no_grad():
        answers = first.model(tensor(dataset().images)).argmax(1)
    wrong = (answers.numpy() != dataset().labels).sum()
    assert first.last["test_error"] == pytest.approx(100 * wrong / 12)


@pytest.mark.parametrize("name", ["mixup", "cutmix", "combined"])
def test_methods_that_mix_labels_train(name: str) -> None:
    outcome = train(replace(CONFIG, epochs=1), dataset(), dataset(), method=METHODS[name](), device="cpu", quiet=True)
    assert np.isfinite(outcome.last["loss"])
