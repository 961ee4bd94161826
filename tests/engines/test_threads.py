"""Work shared by threads: every part once, in whatever order."""

import threading

import pytest

from ipmix.engines.threads import in_parts


@pytest.mark.parametrize("count", [0, 1, 2, 5, 31, 100, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3, 40])
def test_every_number_is_worked_on_once(count: int, threads: int) -> None:
    done: list[int] = []
    lock = threading.Lock()

    def work(begin: int, end: int) -> None:
        with lock:
            done.extend(range(begin, end))

    in_parts(work, count, threads)
    assert sorted(done) == list(range(count))


def test_several_threads_work() -> None:
    meeting = threading.Barrier(2, timeout=30)
    in_parts(lambda begin, end: meeting.wait(), 2, 2)  # each part waits for the other


def test_an_error_in_one_part_is_raised() -> None:
    def work(begin: int, end: int) -> None:
        if begin:
            raise ValueError(f"part from {begin}")

    with pytest.raises(ValueError, match="part from"):
        in_parts(work, 64, 2)
