import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch.nn import functional

import ipmix
from ipmix.core.errors import InputError
from ipmix.training.losses import cross_entropy, jensen_shannon, jsd_loss


def logits(seed: int, rows: int = 6, classes: int = 5, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


def slow_jensen_shannon(*views: torch.Tensor) -> float:
    """The definition in float64, sample by sample."""
    chances = [softmax(view.double().numpy(), axis=1) for view in views]
    total = 0.0
    for row in range(len(views[0])):
        mixture = np.clip(sum(p[row] for p in chances) / len(views), 1e-7, 1.0)
        for p in chances:
            total += sum(q * (math.log(q) - math.log(m)) for q, m in zip(p[row], mixture, strict=True) if q > 0)
    return total / len(views) / len(views[0])


def test_jensen_shannon_is_its_definition() -> None:
    views = [logits(seed) for seed in (1, 2, 3)]
    assert jensen_shannon(*views).item() == pytest.approx(slow_jensen_shannon(*views), rel=1e-6)


def test_jensen_shannon_lies_between_zero_and_log_three() -> None:
    view = logits(4)
    assert abs(jensen_shannon(view, view, view).item()) < 1e-7
    certain = 1000 * torch.eye(3)
    views = [certain[[i, i]] for i in range(3)]
    # The clamp keeps every logarithm finite, even of predictions that exclude each other.
    assert jensen_shannon(*views).item() == pytest.approx(math.log(3), abs=1e-5)


def test_the_gradient_is_that_of_the_usual_form() -> None:
    """torch's kl_div on the clamped mixture, as AugMix's and IPMix's authors compute it."""
    views = [logits(seed).requires_grad_() for seed in (5, 6, 7)]
    chances = [view.softmax(1) for view in views]
    mixture = (sum(chances) / 3).clamp(1e-7, 1).log()
    usual = sum(functional.kl_div(mixture, p, reduction="batchmean") for p in chances) / 3
    expected = torch.autograd.grad(usual, views)
    got = torch.autograd.grad(jensen_shannon(*views), views)
    for a, b in zip(got, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_soft_labels_equal_hard_ones_and_mix_linearly() -> None:
    x, targets = logits(8), torch.tensor([0, 1, 2, 3, 4, 0])
    hot = functional.one_hot(targets, 5).double()
    assert cross_entropy(x, hot).item() == pytest.approx(cross_entropy(x, targets).item(), rel=1e-6)
    other = hot.roll(1, 0)
    mixed = cross_entropy(x, 0.3 * hot + 0.7 * other).item()
    parts = 0.3 * cross_entropy(x, hot).item() + 0.7 * cross_entropy(x, other).item()
    assert mixed == pytest.approx(parts, rel=1e-5)


def test_the_whole_loss_adds_up() -> None:
    views = [logits(seed) for seed in (9, 10, 11)]
    targets = torch.tensor([0, 1, 2, 3, 4, 0])
    parts = cross_entropy(views[0], targets) + 12 * jensen_shannon(*views)
    assert jsd_loss(torch.cat(views), targets).item() == pytest.approx(parts.item(), rel=1e-6)
    assert jsd_loss(torch.cat(views), targets, coefficient=0.0).item() == cross_entropy(views[0], targets).item()


def test_any_number_of_splits_and_nothing_that_does_not_fit() -> None:
    views = [logits(seed) for seed in (9, 10, 11, 12)]
    targets = torch.tensor([0, 1, 2, 3, 4, 0])
    for splits in (2, 3, 4):
        parts = cross_entropy(views[0], targets) + 12 * jensen_shannon(*views[:splits])
        got = ipmix.losses.jsd_loss(torch.cat(views[:splits]), targets, splits=splits)
        assert got.item() == pytest.approx(parts.item(), rel=1e-6)
    assert slow_jensen_shannon(*views[:2]) == pytest.approx(jensen_shannon(*views[:2]).item(), rel=1e-6)
    with pytest.raises(InputError, match=r"logits must be those of 3 versions of each of the 6 images.*got 24"):
        jsd_loss(torch.cat(views), targets)
    with pytest.raises(InputError, match="splits must be a whole number of at least 2"):
        jsd_loss(views[0], targets, splits=1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_are_float32_under_autocast_and_for_half_logits(dtype: torch.dtype) -> None:
    views = [logits(seed).to(dtype) for seed in (12, 13, 14)]
    targets = torch.tensor([0, 1, 2, 3, 4, 0])
    exact = jsd_loss(torch.cat([view.float() for view in views]), targets)
    together = torch.cat(views)  # outside: autocast to bfloat16 joins no float16
    with torch.autocast("cpu", torch.bfloat16):
        got = jsd_loss(together, targets)
    assert got.dtype == torch.float32
    assert got.item() == exact.item()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_the_loss_of_a_layer_s_answers_is_the_independent_formula(dtype: torch.dtype) -> None:
    """The layer computes in half precision; from its answers on, all is as exact as in float32."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 5)
    inputs = [3 * torch.randn(6, 8) for _ in range(3)]
    targets = torch.tensor([0, 1, 2, 3, 4, 0])
    with torch.autocast("cpu", dtype):
        views = [layer(x) for x in inputs]
        divergence = jensen_shannon(*views)
        whole = jsd_loss(torch.cat(views), targets)
    assert views[0].dtype == dtype
    expected = slow_jensen_shannon(*(view.detach() for view in views))
    assert divergence.item() == pytest.approx(expected, rel=1e-6)
    logs = views[0].detach().double().log_softmax(1)
    entropy = -logs[torch.arange(6), targets].mean().item()
    assert whole.item() == pytest.approx(entropy + 12 * expected, rel=1e-6)
    # In half precision itself the formula is further off: the check can fail.
    half = torch.stack([view.log_softmax(1) for view in views])
    rough = (half.exp() * (half - half.exp().mean(0).clamp(1e-7, 1).log())).sum(2).mean()
    assert rough.item() != pytest.approx(expected, rel=1e-4)


def test_at_the_clamp_the_independent_formula_holds_too() -> None:
    """Predictions so sure that a class's mean chance is below 1e-7."""
    views = [20 * torch.eye(4)[[i % 2, 2]] for i in range(3)]
    assert jensen_shannon(*views).item() == pytest.approx(slow_jensen_shannon(*views), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficient": math.nan}, "coefficient must be a finite number of at least 0, got nan"),
        ({"coefficient": -1.0}, "coefficient must be"),
        ({"coefficient": "12"}, "coefficient must be"),
        ({"label_smoothing": 1.5}, "label_smoothing must be a number in"),
        ({"logits": torch.zeros(6)}, r"logits must be float\[splits \* images, classes\], got torch.float32\[6\]"),
        ({"logits": torch.zeros(6, 5, dtype=torch.int64)}, "logits must be float"),
        ({"logits": [[0.0] * 5] * 6}, "logits must be a tensor, got 'list'"),
        ({"labels": torch.tensor([0, 5])}, r"labels lie in 0..4, the columns of logits, got 5"),
        ({"labels": torch.tensor([0, -1])}, "got -1"),
        ({"labels": torch.zeros(2, 4)}, r"labels must be int64\[images\], or float\[images, 5\]"),
        ({"labels": torch.tensor([0, 1], dtype=torch.int32)}, r"pass labels.long\(\)"),
    ],
)
def test_what_no_loss_is_made_of(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"logits": torch.zeros(6, 5), "labels": torch.tensor([0, 1]), **change}
    with pytest.raises(InputError, match=message):
        jsd_loss(given.pop("logits"), given.pop("labels"), **given)  # type: ignore[arg-type]
