"""The benchmarks are run from the repository, not installed: their folder is put where Python finds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
