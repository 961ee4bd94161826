"""Making a mixing set: paint, write, note in the journal; go on after an interruption.

The order of writing is what keeps a set honest: images are flushed to disk before the journal names them,
and the manifest takes the journal's place only when everything is there.
"""

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ipmix.core.checking import check_count, check_int64, check_shard, check_threads, shown
from ipmix.core.errors import InputError, plain
from ipmix.core.files import (
    FULL,
    FileLock,
    is_beside,
    leads_nowhere,
    refuse_links,
    replacing,
    reserve,
    sweep,
    write_bytes,
    write_text,
)
from ipmix.core.json_text import json_text
from ipmix.core.threads import default_threads
from ipmix.fractals.kinds import KINDS, SIZE_LEAST, SIZE_MOST, Painting, paint
from ipmix.mixing_set import image_files
from ipmix.mixing_set.composition import EXTERNAL, Painter
from ipmix.mixing_set.manifest import (
    FILE_FORMATS,
    Entry,
    Manifest,
    MixingSetPlan,
    finished_text,
    header,
    journal_name,
    manifest_name,
    place_in_shard,
    read_entry,
    rounded,
    shard_name,
)

BATCH = 128
"""Images between two flushes of the journal: what an interruption can cost."""


def check_plan(plan: MixingSetPlan, painters: Mapping[str, Painter]) -> None:
    """Raise :class:`InputError` for a plan that can't be made with these painters."""
    check_count("size", plan.size, SIZE_LEAST, SIZE_MOST)
    check_int64("seed", plan.seed)
    if plan.files not in FILE_FORMATS:
        raise InputError(f"files must be one of {', '.join(FILE_FORMATS)}, got {plan.files!r}")
    check_shard(plan.shard, plan.shards)
    for kind in plan.mix:
        if kind in EXTERNAL and kind not in painters:
            needed = "a network to visualise" if kind == "feature" else "a folder of images"
            raise InputError(f"images of the kind {kind!r} need {needed}; give one, or leave them out of the mix")
        if kind not in KINDS and kind not in EXTERNAL:
            raise InputError(f"unknown kind of image {kind!r}; expected some of: {', '.join(KINDS)}")


def make(
    plan: MixingSetPlan,
    folder: str | os.PathLike[str],
    threads: int | None = None,
    painters: Mapping[str, Painter] | None = None,
) -> Iterator[int]:
    """Make the plan's shard of a set in ``folder``; yields how many of its images are done so far.

    ``painters`` paint the plan's external kinds. Goes on where an interrupted run stopped. A finished set of
    the same plan is left as it is; a set of another plan, or a full or unwritable disk, raises
    :class:`InputError`.
    """
    painters = painters or {}
    check_plan(plan, painters)
    if threads is not None:
        check_threads(threads)
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; expected the name of a folder to write the mixing set to")
    _refuse_others(folder)
    refuse_links(folder, plan.mix)
    for name in (journal_name(plan), f"{shard_name(plan)}.part"):  # these are appended to, or mapped
        if (folder / name).is_symlink():
            raise InputError(f"{folder / name} is a link, and what is written there would go elsewhere: remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Two processes that make the same part (two ranks of one training) take turns; the second finds it done.
        turn = FileLock(folder / f".lock{plan.suffix()}")
        try:
            for place in (folder, *(folder / kind for kind in plan.mix)):
                sweep(place)
            yield from _make(plan, folder, threads or default_threads(), painters)
        finally:
            turn.release(remove=True)
    except OSError as error:
        full = error.errno in FULL
        advice = "free some space and run the same again to go on" if full else "choose a folder that can be written to"
        reason = leads_nowhere(folder) or str(error.strerror or error)
        if error.filename and Path(error.filename) != folder:
            reason += f" (writing {Path(error.filename).name})"
        there = [each for each in folder.iterdir() if not is_beside(each)] if folder.is_dir() else []
        kept = "what is there is kept and valid: " if there else ""
        raise InputError(f"can't write the mixing set to {folder}: {reason}; {kept}{advice}") from error


def _refuse_others(folder: Path) -> None:
    """Raise :class:`InputError` where the folder holds something, and not the begin of a mixing set."""
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    if any(each.name.startswith(("manifest", ".lock")) for each in there):
        return
    if strange := [each for each in there if not is_beside(each)]:
        raise InputError(
            f"{folder} holds other files ({plain(strange[0].name, most=60)}) and is no mixing set: choose a new folder"
        )


def _make(plan: MixingSetPlan, folder: Path, threads: int, painters: Mapping[str, Painter]) -> Iterator[int]:
    finished = folder / manifest_name(plan)
    if finished.exists():
        there = Manifest(finished).plan
        if there != plan:
            differing = [
                f"{each.name} {shown(getattr(there, each.name))}, now {shown(getattr(plan, each.name))}"
                for each in fields(plan)
                if getattr(there, each.name) != getattr(plan, each.name)
            ]
            raise InputError(f"{folder} holds another mixing set ({'; '.join(differing)}); choose another folder")
        (folder / journal_name(plan)).unlink(missing_ok=True)  # of one that was killed between the two last steps
        yield len(plan.numbers())
        return
    done = _read_journal(plan, folder)
    yield len(done)
    missing = [number for number in plan.numbers() if number not in done]
    with (
        _journal(plan, folder, done) as journal,
        _Output(plan, folder, done) as output,
        ThreadPoolExecutor(threads) as pool,
    ):
        for entries in _made(plan, output, painters, missing, pool):
            output.flush()
            for entry in entries:
                journal.write(entry.line().encode() + b"\n")
            journal.flush()
            os.fsync(journal.fileno())
            done.update((entry.number, entry) for entry in entries)
            yield len(done)
        output.finish()
    write_text(finished, finished_text(plan, done.values()))
    (folder / journal_name(plan)).unlink()


def _made(
    plan: MixingSetPlan,
    output: "_Output",
    painters: Mapping[str, Painter],
    missing: list[int],
    pool: ThreadPoolExecutor,
) -> Iterator[list[Entry]]:
    """The images in batches, each painted and written. The next one is begun meanwhile, so that no thread waits."""
    begun: deque[list[Future[Entry]]] = deque()
    try:
        for start in range(0, len(missing), BATCH):
            numbers = missing[start : start + BATCH]
            one = partial(_make_one, plan, output, _paint_external(plan, numbers, painters))
            begun.append([pool.submit(one, number) for number in numbers])
            if len(begun) > 1:
                yield [future.result() for future in begun.popleft()]
        while begun:
            yield [future.result() for future in begun.popleft()]
    finally:
        for future in (future for futures in begun for future in futures):
            future.cancel()


def _paint_external(plan: MixingSetPlan, numbers: list[int], painters: Mapping[str, Painter]) -> dict[int, Painting]:
    wanted: dict[str, list[int]] = {}
    for number in numbers:
        kind, _ = plan.image(number)
        if kind in painters:
            wanted.setdefault(kind, []).append(number)
    ready: dict[int, Painting] = {}
    for kind, some in wanted.items():
        images = painters[kind](plan.seed, [plan.image(number)[1] for number in some], plan.size)
        ready.update(zip(some, images))
    return ready


def _make_one(plan: MixingSetPlan, output: "_Output", ready: dict[int, Painting], number: int) -> Entry:
    kind, index = plan.image(number)
    image = ready[number] if number in ready else paint(kind, plan.seed, index, plan.size)
    file = output.write(number, kind, index, image.pixels)
    return Entry(
        number=number,
        kind=kind,
        index=index,
        file=file,
        sha256=image_files.digest(image.pixels),
        attempts=image.attempts,
        parameters=rounded(image.parameters),
    )


class _Output:
    """Where the pixels go: files in a folder per kind, or one memory-mapped array.

    ``done`` are the images that the journal has. Where there are none in the end, the array is of no use to a run that
    goes on, and removed.
    """

    def __init__(self, plan: MixingSetPlan, folder: Path, done: Mapping[int, Entry]) -> None:
        self.plan = plan
        self.done = done
        self.folder = folder
        self.shard: np.memmap | None = None
        self.unfinished = folder / f"{shard_name(plan)}.part"

    def __enter__(self) -> "_Output":
        if self.plan.files != "shard":
            for kind in self.plan.mix:
                (self.folder / kind).mkdir(exist_ok=True)
            return self
        if not self.done:
            new_array_file(self.unfinished, (len(self.plan.numbers()), 3, self.plan.size, self.plan.size))
        self.shard = np.lib.format.open_memmap(self.unfinished, mode="r+")
        return self

    def __exit__(self, *_: object) -> None:
        self.shard = None
        if self.plan.files == "shard" and not self.done:
            self.unfinished.unlink(missing_ok=True)

    def write(self, number: int, kind: str, index: int, pixels: np.ndarray) -> str:
        if self.shard is not None:
            self.shard[place_in_shard(number, self.plan.shards)[1]] = pixels.transpose(2, 0, 1)
            return ""
        name = f"{kind}/{kind}-{index:05d}.{image_files.EXTENSIONS[self.plan.files]}"
        write_bytes(self.folder / name, image_files.encode(pixels, self.plan.files))
        return name

    def flush(self) -> None:
        if self.shard is not None:
            self.shard.flush()

    def finish(self) -> None:
        if self.shard is not None:
            self.flush()
            self.shard = None
            os.replace(self.unfinished, self.folder / shard_name(self.plan))


def new_array_file(path: Path, shape: tuple[int, ...]) -> None:
    """Create a NumPy file for uint8 of this shape, with all its space taken.

    A disk too small for it must show here, as an error: later, through a memory map, it is a fatal signal.
    """
    size = int(np.prod(shape))
    with replacing(path) as file:
        description = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, description)
        reserve(file, file.tell() + size)


def _read_journal(plan: MixingSetPlan, folder: Path) -> dict[int, Entry]:
    # What an earlier run of the same plan finished. A line that was cut off ends it.
    path = folder / journal_name(plan)
    unfinished = folder / f"{shard_name(plan)}.part"
    if not path.exists() or (plan.files == "shard" and not unfinished.exists()):
        return {}
    first, *lines = path.read_bytes().split(b"\n")
    try:
        begun = json.loads(first)
    except (ValueError, RecursionError):
        return {}
    if begun != json.loads(json.dumps(header(plan))):
        raise InputError(
            f"{folder} holds another mixing set, unfinished; finish it with its own options, or remove "
            f"{path.name} and its images, or choose another folder"
        )
    done = {}
    for position, line in enumerate(lines):
        try:
            entry = read_entry(f"{path}, line {position + 2}", json.loads(line))
        except (ValueError, RecursionError):
            break
        if plan.files == "shard" or (folder / entry.file).is_file():
            done[entry.number] = entry
    return done


@contextmanager
def _journal(plan: MixingSetPlan, folder: Path, done: dict[int, Entry]) -> Iterator[BinaryIO]:
    # Written anew without what was cut off, then appended to.
    path = folder / journal_name(plan)
    lines = [json_text(header(plan)), *(entry.line() for entry in done.values())]
    write_text(path, "\n".join(lines) + "\n")
    with open(path, "ab") as file:
        yield file
