"""Results of cells: one small JSON file for each cell, scale and seed; any number of folders is read as one.

What a result is of, its settings say, not its name: a result counts for every study that has a cell with the same
settings, whatever that is called there. Only settings that are not the defaults are kept, so that a new setting with a
default makes no old result another one.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError
from ipmix.core.files import real
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.studies.result_files import key_of, read_result
from ipmix.experiment.studies.study import Study
from ipmix.experiment.studies.study_config import PassConfig
from ipmix.methods.choosing import chosen_method


@dataclass(frozen=True)
class Job:
    """A cell at a scale with a seed: one result.

    Attributes:
        study: the study's name.
        cell: the cell's.
        scale: the scale's.
        seed: the run's.
        experiment: its settings, with the data's and folders' names as the study has them.
        passes: what is measured.
        kind: the study's.
        source: what opens the study: its name, or its file.
    """

    study: str
    cell: str
    scale: str
    seed: int
    experiment: ExperimentConfig
    passes: Mapping[str, PassConfig]
    kind: str = "training"
    source: str = ""

    @property
    def name(self) -> str:
        """What it is called in lines of progress."""
        return f"{self.study} {self.cell} seed {self.seed}"

    def path(self, out: Path) -> Path:
        """The result's file."""
        return out / self.study / self.scale / f"{self.cell}-seed{self.seed}.json"

    def work(self, out: Path) -> Path:
        """The folder of the run while it is at work."""
        return out / self.study / self.scale / f"{self.cell}-seed{self.seed}.work"

    def log(self, out: Path) -> Path:
        """What the run's process says, as long as it has not ended well."""
        return self.path(out).with_suffix(".log")

    @property
    def needs_weights(self) -> bool:
        """Whether it is done only if the network is kept."""
        return self.kind == "attention"

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the trained network: the settings that are not the defaults, as JSON holds them."""
        found = settings_of(self.experiment)
        found.pop("evaluation", None)
        about = self.experiment.method
        try:
            method = chosen_method(about.name, about.preset, about.options)
        except InputError as error:
            raise InputError(f"study {self.study}, cell {self.cell}: method: {error}") from None
        # The method's own settings, not the preset's name: what two tables call by two names is one cell.
        found["method"] = "none" if method is None else _described(method)
        if method is None or not method.needs_mixing_images:
            found.pop("mixing", None)
        return {"kind": self.kind, **found} if self.kind == "epoch_time" else found

    @property
    def key(self) -> str:
        """A hash of the settings."""
        return key_of(self.settings)


def jobs(study: Study, scale: str, seeds: Iterable[int], cells: Iterable[str] = ()) -> list[Job]:
    """The cells of a study at a scale: all of the first seed, then of the next, so that tables get whole early."""
    names = study.cells(scale, cells)
    passes = study.passes(scale)
    return [
        Job(study.name, cell, scale, seed, study.experiment(cell, scale, seed), passes, study.config.kind, study.source)
        for seed in seeds
        for cell in names
    ]


def settings_of(value: Any) -> dict[str, Any]:
    """A dataclass as JSON holds it, without what is as its class has it by default."""
    found: dict[str, Any] = {}
    for entry in dataclasses.fields(value):
        here = getattr(value, entry.name)
        if dataclasses.is_dataclass(here):
            if inner := settings_of(here):
                found[entry.name] = inner
            continue
        default = entry.default
        if entry.default_factory is not dataclasses.MISSING:
            default = entry.default_factory()
        if here != default:
            found[entry.name] = [_described(item) for item in here] if isinstance(here, tuple) else here
    return found


def _described(value: Any) -> Any:
    """A method by its name and settings; anything else as it is."""
    if dataclasses.is_dataclass(value):
        found = {"name": getattr(value, "name", type(value).__name__), **settings_of(value)}
        # A function of one's own by where it stands.
        return {k: f"{v.__module__}:{v.__qualname__}" if callable(v) else v for k, v in found.items()}
    return value


class Results:
    """The results in some folders.

    Args:
        folders: with results in them or below; one that isn't there holds none, and what lies in two of them counts
            once.

    Raises:
        InputError: a JSON file there can't be read, or is no whole result; see :func:`read_result`.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._by_key: dict[str, list[dict[str, Any]]] = {}
        seen = set()
        for folder in folders:
            for path in sorted(Path(folder).rglob("*-seed*.json")):
                if any(part.endswith(".work") for part in path.relative_to(folder).parts) or path.name.endswith(
                    ".scorecard.json"
                ):
                    continue
                if (place := real(path)) in seen:
                    continue
                seen.add(place)
                if (content := read_result(path)) is not None:
                    self._by_key.setdefault(content["key"], []).append({**content, "path": str(path)})

    def of(self, job: Job, *, weights: bool = False) -> dict[str, Any] | None:
        """The result of a job's settings that holds all of its passes (and a kept network), or None."""
        return next(iter(self._all_of(job, weights)), None)

    def agreed(self, job: Job) -> dict[str, Any] | None:
        """As :meth:`of`, for a table: the results of a job's settings must hold the same figures in its passes.

        Raises:
            InputError: two of them don't; which one is right, nobody can tell.
        """
        found = self._all_of(job, False)
        for other in found[1:]:
            first = found[0]
            if key := _differing(first, other, job.passes):
                raise InputError(
                    f"{first['path']} and {other['path']} are results of the same settings and seed, with different "
                    f"figures ({key}): give only one of the folders (--out, --folders), or move one of the files away"
                )
        return next(iter(found), None)

    def _all_of(self, job: Job, weights: bool) -> list[dict[str, Any]]:
        return [
            content
            for content in self._by_key.get(job.key, [])
            if not (weights and not Path(content["path"]).with_suffix(".safetensors").exists())
            and all(
                content["passes"].get(name, {}).get("settings") == settings_of(wanted)
                for name, wanted in job.passes.items()
            )
        ]

    def within(self, folder: Path) -> list[dict[str, Any]]:
        """The results whose files lie in this very folder."""
        return [one for same in self._by_key.values() for one in same if Path(one["path"]).parent == folder]

    def seeds(self) -> tuple[int, ...]:
        """The seeds of all results."""
        return tuple(sorted({one["seed"] for same in self._by_key.values() for one in same}))

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))


def _differing(first: Mapping[str, Any], other: Mapping[str, Any], passes: Iterable[str]) -> str | None:
    """A measure that both have, with two values; None if there is none."""
    for name in passes:
        ours, theirs = (one["passes"][name]["measures"] for one in (first, other))
        for measure in (name for name in ours if name in theirs):
            here, there = ours[measure]["value"], theirs[measure]["value"]
            if here != there:
                return f"passes.{name}.measures.{measure}.value: {here} and {there}"
    return None


def refuse_other(job: Job, out: Path) -> None:
    """Refuse to replace the result of other settings that lies where this job's belongs.

    Raises:
        InputError: naming a setting that differs; or the file there is no whole result.
    """
    path = job.path(out)
    if not path.exists():
        return
    there = read_result(path)
    if there is None:
        raise InputError(f"{path} is no result of a study: choose another --out, or pass --force to replace it")
    ours = {"settings": job.settings, "passes": {name: settings_of(one) for name, one in job.passes.items()}}
    theirs = {
        "settings": there["settings"],
        # What else was measured there makes it no other result.
        "passes": {name: there["passes"][name]["settings"] for name in job.passes if name in there["passes"]},
    }
    lines = _differences(theirs, ours)
    if lines:
        raise InputError(
            f"{path} is the result of other settings ({lines[0]}"
            f"{f' and {len(lines) - 1} more' if len(lines) > 1 else ''}): choose another --out, or pass --force to "
            "replace it"
        )


def _differences(theirs: Any, ours: Any, key: str = "") -> list[str]:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        names = dict.fromkeys([*theirs, *ours])
        return [
            line
            for name in names
            for line in _differences(theirs.get(name), ours.get(name), f"{key}.{name}" if key else str(name))
        ]
    there, now = ("left out" if value is None else repr(value) for value in (theirs, ours))
    return [] if theirs == ours else [f"{key}: there {there}, now {now}"]
