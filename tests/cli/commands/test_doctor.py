import pytest

from ipmix.cli.commands import doctor
from ipmix.cli.main import main


def test_a_sound_installation(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for part in ("python", "numba", "processors", "cache", "both engines agree"):
        assert part in text
    assert "WRONG" not in text


@pytest.mark.parametrize("problem", ["they differ by 7 levels", ValueError("broken")])
def test_what_is_wrong_is_said_and_the_code_is_1(monkeypatch, capsys, problem):
    def check():
        if isinstance(problem, Exception):
            raise problem
        return problem

    monkeypatch.setattr(doctor, "_engines_agree", check)
    monkeypatch.setattr(doctor, "_corruptions_run", lambda: "")
    assert main(["doctor"]) == 1
    assert "WRONG" in capsys.readouterr().out
