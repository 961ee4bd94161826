"""What the third tab shows: the report of saved scorecards, kept as a page of its own that a frame shows."""

import hashlib
import tempfile
from collections import OrderedDict
from pathlib import Path

import ipmix
from ipmix.evaluation.results import read_runs
from ipmix.report import exports
from ipmix.report.comparison import compare_runs

KEPT = 8
"""Pages that are kept; of more, the oldest are dropped."""

CARD_MOST = 32 * 2**20
"""Bytes of a scorecard's JSON that are taken."""

_pages: "OrderedDict[str, str]" = OrderedDict()


def page_of(path: str | Path) -> str:
    """The report of the results in a folder or file, made anew: one HTML page that needs nothing else.

    Raises:
        InputError: there are none, or they are something else.
    """
    if not str(path).strip():
        raise ipmix.InputError("expected a folder of ipmix evaluate, quickstart or experiment, or a scorecard.json")
    runs = read_runs(Path(path).expanduser())
    comparisons = compare_runs(runs) if len(runs) > 1 else []
    return exports.rendered([run.card for run in runs], "html", comparisons=comparisons)


def stamp(path: str | Path) -> tuple[float, ...]:
    """When the files of these results were last written: another, and the report is made anew."""
    place = Path(path).expanduser()
    files = [place, *(place / name for name in ("scorecard.json", "results.json", "outcomes.npz"))]
    return tuple(file.stat().st_mtime for file in files if file.exists())


def page_of_upload(name: str, content: bytes) -> str:
    """The same of a scorecard's JSON; the message speaks of ``name``.

    Raises:
        InputError: it is no scorecard.
    """
    if len(content) > CARD_MOST:
        raise ipmix.InputError(f"{name} has {len(content) >> 20} MiB; a scorecard has at most {CARD_MOST >> 20}")
    with tempfile.TemporaryDirectory(prefix="ipmix-explore-") as folder:
        file = Path(folder) / "uploaded.json"
        file.write_bytes(content)
        try:
            return page_of(file)
        except ipmix.InputError as error:
            raise ipmix.InputError(str(error).replace(str(file), name)) from None


def keep(page: str) -> str:
    """Keep a page for the frame that is to show it; the name to ask for it by, which is its hash."""
    name = hashlib.sha256(page.encode()).hexdigest()
    _pages[name] = page
    _pages.move_to_end(name)
    while len(_pages) > KEPT:
        _pages.popitem(last=False)
    return name


def kept(name: str) -> str | None:
    """The page of this name; None if there is none."""
    return _pages.get(name)
