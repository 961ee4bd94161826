"""One thread for every library, and what has to be known about a run: processor, versions, commit, date."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
PACKAGES = (
    *("ipmix", "numpy", "numba", "pillow"),
    *("torch", "torchvision", "timm", "kornia", "albumentations", "opencv-python-headless"),
)


def one_thread() -> None:
    """Tell every library that starts threads of its own to use one; call it before they are imported.

    What ipmix itself starts is an argument (``threads=``) of each row.
    """
    for name in THREAD_SETTINGS:
        os.environ[name] = "1"
    # Albumentations asks the network for its newest version when it is imported.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def describe(command: str, yardstick: Path | None = None) -> dict[str, object]:
    """The circumstances of a run, for its JSON."""
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := version(name))},
        "threads of libraries": 1,
        "load average at the start": load(),
        "yardstick": hashlib.sha256(yardstick.read_bytes()).hexdigest()[:16] if yardstick else None,
    }


def load() -> float | None:
    """Processes that wanted to run in the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str | None:
    """The commit that was measured; with "+ changes" if files of the source differ from it."""
    here = Path(__file__).parent.parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (" + changes" if git("status", "--porcelain", "src", "benchmarks") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
