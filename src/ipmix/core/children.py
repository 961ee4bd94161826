"""Python processes that commands start: no file of the folder one works in is a module there.

Python puts the current folder first on its path for ``-m``, ``-c`` and processes that :mod:`multiprocessing` spawns; a
file ``re.py`` or ``pickle.py`` in there would be run. Code of one's own (``module:Name``) is looked for there all the
same: :mod:`ipmix.core.extensions` adds the folder where a word asks for it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PYTHON = (sys.executable, "-P")
"""The beginning of a command that starts Python."""

VARIABLE = "PYTHONSAFEPATH"
"""What ``-P`` is in the environment."""


@contextmanager
def safe_path() -> Iterator[None]:
    """Processes that are spawned within have no current folder on their path."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
