"""A study: a table of the paper as data, and the cells that reproduce it at one scale or another."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, plain
from ipmix.core.files import no_file
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.config_file import TRUST, made, parsed, refuse_code, text_of
from ipmix.experiment.studies.measuring import CLOCK, near, own_of, pass_of
from ipmix.experiment.studies.study_checks import (
    check_cells,
    check_name,
    check_scales,
    checked_paper,
    refuse_replaced,
)
from ipmix.experiment.studies.study_config import PaperValue, PassConfig, ScaleConfig, StudyConfig

NAMED = re.compile(r"\{([\w-]+)\}")
"""A folder that a study names, and --folder gives."""

SCALES = "scales"
"""The file of scales that several studies share."""


@dataclass(frozen=True)
class Study:
    """A study that can be asked for its cells; see :func:`open_study`."""

    name: str
    config: StudyConfig
    paper: Mapping[str, Mapping[str, PaperValue]]
    scales: Mapping[str, ScaleConfig]
    source: str
    """What opens it: its name, or its file."""

    @property
    def reference(self) -> str:
        return self.config.reference or next(iter(self.config.cells))

    def scale(self, name: str) -> ScaleConfig:
        """One of the study's scales; InputError with the nearest if there is none."""
        if name not in self.scales:
            raise InputError(f"{self.name} has no scale {name!r}; {near(name, self.scales)}")
        return self.scales[name]

    def cells(self, scale: str, wanted: Iterable[str] = ()) -> tuple[str, ...]:
        """The names of the cells at a scale, or those wanted of them."""
        there = self.scale(scale).only or tuple(self.config.cells)
        wanted = tuple(wanted)
        for name in wanted:
            if name not in there:
                raise InputError(f"{self.name} has no cell {name!r} at scale {scale}; {near(name, there)}")
        return tuple(name for name in there if not wanted or name in wanted)

    def experiment(self, cell: str, scale: str, seed: int) -> ExperimentConfig:
        """The settings of a cell's run."""
        at = self.scale(scale)
        content: dict[str, Any] = {}
        for changes in (self.config.base, self.config.cells[cell], at.changes, at.cells.get(cell, {})):
            content = merged(content, changes)
        content.pop("title", None)
        content = merged(content, {"training": {"seed": seed}})
        return made(ExperimentConfig, content, f"study {self.name}, cell {cell}, scale {scale}")

    def passes(self, scale: str) -> dict[str, PassConfig]:
        """What is measured at a scale: the passes that the study's measures come from."""
        at = self.scale(scale)
        needed = dict.fromkeys(pass_of(measure) for measure in self.config.measures)
        found = {}
        for name in needed:
            if name == CLOCK:  # every training has one
                found[name] = PassConfig()
                continue
            one = made(PassConfig, at.passes[name], f"study {self.name}, scale {scale}, pass {name}")
            own = dict.fromkeys((*one.own_measures, *own_of(self.config.measures, name)))
            found[name] = replace(one, own_measures=tuple(own))
        return found

    @property
    def folders(self) -> set[str]:
        """What --folder can be given for, at any scale: what stands in braces, and the images to look at."""
        text = repr([self.config.base, self.config.cells, *self.scales.values()])
        return {*NAMED.findall(text), *(["images"] if self.config.kind == "attention" else [])}

    def called(self, cell: str) -> str:
        """What a cell is called in tables; one line."""
        return plain((self.config.cells.get(cell) or {}).get("title") or cell)


def study_names() -> tuple[str, ...]:
    """The studies that come with the package, in a reader's order: table2 before table10."""
    names = [path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml")]
    return tuple(sorted((name for name in names if name != SCALES), key=_reading_order))


def open_study(name: str, *, trust: bool = False) -> Study:
    """A study by its name, or from a file of one's own (a path that ends in .yaml).

    ``trust``: a file may name code (``module:Name``) as method, network, corruption or measure, which is then run.

    Raises:
        InputError: there is none of that name (the message names the nearest), or the file's keys or values don't fit.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"{no_file(path)}; expected a study's file (YAML)")
        check_name(path.stem, f"{path}: the file's name, which results are kept under")
        return _read(path.stem, text_of(path), str(path), str(path), trust)
    if name not in study_names():
        raise InputError(f"there is no study {name!r}; {near(name, study_names())}")
    return _shipped(name)


@cache
def _shipped(name: str) -> Study:
    return _read(name, (_folder() / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml", name)


def _read(name: str, text: str, source: str, opens: str, trust: bool = False) -> Study:
    content = parsed(text, source)
    if not trust:
        refuse_code(content, source, TRUST)
    config = made(StudyConfig, content, source)
    check_cells(config, source)
    scales = {key: _scale(key, content, source) for key, content in config.scales.items()}
    check_scales(config, scales, source)
    if opens != name:  # the package's own say in their words which network and data a scale puts in the place of theirs
        refuse_replaced(config, scales, source)
    cells = {key: {} if changes is None else changes for key, changes in config.cells.items()}
    return Study(name, replace(config, cells=cells), checked_paper(config, source), scales, opens)


def _scale(name: str, content: Any, source: str) -> ScaleConfig:
    if content is None:
        content = {}
    where = f"{source}: scales.{name}"
    own = made(ScaleConfig, content, where)
    if own.like is None:
        return own
    shared = parsed((_folder() / f"{SCALES}.yaml").read_text(encoding="utf-8"), f"{SCALES}.yaml")
    if own.like not in shared:
        raise InputError(f"{where}: there is no scale {own.like!r} in {SCALES}.yaml; {near(own.like, shared)}")
    base = made(ScaleConfig, shared[own.like], f"{SCALES}.yaml: {own.like}")
    changed = own.changes or own.cells or own.passes
    return replace(
        own,
        text=own.text or ("" if changed else base.text),
        changes=merged(base.changes, own.changes),
        passes=merged(base.passes, own.passes),
    )


def merged(content: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings with changes laid over them, key by key; a method that is named replaces the method before it whole."""
    found = dict(content)
    for key, value in (changes or {}).items():
        whole = key == "method" and isinstance(value, Mapping) and "name" in value
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping) and not whole:
            found[key] = merged(found[key], value)
        else:
            found[key] = value
    return found


def _reading_order(name: str) -> tuple[str, int]:
    letters = name.rstrip("0123456789")
    return (letters, int(name[len(letters) :] or 0))


def _folder() -> Any:
    return files("ipmix.experiment.studies") / "tables"
