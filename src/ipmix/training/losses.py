"""What training minimises: cross-entropy with hard or soft labels, and Jensen-Shannon consistency.

All are computed in float32 whatever the precision of the logits: in half precision the logarithms of small
probabilities would be lost.
"""

import torch
from torch.nn import functional

JSD_COEFFICIENT = 12.0


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, *, label_smoothing: float = 0.0) -> torch.Tensor:
    """Mean cross-entropy, a float32 scalar.

    Args:
        logits: float[B, classes].
        targets: int64[B], or float[B, classes] whose rows sum to 1 (methods that mix labels).
        label_smoothing: this share of each target is spread evenly over all classes.
    """
    with torch.autocast(logits.device.type, enabled=False):
        if targets.is_floating_point():
            targets = targets.float()
        return functional.cross_entropy(logits.float(), targets, label_smoothing=label_smoothing)


def jensen_shannon(clean: torch.Tensor, view1: torch.Tensor, view2: torch.Tensor) -> torch.Tensor:
    """The mean Jensen-Shannon divergence of three predictions, a float32 scalar between 0 and log 3.

    1/3 sum_i KL(p_i || M), with p_i the softmax of each of the three logits (float[B, classes]) and M their
    mean, clamped to [1e-7, 1] before its logarithm (Hendrycks et al., AugMix, 2020, and the authors' code).
    """
    with torch.autocast(clean.device.type, enabled=False):
        logs = torch.stack([functional.log_softmax(x.float(), 1) for x in (clean, view1, view2)])
        chances = logs.exp()
        mixture = chances.mean(0).clamp(1e-7, 1.0).log()
        return (chances * (logs - mixture)).sum(2).mean()


def jsd_loss(
    clean: torch.Tensor,
    view1: torch.Tensor,
    view2: torch.Tensor,
    targets: torch.Tensor,
    *,
    coefficient: float = JSD_COEFFICIENT,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy of the clean images + ``coefficient`` times :func:`jensen_shannon`: a scalar.

    The paper's headline results use it with 12 (its appendix does not mention it; the authors' code does).
    """
    consistency = jensen_shannon(clean, view1, view2)
    return cross_entropy(clean, targets, label_smoothing=label_smoothing) + coefficient * consistency
