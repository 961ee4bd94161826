"""Work shared by threads: every range once, in whatever order."""

import threading

import pytest

from ipmix.core.threads import default_threads, in_ranges


@pytest.mark.parametrize("count", [0, 1, 2, 5, 31, 100, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3, 40])
def test_every_number_is_worked_on_once(count: int, threads: int) -> None:
    done: list[int] = []
    lock = threading.Lock()

    def work(begin: int, end: int) -> None:
        with lock:
            done.extend(range(begin, end))

    in_ranges(work, count, threads)
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_every_thread_has_as_many_ranges(threads: int) -> None:
    for count, size in ((2, 1), (31, 2**20), (192, 224 * 224), (2000, 1024), (1500, 1024), (5000, 1024), (10**6, 1024)):
        sizes: list[int] = []
        in_ranges(lambda begin, end, sizes=sizes: sizes.append(end - begin), count, threads, size)  # type: ignore[misc]
        assert len(sizes) % min(threads, count) == 0, (count, size)
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_no_range_is_larger_than_allowed(count: int, threads: int) -> None:
    parts: list[tuple[int, int]] = []
    in_ranges(lambda begin, end: parts.append((begin, end)), count, threads, most=64)
    assert max(end - begin for begin, end in parts) <= 64
    assert sorted(number for begin, end in parts for number in range(begin, end)) == list(range(count))
    if count > threads:
        assert len(parts) % threads == 0, "as many for each thread"


def test_without_a_limit_one_thread_takes_all() -> None:
    parts: list[tuple[int, int]] = []
    in_ranges(lambda begin, end: parts.append((begin, end)), 1000, 1)
    assert parts == [(0, 1000)]


def test_default_threads_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert default_threads() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert default_threads() == 1


def test_several_threads_work() -> None:
    meeting = threading.Barrier(2, timeout=30)
    in_ranges(lambda begin, end: meeting.wait(), 2, 2)  # each range waits for the other


def test_an_error_in_one_range_is_raised() -> None:
    def work(begin: int, end: int) -> None:
        if begin:
            raise ValueError(f"range from {begin}")

    with pytest.raises(ValueError, match="range from"):
        in_ranges(work, 64, 2)


def test_the_calling_thread_takes_a_range_and_none_is_begun_after_an_error() -> None:
    workers: set[str] = set()
    begun: list[int] = []
    meeting = threading.Barrier(2, timeout=30)

    def work(begin: int, end: int) -> None:
        workers.add(threading.current_thread().name)
        begun.append(begin)
        meeting.wait()
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        in_ranges(work, 1024, 2, 2**20)
    assert threading.current_thread().name in workers
    assert len(workers) == 2
    assert len(begun) == 2  # of eight ranges


def test_a_busy_pool_keeps_nobody_waiting() -> None:
    """Two calls at once from threads of the user's own share one pool; each still does all of its work."""
    done: dict[int, list[int]] = {0: [], 1: []}

    def call(number: int) -> None:
        in_ranges(lambda begin, end: done[number].extend(range(begin, end)), 500, 2, 2**20)

    callers = [threading.Thread(target=call, args=(number,)) for number in done]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(done[0]) == sorted(done[1]) == list(range(500))
