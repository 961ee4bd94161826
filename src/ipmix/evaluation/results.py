"""Reading results back: the scorecards in a file or folder, and the run that others are divided by."""

import json
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, first_line, plain
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.predictions import open_predictions
from ipmix.evaluation.scorecard import score
from ipmix.report.scorecards import check_card


def read_cards(path: str | Path) -> list[dict[str, Any]]:
    """The scorecards in a file or folder: one of ``ipmix evaluate``, two of ``ipmix quickstart``.

    Raises:
        InputError: there are none, or the file is something else.
    """
    given = Path(path)
    found = [given / name for name in ("scorecard.json", "results.json") if (given / name).is_file()]
    file = found[0] if found else given
    if not file.is_file():
        raise InputError(f"{path} holds no results; expected scorecard.json of ipmix evaluate, or such a folder")
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refused)
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is not JSON ({first_line(error)}); expected a scorecard of ipmix evaluate") from None
    except RecursionError:
        raise InputError(f"{file} is nested too deeply to be a scorecard of ipmix evaluate") from None
    if not isinstance(content, dict) or "runs" not in content:
        check_card(content, str(file))
        return [content]
    runs = content["runs"]
    if not isinstance(runs, dict) or not runs:
        raise InputError(
            f"{file}: runs must be an object of name to scorecard, at least one, got {type(runs).__name__}"
        )
    for name, card in runs.items():
        check_card(card, f"{file}, run {plain(repr(name), most=60)}")
    return list(runs.values())


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
