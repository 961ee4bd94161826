"""Image files that were passed over because they can't be decoded: named in a file, counted on the terminal."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ipmix.core.files import write_bytes
from ipmix.core.terminal import tell

LIST = "broken.txt"
"""In the folder of the results: a broken file's path a line."""


def list_broken(paths: Sequence[Path], folder: Path) -> None:
    """Name the files in ``folder``'s :data:`LIST` and say on standard error how many there are.

    Where none is broken, a list of before is removed and nothing is said.
    """
    if not paths:
        with suppress(FileNotFoundError):
            (folder / LIST).unlink()
        return
    write_bytes(folder / LIST, b"".join(_line(path) for path in paths))
    tell_broken(len(paths), str(folder / LIST))


def tell_broken(count: int, where: str) -> None:
    """Say on standard error how many images were passed over, and where they are named."""
    tell(f"passed over {count:,} broken image{'s' * (count != 1)}; {where} names them\n")


def _line(path: Path) -> bytes:
    """The path as it is on the disk; what would end the line is escaped."""
    return os.fsencode(path).replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r") + b"\n"
