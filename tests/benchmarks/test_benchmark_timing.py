import pytest
from benchmarks.timing import FULL, QUICK, Contestant, Effort, Timing, race, ratio


class Clock:
    """A clock that only moves when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def worker(name: str, clock: Clock, seconds: float, log: list[tuple[str, int]], images: int = 1) -> Contestant:
    def run(call: int) -> None:
        log.append((name, call))
        clock.now += seconds

    return Contestant(name, run, images)


def race_of(
    *speeds: tuple[str, float, int], rounds: int = 4, block: float = 1.0
) -> tuple[dict[str, Timing], list[tuple[str, int]]]:
    clock = Clock()
    log: list[tuple[str, int]] = []
    contestants = [worker(name, clock, seconds, log, images) for name, seconds, images in speeds]
    return race(contestants, Effort(rounds, block), clock=clock, processor=clock), log


def test_rates_count_images_not_calls() -> None:
    timings, _ = race_of(("fast", 0.5, 10), ("slow", 2.0, 4))
    assert list(timings) == ["fast", "slow"]
    assert timings["fast"].rate == pytest.approx(20)
    assert timings["slow"].rate == pytest.approx(2)
    assert timings["fast"].busy == pytest.approx(1)
    assert ratio(timings["fast"], timings["slow"]) == pytest.approx(10)
    assert ratio(timings["slow"], timings["fast"]) == pytest.approx(0.1)


def test_each_round_turns_the_order_round() -> None:
    _, log = race_of(("a", 1.0, 1), ("b", 1.0, 1), ("c", 1.0, 1))
    rounds = "".join(name for name, _ in log)[6:]  # after a warm-up and a trial call for each
    assert rounds == "abc" + "cba" + "abc" + "cba"


def test_short_calls_are_repeated_to_fill_the_block() -> None:
    _, log = race_of(("short", 0.1, 1), ("long", 3.0, 1), rounds=2)
    names = [name for name, _ in log]
    assert names.count("short") == 2 + 2 * 10
    assert names.count("long") == 2 + 2 * 1


def test_no_two_calls_of_a_contestant_have_the_same_number() -> None:
    _, log = race_of(("a", 0.1, 1), ("b", 0.3, 1))
    assert len(set(log)) == len(log)


def test_median_and_spread_are_those_of_the_rounds() -> None:
    timing = Timing("x", (0.5, 0.1, 0.2))
    assert (timing.rate, timing.slowest, timing.fastest) == pytest.approx((5, 2, 10))


def test_ratio_pairs_the_rounds() -> None:
    """A disturbance that hits both in the same round leaves the ratio alone, whatever the medians say."""
    calm, disturbed = Timing("x", (1.0, 1.0, 9.0, 9.0, 1.0)), Timing("y", (2.0, 2.0, 18.0, 18.0, 2.0))
    assert ratio(calm, disturbed) == 2
    with pytest.raises(ValueError, match="different races"):
        ratio(calm, Timing("z", (1.0,)))


def test_contestants_need_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="different names"):
        race_of(("a", 1.0, 1), ("a", 1.0, 1))


def test_waiting_shows_in_busy() -> None:
    clock = Clock()
    (timing,) = race(
        [worker("a", clock, 1.0, [])], Effort(3, 1.0), clock=clock, processor=lambda: clock.now / 4
    ).values()
    assert timing.busy == pytest.approx(0.25)


def test_effort_counts() -> None:
    assert FULL.count(500) == 500
    assert 2 <= QUICK.count(500) < 500
    assert QUICK.count(10, least=8) == 8
