"""The examples run as they are, against the real libraries, and are short enough to be read."""

import math
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = ("torchvision_v2.py", "jsd.py")


@pytest.mark.parametrize("name", HERE)
def test_an_example_runs(name: str) -> None:
    path = ROOT / "examples" / name
    assert len(path.read_text().splitlines()) < 40
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"epoch 0: loss \d+\.\d{3}\nepoch 1: loss \d+\.\d{3}\n", done.stdout)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's own, where processes fork
@pytest.mark.parametrize(
    ("workers", "start", "persistent"),
    [(0, None, False), (1, "fork", False), (2, "fork", True), (1, "spawn", True), (2, "spawn", False)],
)
def test_torchvisions_with_workers(workers: int, start: str | None, persistent: bool) -> None:
    main = import_module("examples.torchvision_v2").main
    options = {"num_workers": workers, "multiprocessing_context": start, "persistent_workers": persistent}
    loss = main(**options)
    assert math.isfinite(loss)
    if start != "spawn":  # torch.manual_seed repeats the workers' draws
        assert main(**options) == pytest.approx(loss, rel=1e-5)
