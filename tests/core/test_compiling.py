"""What compiling says: one line for each package, and none where everything lies on disk."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ipmix.core import compiling

PROGRAM = """
import ipmix
ipmix.draw(ipmix.Vanilla(), (1, 8, 8, 3), seed=0)
ipmix.draw(ipmix.CutOut(), (1, 8, 8, 3), seed=0)
ipmix.draw(ipmix.MixUp(), (2, 8, 8, 3), seed=0)
"""


def said(cache: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == ""
    return done.stderr


def test_the_first_use_says_what_is_compiled_and_the_second_nothing(tmp_path: Path) -> None:
    assert said(tmp_path) == "ipmix: compiling what draws the recipes for this processor (once; kept on disk)\n"
    assert said(tmp_path) == ""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_what_is_not_kept_is_not_said_to_be(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    told = said(tmp_path)
    assert "compiled kernels are not kept: others may write to" in told
    assert "compiling what draws the recipes for this processor (not kept: by every process anew)\n" in told
    assert "kept on disk" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "meanwhile"), [(compiling.ASIDE, True), ("a user's", False)])
def test_only_what_is_not_waited_for_is_said_not_to_be(
    name: str, meanwhile: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Corruptions, say, are compiled in whatever thread needs them first."""
    from types import SimpleNamespace

    function = SimpleNamespace(__module__="ipmix.corruptions.blurs")
    event = SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=function)})
    thread = threading.Thread(target=compiling._Announcer().on_start, args=(event,), name=name)
    thread.start()
    thread.join()
    said = capsys.readouterr().err
    assert said.startswith("ipmix: compiling the corruptions for this processor (")
    assert ("the first images don't wait" in said) == meanwhile


FORKING = """
import os, threading
from numba.core.compiler_lock import global_compiler_lock
import ipmix.core.compiling

held, let_go = threading.Event(), threading.Event()

def compiles():
    with global_compiler_lock:
        held.set()
        let_go.wait(1)

thread = threading.Thread(target=compiles)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    taken = global_compiler_lock._lock.acquire(timeout=10)
    os._exit(0 if taken else 1)
let_go.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), global_compiler_lock._lock.acquire(timeout=10))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_process_forked_while_another_thread_compiles_can_compile() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "0 True\n"
