"""Which process this is, where torchrun (or whatever speaks its language) started several. Loads no torch."""

import os

from ipmix.core.errors import InputError, plain

MEETING = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets besides the number of processes: who this one is, and where they meet."""


def process_count() -> int:
    """How many processes work together; 1 where nothing says so.

    Raises:
        InputError: WORLD_SIZE is no number of processes.
    """
    return _count_of("WORLD_SIZE")


def process_count_here() -> int:
    """How many of them are on this machine; errors as :func:`process_count`, of LOCAL_WORLD_SIZE."""
    return _count_of("LOCAL_WORLD_SIZE")


def _count_of(variable: str) -> int:
    text = os.environ.get(variable, "").strip()
    if text and not (text.isdecimal() and int(text) > 0):
        raise InputError(
            f"the environment's {variable} is {plain(repr(text), most=40)}; expected a number of processes, as "
            "torchrun sets it: unset it"
        )
    return int(text or 1)


def is_first() -> bool:
    """Whether this process writes and shows: the first of several, or the only one, whatever RANK was left over."""
    return process_count() == 1 or os.environ.get("RANK", "0") == "0"


def check_meeting() -> None:
    """Refuse to wait for processes that nothing says where to find.

    Raises:
        InputError: WORLD_SIZE is above 1, and what torchrun sets besides it is not there.
    """
    missing = [name for name in MEETING if not os.environ.get(name)]
    if process_count() > 1 and missing:
        raise InputError(
            f"the environment's WORLD_SIZE is {process_count()}, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set: start the processes by torchrun, which sets them, or "
            "unset WORLD_SIZE"
        )
