import sys
import types

import pytest

from ipmix.core import progress
from ipmix.core.progress import counting, duration, tracked


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_short_work_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked([1, 2, 3], "counting")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")


def test_long_work_prints_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with counting("reading", 4) as advance:
        for _ in range(4):
            advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["reading: 2 of 4, 12 s left", "reading: 4 of 4, 0 s left"]


def test_the_first_percent_promises_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((0.0, 60.0, 61.0, 75.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with counting("reading", 1000) as advance:
        advance()
        advance(8)
        advance(91)
    assert capsys.readouterr().err.splitlines() == ["reading: 1 of 1000", "reading: 100 of 1000, 11 min 15 s left"]


def test_quiet_work_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    list(tracked([1, 2], "counting", quiet=True))
    assert capsys.readouterr().err == ""
    list(tracked([1, 2], "counting"))
    assert capsys.readouterr().err != ""


def test_a_notebook_without_widgets_has_one_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in for IPython's display: one output that is replaced, and empty in the end; no lines on stderr."""
    states: list[str] = []

    class Handle:
        def update(self, value: str) -> None:
            states.append(value)

    class ZMQInteractiveShell:
        pass

    shell = types.ModuleType("IPython")
    shell.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    shown = types.ModuleType("IPython.display")
    shown.HTML = str  # type: ignore[attr-defined]
    shown.display = lambda value, display_id: Handle()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setattr(progress, "NOTEBOOK_SECONDS", 0.0)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    assert progress.in_notebook()
    with progress.counting("<images>", 4) as advance:
        advance(3)
    assert 'value="3"' in states[0]
    assert "&lt;images&gt;" in states[0]
    assert states[-1] == ""
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    assert not progress.in_notebook()
