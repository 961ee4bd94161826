"""A classifier's predictions, kept: logits and labels in shards, so that scoring needs no model a second time.

A folder of predictions holds ``run.json`` (what was asked of which model on which data) and one file, a shard, for
each chunk of the images. A shard is written in one step when all of its conditions are done: an interrupted run
goes on with the first that is missing. A shard's name carries a hash of ``run.json``: one that another run left
behind (killed, or still going) is never taken for this run's.

Arrays are named by :mod:`ipmix.evaluation.conditions`: ``clean``, ``corruption/NAME/SEVERITY``, ``attack``,
``auto_attack`` (float32[n, K] logits each), ``frames/NAME`` (int64[n, T], predicted class of each frame, -1 for none)
and ``top5/NAME`` (float32[n], mean top-5 distance of each sequence). An attack on some of the images only has their
places in the shard under ``places/attack`` (int64[m]); without them it is taken to be on the first m.
"""

import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ipmix.core.errors import InputError, visible
from ipmix.core.files import is_beside, make_within, no_file, refuse_links, replacing, write_text
from ipmix.core.json_text import json_text, read_json_object
from ipmix.evaluation.conditions import Condition
from ipmix.report.scorecards import check_part

FORMAT = "ipmix predictions 2"
OLDER = "ipmix predictions 1"
"""Of folders whose shards' names carry no hash: they can be scored, but a run can't go on in them."""

RUN = "run.json"
"""What was asked of which model on which data."""

MADE = "made.json"
"""How they were made: what may differ between machines, and makes no other run of it."""

_CALLED = {
    "model": "the model (model)",
    "data": "what the images hold, or which they are (data)",
    "plan": "what is measured (plan)",
    "columns": "which classes compete (columns)",
    "form": "the form that images are brought to (form)",
}
"""What the keys of a run are, for messages."""

BESIDE = ("labels", "indices", "places/attack", "places/auto_attack")
"""Arrays of a shard that are about its images, or about a condition, and no condition themselves."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits float32[N, K] of one condition, and the labels int64[N] of the same images."""

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]


class PredictionFolder:
    """Predictions in a folder, a shard for each chunk of the images."""

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self.path, self.run = path, dict(run)

    @classmethod
    def of(cls, path: str | Path, run: Mapping[str, Any]) -> "PredictionFolder":
        """The folder as ``run`` would use it; nothing is written."""
        folder, manifest = Path(path), {"format": FORMAT, **run}
        described = folder / RUN
        before = read_json_object(described) if described.is_file() else {}
        return cls(folder, manifest if _differing(before, manifest) else before)

    @classmethod
    def begin(
        cls, path: str | Path, run: Mapping[str, Any], *, force: bool = False, within: str | Path | None = None
    ) -> "PredictionFolder":
        """A folder for the run that ``run`` describes: new, or one that the same run has begun.

        One ``within`` another folder is only made where that is there.

        Raises:
            FileNotFoundError: that is gone.
            InputError: the folder holds another run's predictions and ``force`` is not set.
        """
        folder = Path(path)
        refuse_links(folder.parent, (folder.name,))
        manifest = {"format": FORMAT, **run}
        described = folder / RUN
        if described.exists():
            before = read_json_object(described)
            differing = _differing(before, manifest)
            if not differing:
                return cls(folder, before)
            if before.get("format") == OLDER and not force:
                raise InputError(
                    f"{folder} holds predictions of an earlier version of ipmix, which ipmix score can read but no "
                    "run can go on with; choose another folder, or pass --force to replace them"
                )
            if not force:
                told = " and ".join(_CALLED.get(key, key) for key in differing)
                raise InputError(
                    f"{folder} holds predictions of another run, since there differs {told}; choose another folder, "
                    "or pass --force to replace them"
                )
            for shard in folder.glob("part-*.npz"):
                shard.unlink()
        elif folder.is_dir() and not all(map(is_beside, folder.iterdir())) and not force:
            raise InputError(f"{folder} is not empty and holds no predictions; choose another folder")
        if within is None:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            make_within(within, folder)
        write_text(described, json_text(manifest, indent=1))
        return cls(folder, manifest)

    def remove_if_empty(self) -> None:
        """Take the folder away again where nothing was predicted: the run was refused."""
        if any(self.path.glob("part-*.npz")):
            return
        for name in (RUN, MADE):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else's files stay
            self.path.rmdir()
            self.path.parent.rmdir()

    @property
    def made(self) -> dict[str, Any]:
        """How the predictions were made (see :func:`ipmix.evaluation.made.how_made`); empty if that wasn't kept."""
        file = self.path / MADE
        if not file.is_file():
            return {}
        check_part(made := read_json_object(file), "made", str(file))
        return made

    def note_made(self, made: Mapping[str, Any]) -> None:
        """Keep how they are made; where a run goes on in another way, the first way stays and the others are added."""
        before = self.made
        others = before.pop("then", [])
        if not before:
            write_text(self.path / MADE, json_text(made, indent=1))
        elif made not in (before, *others):
            write_text(self.path / MADE, json_text({**before, "then": [*others, made]}, indent=1))

    @classmethod
    def open(cls, path: str | Path) -> "PredictionFolder":
        """The predictions in a folder, complete or not.

        Raises:
            InputError: there are none. See :meth:`progress` for how many.
        """
        folder = Path(path)
        if not (folder / RUN).is_file():
            raise InputError(f"{folder} holds no predictions (no run.json); expected what ipmix evaluate wrote")
        manifest = read_json_object(folder / RUN)
        if manifest.get("format") not in (FORMAT, OLDER):
            raise InputError(f"{folder}/run.json is of format {manifest.get('format')!r}; expected {FORMAT!r}")
        return cls(folder, manifest)

    def has(self, chunk: int) -> bool:
        """Whether the shard of a chunk of the images is there."""
        return self._file(chunk).is_file()

    def progress(self) -> tuple[int, int]:
        """Of how many images there are predictions, and of how many there will be (those that are broken count)."""
        data = self.run.get("data")
        about: Mapping[str, Any] = data if isinstance(data, dict) else {}
        count, size = about.get("images", about.get("pictures")), self.run.get("part")
        if not isinstance(count, int) or not isinstance(size, int) or size < 1:
            return 0, 0
        starts = range(0, count, size)
        return sum(min(size, count - start) for start in starts if self.has(start // size)), count

    def places(self) -> NDArray[np.int64]:
        """The places in the data, int64[n], of the images that there are predictions of: broken ones are left out."""
        found = [np.asarray(shard.array("indices")) for shard in self.shards() if "indices" in shard.names()]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def write(self, chunk: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep a chunk's shard: ``labels`` int64[n], ``indices`` int64[n] and its conditions."""
        with replacing(self._file(chunk)) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def shards(self) -> Iterator["PredictionShard"]:
        """The shards that are there, in the images' order."""
        for path in sorted(self.path.glob(f"part-{'[0-9]' * 5}{self._mark}.npz")):
            yield PredictionShard(path)

    def _file(self, chunk: int) -> Path:
        return self.path / f"part-{chunk:05d}{self._mark}.npz"

    @property
    def _mark(self) -> str:
        if self.run.get("format") == OLDER:
            return ""
        return "-" + hashlib.sha256(json_text(self.run, sort_keys=True).encode()).hexdigest()[:16]


class PredictionFile:
    """Predictions in one file of somebody else's: an ``.npz`` with ``logits`` (or ``clean``) and ``labels``.

    Further conditions may be there under the names of :mod:`ipmix.evaluation.conditions`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{no_file(self.path)}; expected an .npz with logits and labels")
        shard = PredictionShard(self.path)
        names = shard.names()
        if "labels" not in names or not {"logits", "clean"} & names:
            there = ", ".join(sorted(map(shard.called, names)))
            raise InputError(
                f"{self.path} holds {there or 'nothing'}; expected arrays 'logits' [images, classes] and 'labels' "
                "[images]"
            )
        self.run: dict[str, Any] = {"format": FORMAT, "name": visible(self.path.stem)}
        self.made: dict[str, Any] = {}

    def shards(self) -> Iterator["PredictionShard"]:
        """The file as the only shard."""
        yield PredictionShard(self.path)


def open_predictions(path: str | Path, *, partial: bool = False) -> PredictionFolder | PredictionFile:
    """Predictions in a folder (also that of a whole evaluation) or in somebody else's ``.npz``.

    Args:
        path: the folder or file.
        partial: take the predictions of a run that has not ended; those of the first images are there, so of some
            classes there may be none.

    Raises:
        InputError: there is nothing, or (without ``partial``) the run has not ended.
    """
    given = Path(path)
    if not given.exists():
        raise InputError(f"there is no {given}; expected a folder that ipmix evaluate wrote, or an .npz of predictions")
    if not given.is_dir():
        return PredictionFile(given)
    inside = given / "predictions"
    kept = PredictionFolder.open(inside if inside.is_dir() else given)
    check_part(kept.run, "run", str(kept.path / RUN))
    done, count = kept.progress()
    if done < count and not partial:
        raise InputError(
            f"{given} holds {done:,} of {count:,} images: run the same ipmix evaluate again to finish it, or pass "
            "--partial to score what is there"
        )
    return kept


class PredictionShard:
    """One file of predictions; arrays are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as opened, _archive(opened) as file:
                names, members = file.files, [] if file.zip is None else file.zip.namelist()
        except MemoryError:
            raise
        except Exception as error:  # zipfile, its decompressors and NumPy's headers raise a dozen kinds
            raise InputError(f"{path} can't be read as predictions ({_reason(error)})") from None
        counts = Counter(member.removesuffix(".npy") for member in members)
        if twice := next((name for name, count in counts.items() if count > 1), None):
            raise InputError(f"{path} holds {visible(twice)!r} twice: which of the two counts, nobody can tell")
        if {"logits", "clean"} <= set(names):
            raise InputError(f"{path} holds both 'logits' and 'clean', two names of one array: leave one of them out")
        self._names = {("clean" if name == "logits" else name): name for name in names}

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def names(self) -> set[str]:
        """Which arrays there are."""
        return set(self._names)

    def called(self, name: str) -> str:
        """What the file itself calls an array: others' files may have "logits" for "clean"."""
        return self._names.get(name, name)

    def conditions(self) -> list[Condition]:
        """Which conditions there are predictions under, in the order of their names.

        Raises:
            InputError: an array is named like no condition; left out, a misspelled one would go unnoticed.
        """
        found = []
        for name in BESIDE:
            if name in self._names and name.startswith("places/") and name.removeprefix("places/") not in self._names:
                raise InputError(
                    f"{self._path}: {name} says which images {name.removeprefix('places/')} is of, and there "
                    "is no such array; leave it out, or add that"
                )
        for name in sorted(self.names() - {*BESIDE}):
            try:
                found.append(Condition.parse(name))
            except InputError as error:
                raise InputError(f"{self._path}: the array {error}") from None
        return found

    def array(self, name: str) -> NDArray[Any]:
        """One array by its name."""
        try:
            with self._path.open("rb") as opened, _archive(opened) as file:
                _check_claim(file, self._names[name])
                array: NDArray[Any] = file[self._names[name]]
                if not isinstance(array, np.ndarray):
                    raise ValueError("it is no array")
        except MemoryError:  # the one who asks knows what the array should be
            raise
        except Exception as error:  # as above
            raise InputError(f"{self._path}: {self._names[name]} can't be read ({_reason(error)})") from None
        return array

    def predictions(self, condition: Condition) -> Predictions:
        """Logits and labels of the images that a condition covers.

        Raises:
            InputError: they are not logits [images, classes] with a label for each.
        """
        logits, labels = np.asarray(self.array(condition.key)), np.asarray(self.array("labels"))
        if (places := f"places/{condition.key}") in self._names:
            labels = labels[self.array(places)]
        elif condition.is_attack:
            labels = labels[: len(logits)]
        if logits.ndim != 2 or len(logits) != len(labels):
            raise InputError(
                f"{self._path}: {self._names[condition.key]} has the shape {list(logits.shape)} and there are "
                f"{len(labels)} labels; expected logits [images, classes] and one label an image"
            )
        return Predictions(logits, labels)


def check_space(folder: str | Path, needed: int) -> None:
    """Refuse to begin what the disk can't hold.

    Args:
        folder: where files will go; it need not exist yet.
        needed: bytes.

    Raises:
        InputError: there is less free.
    """
    there = Path(folder).absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"the predictions need {_size(needed)} and the disk of {folder} has {_size(free)} free; choose another "
            "--out, or fewer images (--limit), corruptions or severities"
        )


def _archive(opened: BinaryIO) -> NpzFile:
    found = np.load(opened, allow_pickle=False)
    if not isinstance(found, NpzFile):
        raise ValueError("a single array, not an .npz of several")
    return found


def _check_claim(file: NpzFile, name: str) -> None:
    """Refuse an array whose header claims other than the bytes that the archive has for it.

    More, where a system promises any memory that is asked for, nothing else would stop; fewer would be read as all.
    """
    if file.zip is None or f"{name}.npy" not in file.zip.namelist():
        return  # NumPy has its own words for that
    entry = file.zip.getinfo(f"{name}.npy")
    with file.zip.open(entry) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        holds = entry.file_size - member.tell()
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != holds and not dtype.hasobject:
        raise ValueError(f"it claims to hold {claimed:,} bytes and holds {holds:,}")


def _reason(error: Exception) -> str:
    if "pickle" in str(error):  # NumPy's own words advise to open it all the same
        return "it is no .npz of plain arrays; Python objects are not opened"
    return f"{error}; if ipmix evaluate wrote it, delete it and start the command again"


def _size(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys in which two runs differ. What their data is called is none: it may lie in a renamed folder."""
    return sorted(key for key in {*before, *now} if _unnamed(before, key) != _unnamed(now, key))


def _unnamed(run: Mapping[str, Any], key: str) -> Any:
    value = run.get(key)
    if key != "data" or not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name != "name"}
