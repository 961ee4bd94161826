"""Writing never costs data: whatever goes wrong, a reader finds the old file or the whole new one."""

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ipmix.core.errors import InputError
from ipmix.core.files import (
    FileLock,
    alone,
    leads_nowhere,
    make_within,
    real,
    refuse_existing,
    refuse_links,
    replacing,
    sweep,
    write_bytes,
    write_text,
)
from simulated_msvcrt import Msvcrt


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_new_and_replaced_files(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    write_bytes(file, b"first, which is longer")
    write_text(file, "zweite – später")
    assert file.read_bytes() == "zweite – später".encode()
    write_text(str(tmp_path / "other"), "")
    assert names(tmp_path) == ["figures.json", "other"]


def test_the_old_file_stays_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    write_text(file, "old")
    with replacing(file) as stream:
        stream.write(b"new")
        stream.flush()
        assert file.read_text() == "old"
        (temporary,) = set(tmp_path.iterdir()) - {file}
        assert temporary.name.startswith(".figures.json.")
    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "figures.json"
    write_text(file, "old")

    def interrupted() -> None:
        with replacing(file) as stream:
            stream.write(b"half of it")
            raise error

    with pytest.raises(error):
        interrupted()
    assert file.read_text() == "old"
    assert names(tmp_path) == ["figures.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    file = tmp_path / "figures.json"
    write_text(file, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_text(file, "new")
    assert file.read_text() == "old"
    assert names(tmp_path) == ["figures.json"]


def test_the_content_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda *a: (order.append("fsync"), fsync(*a)))
    monkeypatch.setattr(os, "replace", lambda *a: (order.append("replace"), replace(*a)))
    write_text(tmp_path / "figures.json", "new")
    assert order == ["fsync", "replace"]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    write_text(file, "old")
    program = (
        "import os, sys\nfrom ipmix.core.files import replacing\n"
        "with replacing(sys.argv[1]) as stream:\n    stream.write(b'half of it')\n    stream.flush()\n    os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert done.returncode == 9
    assert file.read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX systems")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, mask: int) -> None:
    previous = os.umask(mask)
    try:
        write_text(tmp_path / "figures.json", "")
        assert stat.S_IMODE((tmp_path / "figures.json").stat().st_mode) == 0o666 & ~mask
        assert os.umask(mask) == mask, "reading the mask has not changed it"
    finally:
        os.umask(previous)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't write .*figures.json: the folder .*nowhere does not exist"):
        write_text(tmp_path / "nowhere" / "figures.json", "")
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "")
    with pytest.raises(InputError, match="does not exist"):
        write_text(tmp_path / "file" / "figures.json", "")


def test_existing_files_need_force(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    refuse_existing(file, force=False)
    write_text(file, "old")
    with pytest.raises(InputError, match=r"figures.json exists already; .* --force"):
        refuse_existing(file, force=False)
    refuse_existing(file, force=True)
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="link exists already"):
        refuse_existing(str(dangling), force=False)


def test_links_pipes_and_devices_are_not_replaced_even_by_force(tmp_path: Path) -> None:
    """What would be lost is the link, or the pipe, not what somebody meant by replacing a file."""
    write_text(tmp_path / "target", "old")
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(tmp_path / "target")
    with pytest.raises(InputError, match=r"link is a link to .*target; name that file"):
        refuse_existing(link, force=True)
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        with pytest.raises(InputError, match="pipe is a pipe or a device"):
            refuse_existing(pipe, force=True)
    if os.path.exists("/dev/null"):
        with pytest.raises(InputError, match="/dev/null is a pipe or a device"):
            refuse_existing("/dev/null", force=True)


def test_a_name_that_is_not_utf8_is_written_as_an_escape(tmp_path: Path) -> None:
    write_text(tmp_path / "page.html", "café caf\udce9")
    assert (tmp_path / "page.html").read_bytes() == "café caf\\udce9".encode()


def hold(path: Path, program: str = "") -> "subprocess.Popen[str]":
    """A process that holds the lock until its input ends."""
    code = f"import sys\n{program}\nfrom ipmix.core.files import FileLock\n"
    code += "lock = FileLock(sys.argv[1])\nprint('held', flush=True)\nsys.stdin.read()\n"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def let_go(child: "subprocess.Popen[str]") -> None:
    child.communicate(timeout=60)
    assert child.returncode == 0


def test_one_process_holds_a_lock(tmp_path: Path) -> None:
    child = hold(tmp_path / ".lock")
    try:
        with pytest.raises(BlockingIOError, match="another process holds"):
            FileLock(tmp_path / ".lock", wait=False)
    finally:
        let_go(child)
    lock = FileLock(tmp_path / ".lock", wait=False)
    lock.release()
    lock.release()
    with FileLock(tmp_path / ".lock"):
        pass


def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    child = hold(tmp_path / ".lock")
    child.kill()
    child.communicate(timeout=60)
    FileLock(tmp_path / ".lock", wait=False).release()


def test_waiting_for_a_lock(tmp_path: Path) -> None:
    first = FileLock(tmp_path / ".lock")
    passed = threading.Event()

    def second() -> None:
        with FileLock(tmp_path / ".lock"):
            passed.set()

    waiting = threading.Thread(target=second)
    waiting.start()
    assert not passed.wait(0.2)
    first.release()
    assert passed.wait(60)
    waiting.join()


def test_locks_where_there_is_no_fcntl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Msvcrt()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    file = tmp_path / ".lock"
    file.write_text("written by something else")
    first = FileLock(file, wait=False)
    assert len(windows.held) == 1
    with pytest.raises(BlockingIOError):
        FileLock(file, wait=False)
    threading.Timer(0.2, first.release).start()
    FileLock(file).release()  # waits
    with FileLock(file):
        windows.error = errno.EIO
        with pytest.raises(OSError, match="locked") as other:
            FileLock(file)
    assert not isinstance(other.value, BlockingIOError)


def writer(file: Path) -> "subprocess.Popen[str]":
    """A process that is in the middle of replacing a file until its input ends."""
    code = (
        "import sys\nfrom ipmix.core.files import replacing\nwith replacing(sys.argv[1]) as file:\n"
        "    file.write(b'new')\n    file.flush()\n    print('writing', flush=True)\n    sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    return child


def test_only_dead_writers_files_are_swept(tmp_path: Path) -> None:
    living, dead = writer(tmp_path / "living"), writer(tmp_path / "dead")
    assert len(names(tmp_path)) == 2
    dead.kill()
    dead.communicate(timeout=60)
    sweep(tmp_path)
    (left,) = names(tmp_path)
    assert left.startswith(".living.")
    let_go(living)
    assert names(tmp_path) == ["living"]
    assert (tmp_path / "living").read_bytes() == b"new"
    (tmp_path / "mine.part").touch()
    (tmp_path / ".hidden").touch()
    sweep(tmp_path)
    assert names(tmp_path) == [".hidden", "living", "mine.part"]


def test_permissions_hold_while_threads_write(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: write_text(tmp_path / str(i), ""), range(400)))
    finally:
        os.umask(previous)
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    def full() -> None:
        with replacing(tmp_path / "figures.json"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*figures.json'"):
        full()
    assert names(tmp_path) == []


def test_a_name_that_is_too_long_is_told_as_it_was_given(tmp_path: Path) -> None:
    name = "a" * 250  # a name that can be, but with what a temporary file's adds to it
    with pytest.raises(OSError, match="too long") as refused, replacing(tmp_path / name):
        pass
    assert refused.value.filename == str(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_one_process_works_in_a_folder(tmp_path: Path) -> None:
    place = tmp_path / "new" / "results"
    with alone(place):
        assert names(place) == [".lock"]
        with pytest.raises(InputError, match=r"another process is writing to .*results"), alone(place):
            pass
        assert names(place) == [".lock"], "who is refused takes nothing away"
        (place / ".left.01234567.part").touch()
        (place / "figures").touch()
    assert names(place) == [".left.01234567.part", "figures"]
    with alone(place):
        assert names(place) == [".lock", "figures"]
    (place / "figures").unlink()
    place.rmdir()
    place.parent.rmdir()
    with pytest.raises(KeyError), alone(place):
        raise KeyError
    assert names(tmp_path) == [], "nothing came of it"
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="there is a file"), alone(tmp_path / "file"):
        pass
    with pytest.raises(InputError, match="there is a file"), alone(tmp_path / "file" / "below"):
        pass


def test_folders_are_made_within_one_that_is_there(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for make in (lambda: make_within(root, root / "a" / "b"), lambda: make_within(root, root / "a")):
        with pytest.raises(FileNotFoundError) as caught:
            make()
        assert caught.value.filename == str(root)
    with pytest.raises(InputError, match="can't write to the folder"), alone(root / "work", within=root):
        pass
    assert not root.exists()
    root.mkdir()
    for _ in range(2):
        make_within(root, root / "a" / "b" / "c")
    assert (root / "a" / "b" / "c").is_dir()
    with alone(root / "work", within=root):
        assert (root / "work").is_dir()
    assert names(root) == ["a"]


def test_a_removed_lock_is_not_taken_for_held(tmp_path: Path) -> None:
    """Who waited for the file that its holder removed must lock the new one."""
    first, order = FileLock(tmp_path / ".lock"), []

    def second() -> None:
        with FileLock(tmp_path / ".lock"):
            order.append((tmp_path / ".lock").exists())

    waiting = threading.Thread(target=second)
    waiting.start()
    time.sleep(0.2)
    first.release(remove=True)
    waiting.join(60)
    assert order == [True]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_in_an_output_folder_is_refused(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "fog" / "1").mkdir(parents=True)
    elsewhere.mkdir()
    refuse_links(out, ("fog", "snow"))
    (tmp_path / "named").symlink_to(out)  # the folder itself may be one: its owner named it
    refuse_links(tmp_path / "named", ("fog",))
    (out / "fog" / "1" / "dog").symlink_to(elsewhere)
    with pytest.raises(InputError, match="dog is a link, and what is written there would go elsewhere"):
        refuse_links(out, ("fog",))
    (out / "snow").symlink_to(elsewhere)
    with pytest.raises(InputError, match="snow is a link"):
        refuse_links(out, ("snow",))
    (out / "frost").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="frost is a link"):
        refuse_links(out, ("frost",))


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_lock_is_no_link(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="lock is a link; it should be a file of its own"):
        FileLock(tmp_path / ".lock")
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_killed_writer_left_of_a_file_goes_when_it_is_written_next(tmp_path: Path) -> None:
    dead, other = writer(tmp_path / "a[1].png"), writer(tmp_path / "b.png")
    dead.kill()
    dead.communicate(timeout=60)
    (tmp_path / "a[1].png").touch()
    with pytest.raises(InputError, match="exists already"):
        refuse_existing(tmp_path / "a[1].png", force=False)
    assert len(names(tmp_path)) == 3
    refuse_existing(tmp_path / "a[1].png", force=True)
    left, kept = names(tmp_path)
    assert (left.split(".")[1], kept) == ("b", "a[1].png"), "another file's is left alone"
    let_go(other)


def test_links_that_lead_nowhere_are_told_as_such(tmp_path: Path) -> None:
    """The system says of them that a file exists, or that there are too many levels."""
    loop, dangling = tmp_path / "loop", tmp_path / "dangling"
    loop.symlink_to("loop")
    dangling.symlink_to("nothing")
    (tmp_path / "fine").symlink_to(tmp_path)
    for link, where in ((loop, "to itself"), (dangling, "nowhere")):
        told = f"{link} is a link that leads {where}"
        for path in (link, link / "below", str(link)):
            assert leads_nowhere(path) == told
            assert real(path).is_absolute()
            with pytest.raises(InputError, match=told), alone(path):
                pass
    assert names(tmp_path) == ["dangling", "fine", "loop"]
    assert leads_nowhere(tmp_path / "fine" / "x") == leads_nowhere("x") == ""
    assert real(tmp_path / "fine" / "x") == real(tmp_path) / "x"


def test_a_zero_byte_is_in_no_name(tmp_path: Path) -> None:
    name = str(tmp_path / "a\0b")
    for call in (lambda: write_text(name, ""), lambda: alone(name).__enter__(), lambda: real(name)):
        with pytest.raises(InputError, match="holds a zero byte"):
            call()
    assert names(tmp_path) == []
