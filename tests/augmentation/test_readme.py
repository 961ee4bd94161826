"""README's data set, word for word: three epochs with persistent workers are three different epochs."""

import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipmix

README = Path(__file__).parents[2] / "README.md"

BEFORE = """
import hashlib, multiprocessing, sys
import numpy as np
import ipmix
multiprocessing.set_start_method("fork")  # the others need a script's classes in a module of their own
draws = np.random.default_rng(0)
images = draws.integers(0, 256, (300, 12, 10, 3), dtype=np.uint8)
labels = np.arange(300)
mixing = draws.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
seen = {}
def train_step(batch, targets):
    for image, target in zip(batch, targets.tolist()):
        assert target not in seen.setdefault(epoch, {})
        seen[epoch][target] = image.permute(1, 2, 0).numpy().copy()
"""
AFTER = """
for epoch in range(3):
    expected = ipmix.augment(images, ipmix.IPMix(), mixing, seed=0, epoch=epoch)
    assert all(np.array_equal(seen[epoch][i], expected[i]) for i in range(300)), epoch
print(len({np.stack([by[i] for i in range(300)]).tobytes() for by in seen.values()}))
"""


def run(snippet: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEFORE + snippet + AFTER], capture_output=True, text=True, env=dict(os.environ)
    )


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
def test_the_data_set_of_the_readme_has_a_new_epoch_each_time() -> None:
    readme = README.read_text(encoding="utf-8")
    (snippet,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "persistent_workers" in block]
    result = run(snippet)
    assert (result.returncode, result.stdout) == (0, "3\n"), result.stderr
    frozen = snippet.replace(', device="cpu").share_memory_()', ")")
    assert frozen != snippet
    assert run(frozen).returncode != 0, "an epoch that the workers can't see must show here"


def test_the_recipe_that_readme_shows_is_the_one_that_is_drawn() -> None:
    recipe = ipmix.draw(ipmix.IPMix(), (4, 32, 32, 3), len(ipmix.MixingSet.sample()), seed=0, epoch=3)[0]
    text = README.read_text(encoding="utf-8")
    assert f"```\n{recipe}\n```" in text
    assert f"```\n{ipmix.draw(ipmix.IPMix(), (4, 32, 32, 3), 480, seed=0, epoch=2)[0]}\n```" not in text


def test_the_block_on_arrays_prints_what_readme_shows() -> None:
    readme = README.read_text(encoding="utf-8")
    found = re.search(r"On arrays:\n\n(?:<!-- .*? -->\n)?```python\n(.*?)```\n\nprints.*?```\n(.*?)```", readme, re.S)
    assert found is not None
    code, shown = found[1], found[2]
    assert "images = ...  #" in code
    given = "images = __import__('numpy').zeros((4, 32, 32, 3), 'uint8')  #"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("images = ...  #", given)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, shown), done.stderr
    other = code.replace("images = ...  #", given).replace("seed=0", "seed=1")
    assert subprocess.run([sys.executable, "-c", other], capture_output=True, text=True).stdout != shown
