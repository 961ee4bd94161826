"""What users add: things named ``module:Name``, or by the names that installed packages give them (entry points)."""

import importlib
import re
import sys
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from ipmix.core.errors import InputError, first_line, plain

GROUPS = {"method": "ipmix.methods", "corruption": "ipmix.corruptions", "measure": "ipmix.measures"}
"""Entry points of packages: a name for each ``module:Name`` of theirs."""

_SPELLING = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_own(name: str) -> bool:
    """Whether this is spelled ``module:Name``; nothing is imported."""
    return bool(_SPELLING.fullmatch(name))


def is_of_a_hub(name: str) -> bool:
    """Whether timm would ask a hub (``timm:hf-hub:OWNER/MODEL``) or a folder for the network of this name.

    Its own names have neither a colon nor a slash.
    """
    library, _, model = name.partition(":")
    return library.strip() == "timm" and bool(set(model) & set(":/\\"))


@cache
def installed(kind: str) -> dict[str, str]:
    """The names that installed packages give to things of this kind -> ``module:Name``; nothing is imported."""
    return {point.name: point.value for point in sorted(entry_points(group=GROUPS[kind]), key=lambda p: p.name)}


def full_name(name: str, kind: str) -> str | None:
    """``module:Name`` for what is named so, or by a package's entry point; None if neither is the case."""
    return name if is_own(name) else installed(kind).get(name)


def own(name: str, kind: str) -> Any:
    """The object that ``module:Name`` names: its module is imported, from the folder one works in too.

    Raises:
        InputError: no such module or name in it, or the module can't be imported.
    """
    module, _, path = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the folder one works in, as `python -m` has it
    try:
        found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == module.partition(".")[0]:
            raise InputError(
                f"there is no Python module {module!r} here or among the installed ones, for the {kind} {name!r}"
            ) from None
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"{module} can't be imported ({reason}), for the {kind} {name!r}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise InputError(f"{plain(module)} has no {plain(path)}, for the {kind} {name!r}")
        found = getattr(found, part)
    return found
