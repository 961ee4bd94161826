"""The examples run as they are, against the real libraries, and are short enough to be read."""

import re
import subprocess
import sys
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
