"""Where a corrupted set may be written: a new folder, one that the same command has begun, or one to write anew.

``settings.json`` tells the truth at every moment. Where it changes (``--force``), all that was written under the old
one is removed before the new one is there; a run that is stopped in between finds nothing to take for its own.
Each shard has a folder ``.unfinished-i-of-n`` for what is half written: locked as long as its process lives; where that
was killed, the next run removes it with all it holds.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, plain
from ipmix.core.extensions import is_own
from ipmix.core.files import FULL, LOCK, FileLock, alone, is_beside, real, refuse_links, sweep, write_text
from ipmix.core.json_text import json_text, read_json_object
from ipmix.corruptions.own import disk_name
from ipmix.corruptions.severities import ALL_CORRUPTIONS, PERTURBATIONS
from ipmix.corruptions.test_sets.writing import RECORD, TestSetPlan
from ipmix.data.broken import LIST
from ipmix.data.sources import InMemory, OnDisk

SCRATCH = ".unfinished-"
LABELS = "labels.npy"


@contextmanager
def begun(
    plan: TestSetPlan, source: InMemory | OnDisk, out: Path, shard: tuple[int, int], *, force: bool
) -> Iterator[Path]:
    """Hold a shard of the folder ``out`` for this process; gives the folder for its half-written files.

    Args:
        plan: what is to be written; recorded in ``settings.json``.
        source: the clean images.
        out: the folder of the set; made where there is none.
        shard: which of how many shards, from 1.
        force: remove a set of other settings or other images that was begun there.

    Raises:
        InputError: another set was begun there, or there is something else, or another process writes the same shard;
            or, inside the block, the disk is full.
    """
    _check(plan, out, force)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} can't be a folder, for there is a file; choose another name")
    refuse_links(out, (*plan.names, *(each.name for each in out.glob(f"{SCRATCH}*"))))
    scratch = out / f"{SCRATCH}{shard[0]}-of-{shard[1]}"
    try:
        with ExitStack() as held:
            out.mkdir(parents=True, exist_ok=True)
            turn = FileLock(out / LOCK)  # others hold it no longer than this takes
            try:
                anew = _check(plan, out, force)  # once more: another shard may have begun it meanwhile
                living = _remove_leftovers(out)
                if scratch in living or (anew and living):
                    raise InputError(
                        f"another process is writing to {out}; wait until it has ended, or choose another folder"
                    )
                if anew:
                    _remove_old(source, out)
                if not (out / RECORD).exists():
                    write_text(out / RECORD, json_text(asdict(plan), indent=2) + "\n")
                held.enter_context(alone(scratch, within=out))
            finally:
                turn.release(remove=True)
            yield scratch
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise InputError(
            f"can't write {error.filename or out}: {error.strerror}; what is there is whole and kept: free some space "
            "and run the same again to go on"
        ) from None


def _check(plan: TestSetPlan, out: Path, force: bool) -> bool:
    """Whether another set must be removed first; InputError if that is not wanted."""
    path = out / RECORD
    if not path.exists():
        found = sorted(out.iterdir()) if out.is_dir() else []
        strange = [each for each in found if not is_beside(each) and not each.name.startswith(SCRATCH)]
        if strange and not force:
            raise InputError(
                f"{out} is not empty and not the begin of such a set; choose another folder, or pass --force"
            )
        if taken := [each for each in _written(out) if each in strange]:
            raise InputError(
                f"{taken[0]} is there, but no {RECORD} that says how it was made; remove it, or choose another folder"
            )
        return False
    try:
        before = read_json_object(path)
    except InputError as error:
        if force:
            return True
        raise InputError(f"{error}; choose another folder, or pass --force to write it anew") from None
    changed = _changed(before, json.loads(json_text(asdict(plan))))
    if changed and not force:
        what = "images" if set(changed) <= {"count", "sha256", "broken"} else "settings"
        raise InputError(
            f"{out} was begun with other {what} ({', '.join(changed)} differ); "
            "choose another folder, or pass --force to write it anew"
        )
    return bool(changed)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys in which a record differs from what would be written: lacking, more, of another value or kind.

    What its data is called may be anything: that folder may be renamed.
    """

    def told(record: Mapping[str, Any], key: str) -> str:
        value = record.get(key)
        if key == "data" and isinstance(value, str):
            return "a name"
        return json_text(value, sort_keys=True) if key in record else "nothing"  # as text, 1 is no 1.0 and no true

    return [plain(key, most=60) for key in {**now, **before} if told(before, key) != told(now, key)]


def _remove_leftovers(out: Path) -> set[Path]:
    """Remove what killed processes left half written; gives the folders of those that live."""
    sweep(out)
    living = set()
    for folder in out.glob(f"{SCRATCH}*"):
        try:
            FileLock(folder / LOCK, wait=False).release()
        except BlockingIOError:
            living.add(folder)
        except FileNotFoundError:  # it has ended this moment
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return living


def _remove_old(source: InMemory | OnDisk, out: Path) -> None:
    """Remove a set of other settings; its record last, so that a half-removed one is never taken for another's."""
    written = list(_written(out))
    if isinstance(source, OnDisk) and source.files.root is not None:
        inside = real(source.files.root)
        if any(real(path) in (inside, *inside.parents) for path in written):
            raise InputError(f"the images in {source.files.root} lie in {out}, which is to be written anew; move them")
    for path in written:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (out / RECORD).unlink()


def _written(out: Path) -> Iterator[Path]:
    """The files and folders of a set, of whatever kind, that are there."""
    names = dict.fromkeys([*ALL_CORRUPTIONS, *PERTURBATIONS, *_own_names(out)])
    for path in (out / LABELS, out / LIST, *(out / f"{name}.npy" for name in names), *(out / name for name in names)):
        with suppress(OSError):
            path.lstat()
            yield path


def _own_names(out: Path) -> list[str]:
    """What the files of corruptions of one's own are called, by the set's record; none where it can't be read."""
    try:
        names = dict(json.loads((out / RECORD).read_text(encoding="utf-8")))["names"]
        return [disk_name(name) for name in names if isinstance(name, str) and is_own(name)]
    except (OSError, ValueError, TypeError, KeyError):
        return []
