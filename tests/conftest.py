"""Tests often share the machine: torch's threads then spend their time waiting for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
