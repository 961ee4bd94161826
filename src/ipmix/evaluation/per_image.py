"""Outcomes image by image, kept beside a scorecard in ``outcomes.npz``: what a paired comparison needs.

They are a few numbers for each image and measure (some 100 kB for 1,000 images), so that a baseline can be kept
and shared without its predictions. Where the file is missing, the predictions beside the scorecard do as well.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmix.core.errors import InputError, first_line
from ipmix.core.files import replacing
from ipmix.core.json_text import json_text
from ipmix.measures.comparing import PerImage
from ipmix.measures.table import MEASURES
from ipmix.report.scorecards import CHOSEN_SEQUENCES

FILE = "outcomes.npz"
_WHICH = "which"
_NOT_OF_FEW = "rms_calibration_error_published"


def write_per_image(path: Path, found: PerImage) -> None:
    """Write the outcomes; an array that several measures share is there once."""
    arrays: dict[str, NDArray[Any]] = {"indices": found.indices, "labels": found.labels}
    names: dict[int, str] = {}
    which: dict[str, list[str]] = {}
    for measure, arguments in found.arguments.items():
        for array in arguments:
            names.setdefault(id(array), f"array{len(names)}")
            arrays[names[id(array)]] = array
        which[measure] = [names[id(array)] for array in arguments]
    arrays[_WHICH] = np.frombuffer(json_text(which).encode(), np.uint8)
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_per_image(path: Path, card: Mapping[str, Any]) -> PerImage:
    """Read outcomes back.

    Args:
        path: the file.
        card: the scorecard beside it, whose figures they must give.

    Raises:
        InputError: it can't be read, or belongs to another scorecard.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        which = json.loads(arrays[_WHICH].tobytes())
        found = PerImage(
            {measure: tuple(arrays[name] for name in names) for measure, names in which.items()},
            arrays["indices"],
            arrays["labels"],
        )
    except MemoryError:
        raise
    except Exception as error:  # zipfile, its decompressors, NumPy's headers and JSON raise a dozen kinds
        raise InputError(
            f"{path} can't be read as outcomes ({first_line(error)}); delete it, and score the predictions again"
        ) from None
    if not set(found.arguments) & set(CHOSEN_SEQUENCES) <= set(card["measures"]):  # earlier files' names
        renamed = {CHOSEN_SEQUENCES.get(name, name): each for name, each in found.arguments.items()}
        found = PerImage(renamed, found.indices, found.labels)
    if (card["measures"].get(_NOT_OF_FEW) or {"value": 0})["value"] is None:  # earlier files have it for any number
        kept = {name: each for name, each in found.arguments.items() if name != _NOT_OF_FEW}
        found = PerImage(kept, found.indices, found.labels)
    for measure, arguments in found.arguments.items():
        value = card["measures"].get(measure, {}).get("value")
        if value is None or not _gives(measure, arguments, value):
            raise InputError(
                f"{path} doesn't belong to the scorecard beside it (another {measure}); score the predictions again"
            )
    return found


def _gives(measure: str, arguments: tuple[NDArray[Any], ...], value: float) -> bool:
    try:
        found = MEASURES[measure].function(*arguments)
    except (InputError, KeyError, ValueError, TypeError, IndexError):
        return False
    return bool(abs(found - value) <= 1e-9 * max(1.0, abs(value)))
