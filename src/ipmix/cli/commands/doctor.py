"""``ipmix doctor``: versions, devices, folders, and a self-check of the engines."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from ipmix.core.terminal import say


def doctor(*, checks: bool = True) -> int:
    """Print what this installation has and whether its parts agree; the exit code is 1 if something is wrong.

    Args:
        checks: Run the engines and corruptions on small images; compiles them, if nobody has yet.
    """
    wrong = 0
    parts = [("Versions", _versions), ("Extras", _extras), ("Machine", _machine), ("Folders", _folders)]
    for title, lines in [*parts, ("Checks", _checks)] if checks else parts:
        say(f"{title}\n")
        for good, text in lines():
            wrong += not good
            say(f"  {'ok   ' if good else 'WRONG'} {text}\n")
    return 1 if wrong else 0


SheetRow = tuple[bool, str]

CORE = ("ipmix", "numpy", "numba", "pillow", "platformdirs", "tyro", "jinja2")
TRAIN = (
    "torch", "torchvision", "accelerate", "timm", "pyyaml", "rich", "scikit-learn", "safetensors",
)  # fmt: skip


def _versions() -> Iterator[SheetRow]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    yield sys.version_info >= (3, 11), f"python {platform.python_version()}"
    missing = []
    for name in (*CORE, *TRAIN):
        try:
            yield True, f"{name} {version(name)}"
        except PackageNotFoundError:
            if name in CORE:
                yield False, f"{name} is missing; reinstall ipmix"
            missing.append(name)
    extra = [name for name in missing if name in TRAIN]
    if extra:
        yield True, f'not installed: {", ".join(extra)} (pip install "ipmix[train]" to train and evaluate)'


def _extras() -> Iterator[SheetRow]:
    """What each extra of the package needs and has not got, and how to get it."""
    for extra, names in _needed_by_extras().items():
        missing = [name for name in names if not _is_installed(name)]
        if missing:
            yield True, f'{extra} lacks {", ".join(missing)}: pip install "ipmix[{extra}]"'
        else:
            yield True, f"{extra} is there"


def _needed_by_extras() -> dict[str, list[str]]:
    """Each extra -> the packages that it brings, those of extras that it takes in among them."""
    import re

    found: dict[str, dict[str, None]] = {}
    taken_in: dict[str, list[str]] = {}
    for extra, line in _requirements():
        match = re.match(r"\s*([\w.-]+)(?:\s*\[([\w\s,.-]*)\])?", line)
        names = found.setdefault(extra, {})
        if match and match[1] == "ipmix":
            taken_in.setdefault(extra, []).extend(word.strip() for word in (match[2] or "").split(","))
        elif match:
            names[match[1]] = None
    for extra, others in taken_in.items():
        for other in others:
            found[extra].update(found.get(other, {}))
    return {extra: list(names) for extra, names in found.items()}


def _requirements() -> Iterator[tuple[str, str]]:
    """(extra, requirement) of this package: by the tree that it runs from, else by what was installed with it.

    An editable installation's metadata are of the day that it was made; the tree has moved on since.
    """
    import re
    from importlib.metadata import PackageNotFoundError, requires

    own = _source_tree()
    if own is not None:
        for extra, lines in own["project"].get("optional-dependencies", {}).items():
            yield from ((extra, line) for line in lines)
        return
    try:
        lines = requires("ipmix") or []
    except PackageNotFoundError:
        return
    for line in lines:
        if match := re.search(r";.*\bextra == ['\"]([\w.-]+)['\"]", line):
            yield match[1], line


def _source_tree() -> dict[str, Any] | None:
    """The pyproject.toml of the tree that the package runs from; None where it was installed as a wheel is."""
    import tomllib
    from pathlib import Path

    import ipmix

    path = Path(ipmix.__file__).parents[2] / "pyproject.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("project", {}).get("name") == "ipmix" else None


def _is_installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _machine() -> Iterator[SheetRow]:
    import os
    import platform

    yield True, f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    try:
        import torch
    except ImportError:
        return
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            yield True, f"cuda:{i} {torch.cuda.get_device_name(i)}"
    elif torch.backends.mps.is_available():
        yield True, "mps (Apple)"
    else:
        yield True, "no accelerator: torch computes on the processors"


def _folders() -> Iterator[SheetRow]:
    import warnings

    from ipmix.core.folders import CACHE_VARIABLE, cache_folder, lasting_cache_folder, takes_files

    folder = lasting_cache_folder() or cache_folder()
    good = takes_files(folder)
    advice = "" if good else f": it can't be written to; {CACHE_VARIABLE} names another"
    yield good, f"cache {folder}{advice or ('' if folder.exists() else ' (not made yet)')}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ipmix.core.kernel_cache import where_kept

        kept, problem = where_kept()
    if kept is None:
        yield True, f"compiled kernels are not kept: {problem}; NUMBA_CACHE_DIR names another folder"
    else:
        yield True, f"compiled kernels {kept.parent.parent if kept.name == '__pycache__' else kept}"


def _checks() -> Iterator[SheetRow]:
    from ipmix.augmentation import self_check

    checks: dict[str, Callable[[], str]] = {
        "augmentation: all engines agree": self_check.engines_agree,
        "augmentation: an image is the same alone and in a batch": self_check.batch_is_no_matter,
        "corruptions: all run": _corruptions_run,
    }
    for name, check in checks.items():
        try:
            problem = check()
        except Exception as error:  # a self-check reports what breaks, whatever it is
            problem = f"{type(error).__name__}: {error}"
        yield not problem, name + (f": {problem}" if problem else "")


def _corruptions_run() -> str:
    from ipmix.augmentation.self_check import samples
    from ipmix.corruptions import CORRUPTIONS, corrupt

    images, _ = samples()
    unchanged = [name for name in CORRUPTIONS if (corrupt(images, name, 5, seed=0) == images).all()]
    return f"unchanged images: {', '.join(unchanged)}" if unchanged else ""
