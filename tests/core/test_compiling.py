"""What compiling says: one line for each package, and none where everything lies on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ipmix
ipmix.draw(ipmix.Vanilla(), (1, 8, 8, 3), seed=0)
ipmix.draw(ipmix.CutOut(), (1, 8, 8, 3), seed=0)
ipmix.draw(ipmix.MixUp(), (2, 8, 8, 3), seed=0)
"""


def said(cache: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == ""
    return done.stderr


def test_the_first_use_says_what_is_compiled_and_the_second_nothing(tmp_path: Path) -> None:
    assert said(tmp_path) == "ipmix: compiling what draws the recipes for this processor (once; kept on disk)\n"
    assert said(tmp_path) == ""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_what_is_not_kept_is_not_said_to_be(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    told = said(tmp_path)
    assert "compiled kernels are not kept: others may write to" in told
    assert "compiling what draws the recipes for this processor (not kept: by every process anew)\n" in told
    assert "kept on disk" not in told
    assert list(tmp_path.iterdir()) == []
