"""A study: a table of the paper as data, and the cells that reproduce it at one scale or another."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from ipmix.core.errors import InputError, hidden, plain
from ipmix.core.files import no_file
from ipmix.experiment.config import EvaluationConfig, ExperimentConfig
from ipmix.experiment.config_file import TRUST, made, parsed, refuse_code, text_of
from ipmix.experiment.studies.measuring import CLOCK, measure_of, near, own_of, pass_of

NAMED = re.compile(r"\{([\w-]+)\}")
"""A folder that a study names, and --folder gives."""

PAPER_MOST = 1e9
"""No printed figure is larger."""

GROUPS = frozenset(one.name for one in fields(ExperimentConfig))
"""The keys of an experiment; each holds settings of its own."""

SCALES = "scales"
"""The file of scales that several studies share."""


@dataclass(frozen=True)
class PassConfig(EvaluationConfig):
    """One pass over test images: what is measured on how many of which."""

    corruptions: tuple[str, ...] = ("none",)
    """Which, by name or group."""

    attack: bool = False
    """Measure the error under PGD."""

    data: str | None = None
    """Other images than the study's own test images: a folder, or {NAME}, which --folder NAME=DIR gives."""

    class_map: str | None = None
    """Which folder of those images is which of the model's classes; see ipmix evaluate."""

    trim: int = 0
    """Pixels to cut off each side of those images first."""


@dataclass(frozen=True)
class ScaleConfig:
    """At which size the cells are run."""

    like: str | None = None
    """Begin with a scale of the file scales.yaml."""

    text: str = ""
    """What it is, in a sentence."""

    changes: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from the cells' own."""

    cells: dict[str, Any] = field(default_factory=dict)
    """Further changes of single cells."""

    only: tuple[str, ...] = ()
    """The cells that there are at this scale; all if left out."""

    passes: dict[str, Any] = field(default_factory=dict)
    """What is measured on which images, by name."""


@dataclass(frozen=True)
class PaperConfig:
    """What the paper printed, corrected."""

    where: str
    """Table 10."""

    measured_on: str
    """Network and data there."""

    rows: dict[str, Any] = field(default_factory=dict)
    """Cell -> measure -> value, or {value, deviation, printed, mark}: printed is what stands there by mistake."""

    notes: tuple[str, ...] = ()
    """What is wrong or unclear in it, each with its mark."""


@dataclass(frozen=True)
class StudyConfig:
    """A study file."""

    title: str
    """In a line."""

    text: str = ""
    """What it asks, and what one has to know."""

    kind: Literal["training", "epoch_time", "attention"] = "training"
    """training: cells are trained and measured; epoch_time: seconds an epoch; attention: Grad-CAM of trained cells."""

    measures: tuple[str, ...] = ()
    """The table's columns: a measure's name, or PASS/measure; one's own as module:Name or by an entry point's name."""

    reference: str | None = None
    """The cell that the others are compared with; the first if left out."""

    paper: PaperConfig | None = None
    """What the paper says."""

    base: dict[str, Any] = field(default_factory=dict)
    """The settings that all cells share, as in an experiment file."""

    cells: dict[str, Any] = field(default_factory=dict)
    """The rows: name -> what differs from the base."""

    scales: dict[str, Any] = field(default_factory=dict)
    """The sizes it can be run at."""


@dataclass(frozen=True)
class PaperValue:
    """A figure of the paper, in its own units (percent but for seconds)."""

    value: float | None
    deviation: float | None = None
    printed: str | None = None
    mark: str | None = None


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
        _check_name(path.stem, f"{path}: the file's name, which results are kept under")
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
    if not config.cells or not config.scales:
        raise InputError(f"{source}: a study needs cells and scales")
    for key, named in (("cells", config.cells), ("scales", config.scales)):
        for each in named:
            _check_name(each, f"{source}: {key}")
    for measure in config.measures:
        measure_of(measure, source)
    _refuse_twice(config.measures, f"{source}: measures")
    _check_changes(config.base, f"{source}: base")
    for cell, changes in config.cells.items():
        _check_changes(changes, f"{source}: cells.{cell}")
        _check_title((changes or {}).get("title"), f"{source}: cells.{cell}.title")
    scales = {key: _scale(key, content, source) for key, content in config.scales.items()}
    for key, scale in scales.items():
        _refuse_twice(scale.only, f"{source}: scales.{key}.only")
        _check_changes(scale.changes, f"{source}: scales.{key}.changes")
        for cell, changes in scale.cells.items():
            _check_changes(changes, f"{source}: scales.{key}.cells.{cell}")
    if opens != name:  # the package's own say in their words which network and data a scale puts in the place of theirs
        for key, scale in scales.items():
            _refuse_seeds(config, source)
            _refuse_replaced(config, (config.scales[key] or {}).get("changes") or {}, key, scale, source)
    cells = {key: {} if changes is None else changes for key, changes in config.cells.items()}
    for what, names in [("reference", [config.reference] if config.reference else [])] + [
        (f"scales.{key}", [*scale.cells, *scale.only]) for key, scale in scales.items()
    ]:
        for cell in names:
            if cell not in cells:
                raise InputError(f"{source}: {what}: there is no cell {cell!r}; {near(cell, cells)}")
    if not config.measures and config.kind != "attention":
        raise InputError(f"{source}: measures is empty; expected what the table shows, such as [clean_error]")
    _check_passes(config, scales, source)
    paper = _paper(config, cells, source)
    return Study(name, replace(config, cells=cells), paper, scales, opens)


def _check_changes(changes: Any, where: str) -> None:
    """A cell says what differs, by the keys of an experiment's file."""
    if changes is not None and not isinstance(changes, Mapping):
        raise InputError(
            f"{where}: expected what differs, such as {{method: {{name: ipmix}}}}, got {plain(repr(changes), most=60)}"
        )
    method = (changes or {}).get("method")
    held = {key: value for key, value in (changes or {}).items() if key in GROUPS}
    if isinstance(method, Mapping) and "options" in method:
        held["method.options"] = method["options"]
    for key, value in held.items():
        # Another layer's settings would be laid over it, and nobody would see that it was none.
        if not isinstance(value, Mapping):
            raise InputError(f"{where}.{key} should hold settings (key: value), got {plain(repr(value), most=60)}")


def _check_title(title: Any, where: str) -> None:
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise InputError(f"{where} is text, got {plain(repr(title), most=60)}")


def _refuse_twice(names: Iterable[str], where: str) -> None:
    names = tuple(names)
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{where}: {plain(repr(name), most=60)} is there twice; leave one of them out")


def _check_name(name: Any, where: str) -> None:
    """Results are files of these names: a stranger's study puts none outside of its folder."""
    if isinstance(name, str) and name.endswith(".work"):
        raise InputError(f"{where}: {plain(repr(name), most=60)} ends in .work, as folders of unfinished cells do")
    if not isinstance(name, str) or not name.strip() or name[0] in ".-" or set(name) & set('/\\:"*?<>|'):
        raise InputError(
            f"{where}: {plain(repr(name), most=60)} is no name: expected a text that can be a file's name, without "
            "slashes, not beginning with a dot or a dash"
        )
    if any(map(hidden, name)):
        raise InputError(f"{where}: a name holds no control characters, got {plain(repr(name), most=60)}")


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


def _refuse_replaced(
    config: StudyConfig, own_changes: Mapping[str, Any], key: str, scale: ScaleConfig, source: str
) -> None:
    """Raise :class:`InputError` where a scale would put something else in the place of a setting.

    In the place of the base's a shared one: the scale's own are there to be laid over it. In the place of a cell's any.
    """
    found: list[tuple[str, str, Mapping[str, Any], str | None]] = [("base", "the base", config.base, None)]
    found += [(f"cells.{cell}", "the cell", config.cells.get(cell) or {}, cell) for cell in scale.only or config.cells]
    for place, said, changes, cell in found:
        for group, settings in changes.items():
            laid = scale.changes.get(group)
            if not isinstance(settings, Mapping) or not isinstance(laid, Mapping):
                continue
            last = (own_changes if cell is None else scale.cells.get(cell) or {}).get(group) or {}
            for name, value in settings.items():
                if name not in laid or laid[name] == value or name in last:
                    continue
                under = f"scales.{key}.changes" if cell is None else f"scales.{key}.cells.{cell}"
                raise InputError(
                    f"{source}: {place}.{group}.{name} is {plain(repr(value), most=60)}, and scales.{key}"
                    f"{f' (like: {scale.like})' if scale.like else ''} has {plain(repr(laid[name]), most=60)} in its "
                    f"place: say which under {under}.{group}.{name}, which comes last, or leave it out of {said}"
                )


def _refuse_seeds(config: StudyConfig, source: str) -> None:
    """Seeds are asked for by --seeds; one in the file would be replaced without a word."""
    for place, changes in (("base", config.base), *((f"cells.{cell}", one) for cell, one in config.cells.items())):
        training = (changes or {}).get("training")
        if isinstance(training, Mapping) and "seed" in training:
            raise InputError(f"{source}: {place}.training.seed: seeds come from --seeds; leave it out")


def _check_passes(config: StudyConfig, scales: Mapping[str, ScaleConfig], source: str) -> None:
    for key, scale in scales.items():
        for name, one in scale.passes.items():
            made(PassConfig, one, source, f"scales.{key}.passes.{name}")
        for measure in config.measures:
            name = pass_of(measure)
            if name != CLOCK and name not in scale.passes:
                known = f"; {near(name, scale.passes)}" if scale.passes else ""
                raise InputError(
                    f"{source}: scales.{key} has no pass {name!r}, which {measure} is measured in{known}: add it, "
                    f"passes: {{{name}: {{}}}}, or begin with a scale that has it (like: laptop)"
                )


def _paper(config: StudyConfig, cells: Mapping[str, Any], source: str) -> dict[str, dict[str, PaperValue]]:
    rows: dict[str, dict[str, PaperValue]] = {}
    for cell, row in (config.paper.rows if config.paper else {}).items():
        if cell not in cells:
            raise InputError(f"{source}: paper.rows: there is no cell {cell!r}; {near(cell, cells)}")
        rows[cell] = {}
        if not isinstance(row, Mapping):
            raise InputError(
                f"{source}: paper.rows.{cell}: expected figures by measure, such as {{{config.measures[0]}: 4.0}}, got "
                f"{plain(repr(row), most=60)}"
            )
        for measure, value in row.items():
            if measure not in config.measures:
                raise InputError(
                    f"{source}: paper.rows.{cell}: {measure!r} is no measure of the study; "
                    f"{near(measure, config.measures)}"
                )
            content = value if isinstance(value, dict) else {"value": value}
            place = f"paper.rows.{cell}.{measure}"
            rows[cell][measure] = found = made(PaperValue, content, source, place)
            if abs(found.value or 0.0) > PAPER_MOST or not 0 <= (found.deviation or 0.0) <= PAPER_MOST:
                raise InputError(
                    f"{source}: {place}: expected a figure as tables print them, with a deviation of at least 0; got "
                    f"{found.value} ± {found.deviation}"
                )
    return rows


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
