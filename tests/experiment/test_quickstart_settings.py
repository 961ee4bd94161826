"""The quickstart's settings are refused before anything is trained."""

from typing import Any

import pytest

from ipmix.core.errors import InputError
from ipmix.experiment.quickstart_worker import QuickstartConfig


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"train_images": -1}, "train_images"),
        ({"test_images": 0}, "test_images"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"epochs": 0}, "epochs"),
        ({"size": 100_000}, "size"),
    ],
)
def test_what_cannot_be_is_named(settings: dict[str, Any], name: str) -> None:
    QuickstartConfig()
    with pytest.raises(InputError, match=f"{name} is at (least|most) [0-9]+, got"):
        QuickstartConfig(**settings)
