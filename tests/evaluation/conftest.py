"""Images, a network and small shards that the tests of evaluation share."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """Bright and dark images in two classes, of two sizes."""
    random = np.random.default_rng(0)
    for place, (name, level) in enumerate((("bright", 190), ("dark", 60))):
        for i in range(12):
            target = tmp_path / "data" / "test" / name
            target.mkdir(parents=True, exist_ok=True)
            side = 20 + 4 * (i % 2)
            pixels = random.integers(level - 40, level + 40, (side, side + place, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(target / f"{i:02d}.png")
    return tmp_path / "data"


@pytest.fixture
def network(tmp_path):
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from ipmix import models

    torch.manual_seed(0)
    built = models.build("wrn-10-1", ("bright", "dark"))
    models.save(tmp_path / "net.safetensors", built, {"size": 16})
    return tmp_path / "net.safetensors"


@pytest.fixture
def small_chunks(monkeypatch, tmp_path_factory):
    from ipmix.evaluation import plan, predicting

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    for module in (plan, predicting):
        monkeypatch.setattr(module, "CHUNK", 7)


@pytest.fixture(scope="module")
def reference():
    """The scorecard of ``python_run``'s model on its images."""
    pytest.importorskip("torch", reason="the train extra is not installed")
    from tests.evaluation.python_run import FAST, Means, data

    import ipmix

    return ipmix.evaluate(Means(), *data(), **FAST)
