"""The self-check says what is wrong, and nothing where nothing is."""

from typing import Any

import numpy as np
import pytest

from ipmix.augmentation import self_check
from ipmix.engines import numpy_engine, reference


def test_all_is_well_here() -> None:
    assert self_check.engines_agree() == self_check.batch_is_no_matter() == ""


def test_an_engine_that_is_beside_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own arithmetic in place of the compiled engine's."""
    monkeypatch.setattr(numpy_engine, "_ARITHMETIC", reference.DEFINITION)
    assert self_check.engines_agree().startswith("compiled, numpy differ by ")


def test_a_batch_that_matters_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(images: np.ndarray, *_: Any, **settings: Any) -> np.ndarray:
        return images + np.uint8(len(images))

    monkeypatch.setattr(self_check, "augment", first)
    assert self_check.batch_is_no_matter() == "it differs"
