"""A model, images and a quick plan for the tests of ``ipmix.evaluate`` from Python."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

import ipmix  # noqa: E402
from ipmix.evaluation.plan import EvaluationPlan  # noqa: E402

COUNT = 12
PLAN = EvaluationPlan(corruptions=("brightness",), severities=(3,), attack=None)
FAST: dict[str, Any] = {"plan": PLAN, "device": "cpu", "progress": False, "threads": 1}


def data() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0)
    labels = np.arange(COUNT) % 3
    images = draws.integers(0, 120, (COUNT, 8, 8, 3), dtype=np.uint8)
    images[np.arange(COUNT), :, :, labels] += 60
    return images, labels


class Means(torch.nn.Module):
    """Logits: the mean of each channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.float32
        return 10.0 * images.mean(dim=(2, 3))


def by_hand(images: np.ndarray) -> np.ndarray:
    assert images.dtype == np.uint8
    return 10.0 * images.mean(axis=(1, 2)) / 255.0


def same(card: ipmix.Scorecard, other: ipmix.Scorecard) -> bool:
    figures = [
        {name: None if value is None else round(value, 5) for name, value in one.measures.items()}
        for one in (card, other)
    ]
    return figures[0] == figures[1] and card.card["corruptions"] == other.card["corruptions"]
