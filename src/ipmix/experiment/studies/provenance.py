"""On what a result was made: commit, processor, accelerator, versions."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import ipmix
from ipmix.core.versions import versions


def provenance() -> dict[str, Any]:
    """The circumstances, as JSON holds them."""
    return {"commit": commit(), "versions": versions("torchvision", "timm"), "hardware": hardware()}


def commit() -> str | None:
    """The commit of the package's source, with "+ changes" if files differ from it; None where there is none."""
    source = Path(ipmix.__file__).resolve().parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=source, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):  # installed within somebody else's repository
            return None
        return git("rev-parse", "HEAD") + (" + changes" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def hardware() -> dict[str, Any]:
    """Processor, how many of it this process may use, accelerator."""
    import torch

    accelerator = None
    if torch.cuda.is_available():
        accelerator = torch.cuda.get_device_name()
    elif torch.backends.mps.is_available():
        accelerator = "Apple MPS"
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": accelerator,
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
