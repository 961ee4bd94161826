import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.data.datasets import ArrayDataset  # noqa: E402
from ipmix.data.sources import InMemory  # noqa: E402
from ipmix.evaluation.evidence import attention_panel  # noqa: E402
from ipmix.evaluation.plan import EvaluationPlan  # noqa: E402


def captions(plan):
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    source = InMemory(ArrayDataset(images, np.arange(4) % 2, ("a", "b"), "noise"))
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
    (panel,) = attention_panel({"run": {}}, source, model, plan)
    return panel.text, [figure.caption.split(":")[0] for figure in panel.rows[0][1]]


@pytest.mark.parametrize(
    ("corruptions", "severities", "shown", "severity"),
    [
        (("fog", "snow", "contrast"), (1, 5), ["fog", "snow", "contrast"], 1),
        (("brightness",), (2, 3), ["brightness"], 3),
        (("frost", "fog", "snow", "contrast", "gaussian_noise", "pixelate"), (4,), None, 4),
    ],
)
def test_only_what_was_measured_is_shown(corruptions, severities, shown, severity):
    plan = EvaluationPlan(corruptions=corruptions, severities=severities, attack=None)
    text, found = captions(plan)
    assert found[:2] == ["the image", "clean"]
    assert len(found[2:]) == min(4, len(corruptions))
    assert shown is None or found[2:] == shown
    assert set(found[2:]) <= {name.replace("_", " ") for name in corruptions}
    assert f"at severity {severity}" in text


def test_without_corruptions_there_are_none():
    text, found = captions(EvaluationPlan(corruptions=(), attack=None))
    assert found == ["the image", "clean"]
    assert "severity" not in text
