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


def test_the_snippets_of_the_documentation_run() -> None:
    text = (ROOT / "docs" / "transforms.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(snippets) == 5
    done = subprocess.run([sys.executable, "-c", "\n".join(snippets)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    broken = "\n".join(snippets).replace("splits=3", "splits=2")
    assert subprocess.run([sys.executable, "-c", broken], capture_output=True).returncode != 0
