"""Windows' module of file locks, for tests of what runs where there is no fcntl."""

import errno
import os
from types import ModuleType


class Msvcrt(ModuleType):
    """Windows' locks, as far as they are used: one byte, of one holder at a time."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: dict[tuple[int, int], int] = {}
        self.error = errno.EACCES

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0, "everybody locks the same byte"
        status = os.fstat(descriptor)
        holder = self.held.get((status.st_dev, status.st_ino))
        if (
            holder is not None and holder != descriptor and _refers_to(holder, status)
        ):  # else the holder has closed its file
            raise OSError(self.error, "locked")
        self.held[status.st_dev, status.st_ino] = descriptor


def _refers_to(descriptor: int, status: os.stat_result) -> bool:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)
