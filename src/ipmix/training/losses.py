"""What training minimises: cross-entropy with hard or soft labels, and Jensen-Shannon consistency.

All are computed in float32 whatever the precision of the logits: in half precision the logarithms of small
probabilities would be lost.
"""

import math

import torch
from torch.nn import functional

from ipmix.core.checking import check_count, check_share, shown
from ipmix.core.errors import InputError

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


def jensen_shannon(*logits: torch.Tensor) -> torch.Tensor:
    """The mean Jensen-Shannon divergence of three predictions (or n), a float32 scalar between 0 and log 3 (log n).

    1/3 sum_i KL(p_i || M), with p_i the softmax of each of the three logits (float[B, classes]) and M their
    mean, clamped to [1e-7, 1] before its logarithm (Hendrycks et al., AugMix, 2020, and the authors' code).
    """
    with torch.autocast(logits[0].device.type, enabled=False):
        logs = torch.stack([functional.log_softmax(x.float(), 1) for x in logits])
        chances = logs.exp()
        mixture = chances.mean(0).clamp(1e-7, 1.0).log()
        return (chances * (logs - mixture)).sum(2).mean()


def _check_targets(logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Raise :class:`InputError` unless these are float[N, classes] and int64[B] or float[B, classes]."""
    for name, value in (("logits", logits), ("labels", labels)):
        if not isinstance(value, torch.Tensor):
            raise InputError(f"{name} must be a tensor, got {shown(type(value).__name__)}")
    if logits.ndim != 2 or not logits.is_floating_point():
        raise InputError(f"logits must be float[splits * images, classes], got {logits.dtype}{list(logits.shape)}")
    classes = logits.shape[1]
    soft = labels.is_floating_point()
    if (soft and (labels.ndim != 2 or labels.shape[1] != classes)) or (not soft and labels.ndim != 1):
        raise InputError(
            f"labels must be int64[images], or float[images, {classes}] whose rows sum to 1, "
            f"got {labels.dtype}{list(labels.shape)}"
        )
    if not soft and labels.dtype != torch.int64:
        raise InputError(f"labels must be int64, got {labels.dtype}: pass labels.long()")
    # On an accelerator a look at the values would wait for it: there torch says it.
    if not soft and labels.device.type == "cpu" and len(labels):
        least, most = int(labels.min()), int(labels.max())
        if least < 0 or most >= classes:
            wrong = most if most >= classes else least
            raise InputError(f"labels lie in 0..{classes - 1}, the columns of logits, got {wrong}")


def jsd_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    splits: int = 3,
    *,
    coefficient: float = JSD_COEFFICIENT,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy of the clean images + ``coefficient`` times :func:`jensen_shannon` of all: a scalar.

    The paper's headline results use it with 12 (its appendix does not mention it; the authors' code does).

    Args:
        logits: float[splits * B, classes]: of the clean images, then of each of their augmented views, in the same
            order: ``model(torch.cat([clean, view1, view2]))``.
        labels: int64[B], or float[B, classes] whose rows sum to 1.
        splits: how many predictions there are of each image, the clean one included.
        coefficient: of the divergence.
        label_smoothing: of the cross-entropy.

    Raises:
        InputError: logits that are not ``splits`` times as many as labels, fewer than two splits, tensors of other
            shapes and dtypes, labels beyond the classes, or a coefficient or smoothing out of range.
    """
    check_count("splits", splits, 2)
    if isinstance(coefficient, bool) or not isinstance(coefficient, int | float) or not 0.0 <= coefficient < math.inf:
        raise InputError(f"coefficient must be a finite number of at least 0, got {shown(coefficient)}")
    check_share("label_smoothing", label_smoothing)
    _check_targets(logits, labels)
    if len(logits) != splits * len(labels):
        raise InputError(
            f"logits must be those of {splits} versions of each of the {len(labels)} images, the clean ones first: "
            f"{splits * len(labels)} rows, got {len(logits)}"
        )
    parts = logits.split(len(labels)) if len(labels) else (logits,) * splits
    consistency = jensen_shannon(*parts)
    return cross_entropy(parts[0], labels, label_smoothing=label_smoothing) + coefficient * consistency
