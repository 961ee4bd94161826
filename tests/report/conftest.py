import shutil

import numpy as np
import pytest

from ipmix.evaluation.predictions import PredictionFolder
from ipmix.evaluation.scorecard import score


def _made_card(folder, name, *, seed=0, strength=2.0, count=150, classes=6):
    """A scorecard of random predictions with everything in it."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)

    def logits(extra=0.0):
        values = random.normal(size=(count, classes)).astype(np.float32)
        values[np.arange(count), labels] += strength + extra
        return values

    arrays = {"labels": labels, "indices": np.arange(count), "clean": logits(1.0), "attack": logits(-1.0)}
    for corruption in ("fog", "gaussian_noise"):
        for severity in range(1, 6):
            arrays[f"corruption/{corruption}/{severity}"] = logits(-0.3 * severity)
    arrays["frames/tilt"] = random.integers(0, 2, (count, 5))
    kept = PredictionFolder.begin(folder, {"name": name})
    kept.write(0, arrays)
    return score(kept, samples=20)


@pytest.fixture(scope="session")
def made_card():
    """The function that makes a scorecard."""
    return _made_card


@pytest.fixture
def cards(tmp_path):
    return [
        _made_card(tmp_path / "plain", "plain", seed=1, strength=1.0),
        _made_card(tmp_path / "IPMix", "IPMix", seed=2, strength=3.0),
    ]


@pytest.fixture(scope="session")
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed to open the page with")
    return found
