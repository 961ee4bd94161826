"""What is refused of a study's file, before anything is trained; each message names file and key."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ipmix.core.errors import InputError, hidden, plain
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.config_file import made
from ipmix.experiment.studies.measuring import CLOCK, measure_of, near, pass_of
from ipmix.experiment.studies.study_config import PaperValue, PassConfig, ScaleConfig, StudyConfig

PAPER_MOST = 1e9
"""No printed figure is larger."""

GROUPS = frozenset(one.name for one in fields(ExperimentConfig))
"""The keys of an experiment; each holds settings of its own."""


def check_cells(config: StudyConfig, source: str) -> None:
    """Refuse names, measures, settings and titles that can't be those of a study."""
    if not config.cells or not config.scales:
        raise InputError(f"{source}: a study needs cells and scales")
    for key, named in (("cells", config.cells), ("scales", config.scales)):
        for each in named:
            check_name(each, f"{source}: {key}")
    for measure in config.measures:
        measure_of(measure, source)
    _refuse_twice(config.measures, f"{source}: measures")
    _check_changes(config.base, f"{source}: base")
    for cell, changes in config.cells.items():
        _check_changes(changes, f"{source}: cells.{cell}")
        _check_title((changes or {}).get("title"), f"{source}: cells.{cell}.title")


def check_scales(config: StudyConfig, scales: Mapping[str, ScaleConfig], source: str) -> None:
    """Refuse scales (as they are with what they begin with) whose settings, cells or passes don't fit the study."""
    named = {"reference": [config.reference] if config.reference else []}
    for key, scale in scales.items():
        _refuse_twice(scale.only, f"{source}: scales.{key}.only")
        _check_changes(scale.changes, f"{source}: scales.{key}.changes")
        for cell, changes in scale.cells.items():
            _check_changes(changes, f"{source}: scales.{key}.cells.{cell}")
        named[f"scales.{key}"] = [*scale.cells, *scale.only]
    for what, names in named.items():
        for cell in names:
            if cell not in config.cells:
                raise InputError(f"{source}: {what}: there is no cell {cell!r}; {near(cell, config.cells)}")
    if not config.measures and config.kind != "attention":
        raise InputError(f"{source}: measures is empty; expected what the table shows, such as [clean_error]")
    _check_passes(config, scales, source)


def refuse_replaced(config: StudyConfig, scales: Mapping[str, ScaleConfig], source: str) -> None:
    """Refuse seeds, which --seeds would replace, and settings that a scale would put something else in the place of."""
    _refuse_seeds(config, scales, source)
    for key, scale in scales.items():
        _refuse_replaced_at(config, (config.scales[key] or {}).get("changes") or {}, key, scale, source)


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


def check_name(name: Any, where: str) -> None:
    """Results are files of these names: a stranger's study puts none outside of its folder."""
    if isinstance(name, str) and name.endswith(".work"):
        raise InputError(f"{where}: {plain(repr(name), most=60)} ends in .work, as folders of unfinished cells do")
    is_text = isinstance(name, str) and name and name == name.strip()
    if not is_text or name[0] in ".-" or set(name) & set('/\\:"*?<>|,'):
        raise InputError(
            f"{where}: {plain(repr(name), most=60)} is no name: expected a text that can be a file's name, without "
            "slashes and commas, not beginning with a dot or a dash"
        )
    if any(map(hidden, name)):
        raise InputError(f"{where}: a name holds no control characters, got {plain(repr(name), most=60)}")


def _refuse_replaced_at(
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
            if group == "method" and "name" in laid and "name" not in settings and not last:
                raise InputError(
                    f"{source}: {place}.method says {', '.join(map(str, settings))} and no name, and scales.{key} "
                    f"names {plain(repr(laid['name']), most=60)}, which replaces it whole: name that in {said} too"
                )
            for name, value in settings.items():
                if name not in laid or laid[name] == value or name in last:
                    continue
                under = f"scales.{key}.changes" if cell is None else f"scales.{key}.cells.{cell}"
                raise InputError(
                    f"{source}: {place}.{group}.{name} is {plain(repr(value), most=60)}, and scales.{key}"
                    f"{f' (like: {scale.like})' if scale.like else ''} has {plain(repr(laid[name]), most=60)} in its "
                    f"place: say which under {under}.{group}.{name}, which comes last, or leave it out of {said}"
                )


def _refuse_seeds(config: StudyConfig, scales: Mapping[str, ScaleConfig], source: str) -> None:
    """Seeds are asked for by --seeds; one in the file would be replaced without a word."""
    layers = [("base", config.base), *((f"cells.{cell}", one) for cell, one in config.cells.items())]
    for key, scale in scales.items():
        layers += [(f"scales.{key}.changes", scale.changes)]
        layers += [(f"scales.{key}.cells.{cell}", one) for cell, one in scale.cells.items()]
    for place, changes in layers:
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


def checked_paper(config: StudyConfig, source: str) -> dict[str, dict[str, PaperValue]]:
    """The paper's figures, cell -> measure -> value; refused where a row or a column is none of the study's."""
    rows: dict[str, dict[str, PaperValue]] = {}
    for cell, row in (config.paper.rows if config.paper else {}).items():
        if cell not in config.cells:
            raise InputError(f"{source}: paper.rows: there is no cell {cell!r}; {near(cell, config.cells)}")
        rows[cell] = {}
        if not isinstance(row, Mapping):
            raise InputError(
                f"{source}: paper.rows.{cell}: expected figures by measure, such as {{clean_error: 4.0}}, got "
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
