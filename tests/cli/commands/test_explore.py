import subprocess
import sys

import pytest

import ipmix.explore
from ipmix.cli.main import main


def test_help_loads_neither_the_server_nor_the_package_s_page():
    program = (
        "import sys\nfrom ipmix.cli.main import main\nmain(['explore', '--help'])\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--scorecard" in done.stdout
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"ipmix", "tyro"} <= loaded
    assert not loaded & {"streamlit", "starlette", "uvicorn", "numba", "torch"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "explore listens on 127.0.0.1 only"),
        (["--port", "70000"], "--port"),
        (["nowhere.png"], "nowhere.png does not exist"),
        (["--scorecard", "nowhere"], "nowhere holds no results"),
    ],
)
def test_what_can_t_be_shown_is_refused_before_anything_is_served(words, message, capsys):
    pytest.importorskip("streamlit", reason="not installed")
    assert main(["explore", *words]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("ipmix: ")
    assert message in told


def test_without_its_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "ipmix.explore.serving", raising=False)
    monkeypatch.delattr(ipmix.explore, "serving", raising=False)
    monkeypatch.setitem(sys.modules, "streamlit", None)
    assert main(["explore"]) == 2
    assert 'pip install "ipmix[explore]"' in " ".join(capsys.readouterr().err.split())
