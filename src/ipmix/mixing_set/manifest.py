"""A mixing set's manifest: what each image is, from which seed, and the SHA-256 of its pixels.

A finished set has ``manifest.json``; one that is made in shards, each on a machine of its own, has one for
each (``manifest-03-of-16.json``: the third of sixteen). While a shard is being made there is a journal,
``manifest.journal`` (one JSON line per finished image), and no manifest: whoever finds a manifest finds a
whole shard.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ipmix.core.bounds import MIXING_MOST
from ipmix.core.checking import check_count, check_int64
from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.json_text import json_text
from ipmix.fractals.kinds import KINDS, PAINTINGS_VERSION, SIZE_LEAST, SIZE_MOST
from ipmix.mixing_set.composition import EXTERNAL

FORMAT = "ipmix mixing set"
VERSION = 1
BLOCK = 8
"""Images that stay together when a set is made in shards."""

FILE_FORMATS = ("png", "jpeg", "webp", "shard")

_KEYS = {"shard": "part", "shards": "parts", "paintings_version": "pictures_version"}
"""Fields of a plan that are called otherwise in manifests, which are older than the names."""


@dataclass(frozen=True)
class MixingSetPlan:
    """What a set is to hold: the same plan gives the same images anywhere.

    ``mix`` maps kinds to counts. The set is cut into blocks of 8 images, dealt in turn to its ``shards``;
    ``shard``, this plan's, counts from 1. ``sources`` says what the external kinds are made from (a network, a folder).
    """

    seed: int
    size: int
    mix: dict[str, int]
    files: str
    shard: int = 1
    shards: int = 1
    sources: dict[str, str] = field(default_factory=dict)
    paintings_version: int = PAINTINGS_VERSION

    @property
    def count(self) -> int:
        """Images in the whole set, all shards together."""
        return sum(self.mix.values())

    @property
    def length(self) -> int:
        """Images in this shard."""
        blocks, rest = divmod(self.count, BLOCK)
        whole = (blocks - self.shard + self.shards) // self.shards
        return BLOCK * whole + (rest if blocks % self.shards == self.shard - 1 else 0)

    def suffix(self) -> str:
        """What tells this shard's files from the others': '' for a set in one."""
        return "" if self.shards == 1 else f"-{self.shard:02d}-of-{self.shards:02d}"

    def numbers(self) -> list[int]:
        """The numbers, in the whole set, of this shard's images."""
        return [n for n in range(self.count) if n // BLOCK % self.shards == self.shard - 1]

    def image(self, number: int) -> tuple[str, int]:
        """(kind, index within the kind) of an image by its number in the whole set."""
        for kind, count in self.mix.items():
            if number < count:
                return kind, number
            number -= count
        raise IndexError(number)


@dataclass(frozen=True)
class Entry:
    """One image: its number in the set, kind and index, file (empty if all are in one array) and hash of the pixels."""

    number: int
    kind: str
    index: int
    file: str
    sha256: str
    attempts: int
    parameters: dict[str, Any]

    def line(self) -> str:
        """The entry as one line of JSON."""
        return json_text({name: getattr(self, name) for name in _ENTRY}, separators=(", ", ": "))


_ENTRY = tuple(item.name for item in fields(Entry))


class Manifest:
    """A finished manifest: its plan at once, its entries when they are asked for.

    One that lies as it was written (the digest over its bytes says so) is not taken apart for its plan, which would
    take seconds for 13,000 images.

    Raises:
        InputError: it is damaged, or none; of an entry that can't be, when entries are asked for.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._entries: list[Entry] | None = None
        plan = _plan_of_intact(self.path)
        if plan is None:
            plan, self._entries = read(self.path)
        self.plan = plan

    @property
    def entries(self) -> list[Entry]:
        """Its images, in order."""
        if self._entries is None:
            plan, self._entries = read(self.path)
            if plan != self.plan:
                raise InputError(f"{self.path} was changed after the mixing set was opened; open it again")
        return self._entries

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_entries": None}  # read again where they are asked for


def manifest_name(plan: MixingSetPlan) -> str:
    """The name of the plan's finished manifest."""
    return f"manifest{plan.suffix()}.json"


def journal_name(plan: MixingSetPlan) -> str:
    """The name of the plan's journal while it is being made."""
    return f"manifest{plan.suffix()}.journal"


def shard_name(plan: MixingSetPlan) -> str:
    """The name of the array that holds the plan's images: a NumPy file, uint8[images, 3, size, size]."""
    return f"pictures{plan.suffix()}.npy"


def rounded(value: Any) -> Any:
    """``value`` with its floats cut to 7 significant digits: the seed reproduces, the parameters inform."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def place_in_shard(number: int, shards: int) -> tuple[int, int]:
    """(shard from 0, row in its array) of an image by its number in the whole set."""
    block, rest = divmod(number, BLOCK)
    return block % shards, block // shards * BLOCK + rest


def header(plan: MixingSetPlan) -> dict[str, Any]:
    """The plan as the manifest's first fields."""
    named = {_KEYS.get(name, name): value for name, value in asdict(plan).items()}
    return {"format": FORMAT, "version": VERSION, **named}


def finished_text(plan: MixingSetPlan, entries: Iterable[Entry]) -> str:
    """The finished manifest: the plan, a digest of the lines below it, one line per image."""
    lines = [entry.line() for entry in sorted(entries, key=lambda entry: entry.number)]
    head = {**header(plan), "digest": _digest(plan, lines)}
    first = json_text(head, indent=1)[:-2]
    return first + ',\n "pictures": [\n' + ",\n".join(lines) + "\n]}\n"


def _digest(plan: MixingSetPlan, lines: list[str]) -> str:
    content = json_text(header(plan), sort_keys=True) + "\n" + "\n".join(lines)
    return hashlib.sha256(content.encode()).hexdigest()


def read(path: str | os.PathLike[str]) -> tuple[MixingSetPlan, list[Entry]]:
    """Read and check a finished manifest; :class:`InputError` names what is wrong with it."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # also numbers and nesting beyond Python's limits
        raise InputError(f"{path} is not a readable manifest ({first_line(error)}); make the set again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not the manifest of a mixing set (no 'format': {FORMAT!r})")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} is of manifest version {content.get('version')!r}; this ipmix reads version {VERSION}: "
            "make the set again, or use the ipmix that made it"
        )
    plan = _read_plan(path, content)
    images = content.get("pictures")
    if not isinstance(images, list):
        raise InputError(f"{path}: 'pictures' must be a list; make the set again")
    entries = [read_entry(f"{path}, image {position}", item) for position, item in enumerate(images)]
    _check_against_plan(path, plan, entries)
    if content.get("digest") != _digest(plan, [entry.line() for entry in entries]):
        raise InputError(
            f"{path} was changed after it was written: its digest does not fit its content; restore it, or "
            "make the set again (same seed, same images)"
        )
    return plan, entries


def _plan_of_intact(path: Path) -> MixingSetPlan | None:
    """The plan of a manifest that is byte for byte what was written; None for any other, which is to be read whole."""
    try:
        head, mark, rest = path.read_bytes().partition(b',\n "pictures": [\n')
        content = json.loads(head + b"}")
    except (OSError, ValueError, RecursionError):
        return None
    intact = mark and rest.endswith(b"\n]}\n") and isinstance(content, dict)
    if not intact or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        return None
    plan = _read_plan(path, content)
    lines = rest[:-4].replace(b"},\n{", b"}\n{")
    digest = hashlib.sha256(json_text(header(plan), sort_keys=True).encode() + b"\n")
    digest.update(lines)
    as_many = lines.count(b"\n") + 1 == plan.length
    return plan if as_many and digest.hexdigest() == content.get("digest") else None


def _read_plan(path: Path, content: dict[str, Any]) -> MixingSetPlan:
    wanted = {
        "seed": int, "size": int, "mix": dict, "files": str, "shard": int, "shards": int, "sources": dict,
        "paintings_version": int,
    }  # fmt: skip
    for name, kind in ((_KEYS.get(name, name), kind) for name, kind in wanted.items()):
        if not isinstance(content.get(name), kind) or isinstance(content.get(name), bool):
            raise InputError(
                f"{path}: {name!r} must be of type {kind.__name__}, got {plain(repr(content.get(name)), most=60)}"
            )
    try:
        check_int64(f"{path}: 'seed'", content["seed"])
        check_count(f"{path}: 'parts'", content["parts"], 1, MIXING_MOST)
    except InputError as error:
        raise InputError(f"{error}; make the set again") from None
    if not SIZE_LEAST <= content["size"] <= SIZE_MOST:
        raise InputError(f"{path}: 'size' must lie in {SIZE_LEAST}..{SIZE_MOST}, got {content['size']}")
    if content["files"] not in FILE_FORMATS:
        raise InputError(f"{path}: 'files' must be one of {', '.join(FILE_FORMATS)}, got {content['files']!r}")
    if not 1 <= content["part"] <= content["parts"]:
        raise InputError(f"{path}: shard {content['part']} of {content['parts']} does not exist")
    for kind, count in content["mix"].items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise InputError(f"{path}: the count of {kind!r} must be a whole number above 0, got {count!r}")
        if kind not in KINDS and kind not in EXTERNAL:
            raise InputError(f"{path}: unknown kind of image {kind!r} in the mix")
    check_count(f"{path}: the images of the mix", sum(content["mix"].values()), 1, MIXING_MOST)
    return MixingSetPlan(**{name: content[_KEYS.get(name, name)] for name in wanted})


def read_entry(place: str, item: Any) -> Entry:
    """One image's entry from parsed JSON; ``place`` says where it stands, for the error."""
    wanted = {
        "number": int, "kind": str, "index": int, "file": str, "sha256": str, "attempts": int, "parameters": dict,
    }  # fmt: skip
    if not isinstance(item, dict) or set(item) != set(wanted):
        raise InputError(f"{place}: expected an object with the keys {', '.join(wanted)}; make the set again")
    for name, kind in wanted.items():
        if not isinstance(item[name], kind) or isinstance(item[name], bool):
            raise InputError(f"{place}: {name!r} must be of type {kind.__name__}, got {item[name]!r}")
    if not re.fullmatch(r"[0-9a-f]{64}", item["sha256"]):
        raise InputError(f"{place}: 'sha256' must be 64 hexadecimal digits, got {item['sha256']!r}")
    name = item["file"]
    # A name is only ever <kind>/<image>: nothing that could point outside the set's folder.
    if name and not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+-[0-9]+\.(png|jpg|webp)", name):
        raise InputError(f"{place}: the file name {name!r} is not of the form kind/kind-00000.png")
    return Entry(**item)


def _check_against_plan(path: Path, plan: MixingSetPlan, entries: list[Entry]) -> None:
    numbers = [entry.number for entry in entries]
    if len(numbers) != plan.length or numbers != plan.numbers():  # the length first: a mix may claim any number
        raise InputError(
            f"{path} lists {len(numbers)} images where shard {plan.shard} of {plan.shards} of a set of "
            f"{plan.count} has {plan.length}, or lists them out of order; make the set again"
        )
    for entry in entries:
        if (entry.kind, entry.index) != plan.image(entry.number):
            raise InputError(
                f"{path}: image {entry.number} is called {entry.kind} {entry.index}, which does not fit "
                f"the mix {plan.mix}"
            )
