"""Which process this is, by what torchrun leaves in the environment."""

import pytest

from ipmix.core.errors import InputError
from ipmix.core.torchrun import MEETING, check_meeting, is_first, process_count, process_count_here


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", *MEETING):
        monkeypatch.delenv(name, raising=False)


def test_without_torchrun_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (process_count(), is_first()) == (1, True)
    monkeypatch.setenv("RANK", "1")  # left over: the only process writes all the same
    assert is_first()
    monkeypatch.setenv("WORLD_SIZE", " ")
    assert process_count() == 1
    check_meeting()


def test_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match="WORLD_SIZE is 3, and RANK, MASTER_ADDR, MASTER_PORT are not set: start"):
        check_meeting()
    for name, value in zip(MEETING, ("2", "localhost", "29500"), strict=True):
        monkeypatch.setenv(name, value)
    check_meeting()
    assert (process_count(), is_first()) == (3, False)
    monkeypatch.setenv("RANK", "0")
    assert is_first()


@pytest.mark.parametrize("text", ["abc", "0", "-1", "1.5"])
def test_no_number_of_processes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", text)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", text)
    for variable, ask in (("WORLD_SIZE", process_count), ("LOCAL_WORLD_SIZE", process_count_here)):
        with pytest.raises(InputError, match=f"environment's {variable} is '{text}'; expected a number.*unset it"):
            ask()
