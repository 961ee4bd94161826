"""The product on a system without Linux's own calls, as Windows is: simulated by taking their names away.

``python tests/test_portable.py FOLDER JOB`` does one job in a process where the names don't exist.
"""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MISSING = {
    os: (
        "preadv", "pread", "pwrite", "pwritev", "fork", "forkpty", "register_at_fork", "sched_getaffinity",
        "sched_setaffinity", "posix_fallocate", "posix_fadvise", "sysconf", "getuid", "geteuid", "getgid", "mkfifo",
        "fchmod", "fchown", "chown", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "killpg", "setsid", "nice",
        "getloadavg", "wait4", "sendfile", "openpty",
    ),
    signal: ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGPIPE", "SIGALRM", "alarm", "setitimer"),
}  # fmt: skip
MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog")


def take_away() -> None:
    """Delete the names and block the modules, for the rest of this process's life.

    Other people's packages are loaded before: theirs were built for this system and may use what it has.
    """
    for name in ("numba", "sklearn.datasets", "scipy.ndimage", "torch", "torch._dynamo", "torchvision", "accelerate",
                 "accelerate.tracking", "platformdirs.unix", "matplotlib", "rich.progress"):  # fmt: skip
        with suppress(ImportError):
            importlib.import_module(name)
    from simulated_msvcrt import Msvcrt

    sys.modules.setdefault("msvcrt", Msvcrt())
    for module in MODULES:
        sys.modules[module] = None  # type: ignore[assignment]  # importing it raises ImportError
    for holder, names in MISSING.items():
        for name in names:
            if hasattr(holder, name):
                delattr(holder, name)


def first_lines(folder: Path) -> None:
    """README's first lines of Python."""
    import ipmix

    mixing = ipmix.MixingSet.generate(count=12, size=36, seed=0, cache=folder / "cache")
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    augmented = ipmix.augment(images, ipmix.IPMix(), mixing, seed=0, epoch=3, threads=2)
    assert str(ipmix.draw(ipmix.IPMix(), images.shape, len(mixing), seed=0, epoch=3)[0]).startswith("32x32 image")
    augmenter = ipmix.Augmenter(ipmix.IPMix(), mixing, shape=(32, 32, 3), seed=0)
    assert (augmenter(images[2], index=2, epoch=3) == augmented[2]).all()


def command(*words: str) -> None:
    from ipmix.cli.main import main

    code = main(list(words))
    assert code == 0, f"ipmix {' '.join(words)} ended with {code}"


def make_sets(folder: Path) -> None:
    """A mixing set in each layout, read back: row by row, mapped, and through its planes."""
    from ipmix import MixingSet

    for files in ("png", "jpeg", "webp", "shard"):
        made = folder / files
        command("mixing-set", "make", str(made), "--count", "5", "--size", "40", "--files", files, "--threads", "2")
        command("mixing-set", "verify", str(made))
        mixing = MixingSet.open(made)
        rows = mixing.gather(np.array([3, 0]), 32, 32)
        assert (rows == mixing.planes(32, 32)[[3, 0]]).all()
        assert mixing[4].shape == (40, 40, 3)


def write_photos(folder: Path) -> Path:
    """Two classes of three images, for training and for testing."""
    for split in ("train", "test"):
        for label in ("a", "b"):
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for number in range(3):
                pixels = np.random.default_rng(number).integers(0, 256, (40, 48, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / label / f"{number}.png")
    return folder


def augment(folder: Path) -> None:
    photos = write_photos(folder / "photos")
    command("augment", str(photos / "train" / "a"), "--out", str(folder / "sheet.png"), "--mixing-count", "4")
    command("augment", str(photos / "train" / "a"), "--out", str(folder / "sheet.png"), "--explain", "--force",
            "--mixing-count", "4")  # fmt: skip


def corrupt(folder: Path) -> None:
    """Both layouts, and each once more: what is there is kept."""
    test = str(write_photos(folder / "photos") / "test")
    for layout in ("arrays", "folders"):
        for kind in ("c", "p"):
            names = "fog,jpeg_compression" if kind == "c" else "tilt"
            for _ in range(2):
                command("corrupt", test, str(folder / layout / kind), "--set", kind, "--names", names, "--layout",
                        layout, "--size", "32")  # fmt: skip
    fog = np.load(folder / "arrays" / "c" / "fog.npy")
    assert fog.shape == (30, 32, 32, 3)
    assert fog.std(axis=(1, 2, 3)).min() > 0
    assert not list(folder.rglob("*.part"))


def train_and_evaluate(folder: Path) -> None:
    """Digits for a tiny epoch, gone on with for one more; then the scorecard, twice."""
    run, card = str(folder / "run"), str(folder / "card")
    words = ["train", "digits", "--out", run, "--model", "wrn-10-1", "--batch-size", "256", "--method", "ipmix",
             "--mixing-count", "4", "--device", "cpu", "--quiet", "--epochs", "1"]  # fmt: skip
    command(*words)
    command(*words, "--resume")
    for _ in range(2):
        command("evaluate", run, "digits", "--out", card, "--limit", "20", "--corruptions", "fog", "--severities", "1",
                "--steps", "1", "--device", "cpu", "--quiet")  # fmt: skip
    assert (folder / "card" / "report.html").is_file()


def evaluate_a_folder(folder: Path) -> None:
    """Files instead of arrays, in training and in evaluation."""
    photos, run = str(write_photos(folder / "photos")), str(folder / "run")
    command("train", photos, "--out", run, "--model", "wrn-10-1", "--batch-size", "4", "--crop", "resized",
            "--crop-size", "32", "--epochs", "1", "--device", "cpu", "--quiet", "--method", "none")  # fmt: skip
    command("evaluate", run, photos, "--out", str(folder / "card"), "--corruptions", "none", "--steps", "1",
            "--device", "cpu", "--quiet")  # fmt: skip


JOBS: dict[str, Callable[[Path], None]] = {
    job.__name__: job for job in (first_lines, make_sets, augment, corrupt, train_and_evaluate, evaluate_a_folder)
}
NEED_TORCH = ("train_and_evaluate", "evaluate_a_folder")


@pytest.mark.parametrize("job", JOBS)
def test_a_system_without_these_names_will_do(job: str, tmp_path: Path) -> None:
    if job in NEED_TORCH:
        pytest.importorskip("torch", reason="the train extra is not installed")
    done = subprocess.run([sys.executable, __file__, str(tmp_path), job], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"{job} done\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system hasn't got them anyway")
@pytest.mark.parametrize("use", ["os.preadv(0, [b''], 0)", "os.fork()", "signal.SIGHUP", "import fcntl"])
def test_what_uses_one_of_the_names_fails_there(use: str) -> None:
    code = f"import os, signal, sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport test_portable\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}test_portable.take_away()\n{use}"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 1
    assert "AttributeError" in done.stderr or "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr


if __name__ == "__main__":
    take_away()
    JOBS[sys.argv[2]](Path(sys.argv[1]))
    sys.stdout.write(f"{sys.argv[2]} done\n")
