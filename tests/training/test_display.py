from typing import Any

import pytest

from ipmix.training import display as display_module
from ipmix.training.config import TrainingConfig
from ipmix.training.display import TrainingDisplay


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(display_module, "time", made)
    return made


def batches(clock: Clock, count: int, seconds: float) -> Any:
    for number in range(count):
        clock.now += seconds
        yield number


def run_epoch(display: TrainingDisplay, clock: Clock, epoch: int = 0, waiting: float = 1.0, steps: int = 4) -> None:
    display.begin_epoch(epoch, 0)
    for _ in display.waiting(batches(clock, steps, waiting)):
        clock.now += 3.0
        display.step(2.0, 50.0, 30)


def test_speed_and_the_share_of_waiting(clock: Clock) -> None:
    display = TrainingDisplay(TrainingConfig(epochs=2), 4, quiet=True)
    run_epoch(display, clock)
    assert display.speed() == {"seconds": 16.0, "images_per_second": 7.5, "waiting_share": 0.25}
    run_epoch(display, clock, 1, waiting=0.0)
    assert display.speed()["waiting_share"] == 0.0


def test_plain_lines_come_every_half_minute_and_after_each_epoch(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    display = TrainingDisplay(TrainingConfig(epochs=2), 16)
    with display:
        run_epoch(display, clock, steps=16)
        display.end_epoch({"epoch": 1, "loss": 2.0, "train_error": 50.0, "test_error": 40.0})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2  loss 2.000  error 50.0%  8 images/s  waiting 25%  1 min 36 s left",
        "epoch 1/2  loss 2.000  error 50.0%  8 images/s  waiting 25%  1 min 04 s left",
        "epoch 1/2  loss 2.000  train error 50.00%  test error 40.00%  1 min 04 s  8 images/s  waiting 25%",
    ]


def test_nothing_is_shown_when_quiet(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    display = TrainingDisplay(TrainingConfig(epochs=1), 40, quiet=True)
    with display:
        run_epoch(display, clock, steps=40)
        display.end_epoch({"epoch": 1, "loss": 2.0, "train_error": 50.0})
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(display_module.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with TrainingDisplay(TrainingConfig(epochs=1), 4) as display:
        run_epoch(display, clock)
        display.end_epoch({"epoch": 1, "loss": 2.0, "train_error": 50.0})
    assert "epoch 1/1  loss 2.000  train error 50.00%" in capsys.readouterr().err
