"""The same images from code compiled for another processor."""

import json
import os
import subprocess
import sys

import pytest

from ipmix.fractals.kinds import KINDS, paint
from ipmix.mixing_set.image_files import digest

SCRIPT = """
import json
from ipmix.mixing_set.image_files import digest
from ipmix.fractals.kinds import KINDS, paint
print(json.dumps({kind: [digest(paint(kind, 0, i, 48).pixels) for i in range(6)] for kind in KINDS}))
"""


@pytest.mark.slow
def test_a_plain_processor_paints_the_same(tmp_path):
    # No AVX, no fused multiply-add: other vector widths and instructions, the same roundings.
    plain = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=plain, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    assert theirs == {kind: [digest(paint(kind, 0, i, 48).pixels) for i in range(6)] for kind in KINDS}
