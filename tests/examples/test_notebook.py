"""The notebook, its code cells run one after the other: what they print says that IPMix helps under corruption."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "robust-in-five-minutes.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_it_says() -> None:
    for library in ("torch", "torchvision", "sklearn"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 4
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code"), "kept without outputs"
    done = subprocess.run([sys.executable, "-c", "\n\n".join(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "32x32 image, mixing image" in done.stdout
    table = [line.split() for line in done.stdout.splitlines() if line.endswith("%")]
    assert [row[0] for row in table][:2] == ["clean", "gaussian_noise"]
    plain, ours = ([float(row[column].rstrip("%")) for row in table[1:]] for column in (1, 2))
    assert sum(ours) < sum(plain), "corrupted digits"
