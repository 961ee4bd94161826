"""Reading results back: the scorecards in a file or folder, the outcomes beside them, and the baseline run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, first_line, plain
from ipmix.core.files import no_file, real
from ipmix.core.json_text import each_key_once
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.per_image import FILE, read_per_image
from ipmix.evaluation.predictions import open_predictions
from ipmix.evaluation.scorecard import score, scored
from ipmix.measures.comparing import PerImage
from ipmix.report.comparison import Scored
from ipmix.report.scorecards import check_card, upgraded


def read_runs(path: str | Path) -> list[Scored]:
    """The scorecards in a file or folder, each with its outcomes image by image where they were kept.

    Outcomes are in ``outcomes.npz`` beside a ``scorecard.json``; results of several runs have a folder for each, named
    like it in small letters. Where they are missing, predictions beside the scorecard give them again.

    Raises:
        InputError: there are no scorecards, the file is something else, or outcomes belong to other scorecards.
    """
    given = Path(path)
    cards = read_cards(given)
    folder = given if given.is_dir() else given.parent
    if len(cards) == 1:
        return [Scored(cards[0], _outcomes(folder, cards[0]))]
    return [Scored(card, _outcomes(folder / str(card["run"].get("name", "")).lower(), card)) for card in cards]


def told_apart(found: Sequence[tuple[Path, Scored]]) -> list[Scored]:
    """The runs, where several have one name (two networks of a kind) with their folders' names behind it.

    Args:
        found: each with the file or folder that it was read from.
    """
    names = [str(run.card["run"].get("name") or "") for _, run in found]
    runs = []
    for (path, run), name in zip(found, names, strict=True):
        folder = path if path.is_dir() else path.parent
        place = real(folder).name
        if names.count(name) > 1 and place and place != name:
            run = replace(run, card={**run.card, "run": {**run.card["run"], "name": f"{name} in {place}".strip()}})
        runs.append(run)
    return runs


def _outcomes(folder: Path, card: Mapping[str, Any]) -> PerImage | None:
    if (file := folder / FILE).is_file():
        return read_per_image(file, card)
    if not (folder / "predictions").is_dir():
        return None
    try:
        again = scored(open_predictions(folder), samples=0)
    except InputError:
        return None
    same = {**again.card["run"], "baseline": None} == {**card["run"], "baseline": None}
    return again.per_image if same and again.card["pictures"] == card["pictures"] else None


def read_cards(path: str | Path) -> list[dict[str, Any]]:
    """The scorecards in a file or folder: one of ``ipmix evaluate``, several of ``quickstart`` and ``experiment``.

    Those of the first version of the schema are brought to the second.

    Raises:
        InputError: there are none, or the file is something else.
    """
    given = Path(path)
    found = [given / name for name in ("scorecard.json", "results.json") if (given / name).is_file()]
    file = found[0] if found else given
    if not file.is_file():
        known = "" if not file.exists() or file.is_dir() else f" ({no_file(file)})"
        raise InputError(f"{path} holds no results{known}; expected scorecard.json of ipmix evaluate, or such a folder")
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refused, object_pairs_hook=each_key_once)
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is not JSON ({first_line(error)}); expected a scorecard of ipmix evaluate") from None
    except RecursionError:
        raise InputError(f"{file} is nested too deeply to be a scorecard of ipmix evaluate") from None
    key = next((key for key in ("runs", "measured") if isinstance(content, dict) and key in content), None)
    if key is None:
        check_card(content, str(file))
        return [upgraded(content)]
    runs = content[key]
    if key == "measured" and runs == {}:
        raise InputError(
            f"{file} is of an experiment that measured nothing (--no-evaluate): run ipmix experiment on {file.parent} "
            "again with --resume, and without that"
        )
    if not isinstance(runs, dict) or not runs:
        raise InputError(
            f"{file}: {key} must be an object of name to scorecard, at least one, got {type(runs).__name__}"
        )
    for name, card in runs.items():
        check_card(card, f"{file}, run {plain(repr(name), most=60)}")
    return [upgraded(card) for card in runs.values()]


def _refused(word: str) -> float:
    raise ValueError(f"it holds {word}, which is no JSON; figures that can't be had are null")


def read_baseline(path: str | Path) -> Baseline:
    """The run to divide by: a scorecard, a folder with one, or predictions (an ``.npz``, a folder of them).

    Raises:
        InputError: there is none, or there are several.
    """
    given = Path(path)
    scored = given.suffix == ".json" or any((given / name).is_file() for name in ("scorecard.json", "results.json"))
    cards = read_cards(given) if scored else [score(open_predictions(given), samples=0)]
    if len(cards) != 1:
        raise InputError(f"{path} holds {len(cards)} results; a baseline is one: pass one run's scorecard.json")
    return Baseline.of_card(cards[0])
