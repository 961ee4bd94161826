"""The columns of studies: which measure comes from which pass over the test images, and how it is written."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ipmix.core.errors import InputError
from ipmix.core.extensions import full_name, installed, is_own

CLEAN, CORRUPTED, BAR, ATTACKED, SEQUENCES, CLOCK = "clean", "corruptions", "c-bar", "attack", "sequences", "clock"

PASS_OF = {
    "clean_error": CLEAN,
    "accuracy": CLEAN,
    "rms_calibration_error": CLEAN,
    "mean_corruption_error": CORRUPTED,
    "normalised_mean_corruption_error": CORRUPTED,
    "corruption_rms_calibration_error": CORRUPTED,
    "validation_corruption_error": "validation",
    "c_bar_error": BAR,
    "attack_error": ATTACKED,
    "mean_flip_probability": SEQUENCES,
    "epoch_seconds": CLOCK,
    "loader_share": CLOCK,
}
"""The measures that a study's table can have, each with the pass it comes from."""


@dataclass(frozen=True)
class Column:
    """How a measure is shown.

    Attributes:
        title: the column's heading.
        better: which way is better.
        factor: from our figures (shares) to the table's (percent).
        digits: behind the point.
    """

    title: str
    better: Literal["lower", "higher"] = "lower"
    factor: float = 100.0
    digits: int = 1


COLUMNS = {
    "clean_error": Column("clean error"),
    "accuracy": Column("accuracy", "higher"),
    "rms_calibration_error": Column("RMS calibration"),
    "mean_corruption_error": Column("mCE"),
    "normalised_mean_corruption_error": Column("mCE (AlexNet)"),
    "corruption_rms_calibration_error": Column("RMS under corruption"),
    "validation_corruption_error": Column("validation corruptions"),
    "c_bar_error": Column("C-bar error"),
    "attack_error": Column("PGD error"),
    "mean_flip_probability": Column("flip probability"),
    "epoch_seconds": Column("seconds an epoch", factor=1.0),
    "loader_share": Column("loader's share"),
}


def pass_of(measure: str) -> str:
    """The pass that a measure (``clean_error``, or ``objectnet/accuracy``) comes from."""
    before, slash, _ = measure.partition("/")
    return before if slash else PASS_OF.get(measure, CLEAN)  # of one's own: they are of clean images


def measure_of(measure: str, source: str = "a study") -> str:
    """The measure's own name, without its pass; InputError if there is none of that name.

    That of one's own is ``module:Name``, also for what an installed package's entry point calls otherwise.
    """
    name = measure.rpartition("/")[2]
    if name in PASS_OF:
        return name
    full = full_name(name, "measure")
    if full is None:
        known = (*PASS_OF, *installed("measure"))
        raise InputError(f"{source}: there is no measure {name!r} for a study; {near(name, known)}")
    return full


def own_of(measures: Iterable[str], pass_name: str) -> tuple[str, ...]:
    """The measures of one's own among a study's columns that come from a pass: ``module:Name``, each once."""
    full = [measure_of(measure) for measure in measures if pass_of(measure) == pass_name]
    return tuple(dict.fromkeys(name for name in full if is_own(name)))


def column_of(measure: str) -> Column:
    """How a measure's column is shown; one of a pass of its own has the pass's name in its heading."""
    name = measure_of(measure)
    if name not in COLUMNS:
        return Column(measure.replace("/", ": "), factor=1.0, digits=3)  # in its own unit, whatever that is
    column = COLUMNS[name]
    before, slash, _ = measure.partition("/")
    return Column(f"{before}: {column.title}", column.better, column.factor, column.digits) if slash else column


def near(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names as a question, or all of them."""
    known = tuple(known)
    close = difflib.get_close_matches(str(name), known, 1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(known) or 'none'}"
