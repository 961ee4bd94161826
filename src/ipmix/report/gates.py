"""Bounds that a scorecard is held to: in pipelines, in tests. What is read here is refused before any work."""

import difflib
import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipmix.core.errors import InputError, plain, visible
from ipmix.measures.table import MEASURES
from ipmix.report import numbers
from ipmix.report.comparison import NOT_KNOWN, Comparison, Differing

ALIASES = {
    "error": "clean_error",
    "mce": "mean_corruption_error",
    "mfp": "mean_flip_probability",
    "mt5d": "top5_distance",
    "pgd": "attack_error",
    "autoattack": "auto_attack_error",
    "rms": "rms_calibration_error",
    "ece": "expected_calibration_error",
    "aurc": "area_under_risk_coverage",
    "nll": "negative_log_likelihood",
    "brier": "brier_score",
    "aupr": "anomaly_aupr",
    "auroc": "anomaly_auroc",
    "fpr95": "anomaly_fpr95",
}
"""Short names, in small letters; "mCE" is the corruption error, the maximum calibration error has its whole name."""

_SPELLED = {"mce": "mCE", "mfp": "mFP", "mt5d": "mT5D"}

_OPERATORS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_BOUND = re.compile(r"\s*(<=|>=|<|>)\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(%?)\s*")
_EXPRESSION = re.compile(r"\s*(.+?)\s*((?:<=|>=|<|>).*)")


def measure_named(name: str) -> str:
    """The measure that a name, a short one or a title stands for; InputError with the nearest if there is none."""
    if name.strip() == "MCE":
        raise InputError("MCE may be two things: write mCE, or maximum_calibration_error")
    known = {m.title.lower(): key for key, m in MEASURES.items()} | {key.lower(): key for key in MEASURES} | ALIASES
    key = " ".join(name.split()).lower()
    if key in known:
        return known[key]
    if (plain_key := re.sub(r"[\s-]+", "_", key)) in known:
        return known[plain_key]
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {known[close[0]]}? " if close else ""
    short = ", ".join(_SPELLED.get(alias, alias) for alias in ALIASES)
    raise InputError(
        f"there is no measure {plain(name, most=60)!r}; {hint}There is {', '.join(MEASURES)}; their titles as in the "
        f"table; and for short {short}"
    )


@dataclass(frozen=True)
class Check:
    """A measure, and what must or must not hold of it.

    Attributes:
        measure: its name.
        comparison: "<=", ">=", "<" or ">".
        bound: in the measure's own unit: fractions for percent.
        fails: whether it fails when this holds; else when it doesn't.
        text: as it was written.
    """

    measure: str
    comparison: str
    bound: float
    fails: bool
    text: str

    @classmethod
    def required(cls, name: str, bound: str) -> "Check":
        """``"mCE"``, ``"<= 40"``: must hold."""
        return cls._of(name, bound, fails=False, text=f"{name} {bound}")

    @classmethod
    def failing(cls, expression: str) -> "Check":
        """``"mCE > 40"``: must not hold."""
        found = _EXPRESSION.fullmatch(expression)
        if found is None:
            raise InputError(f'a bound is such as "mCE > 40", got {plain(expression, most=60)!r}')
        return cls._of(found[1], found[2], fails=True, text=expression.strip())

    @classmethod
    def _of(cls, name: str, bound: str, *, fails: bool, text: str) -> "Check":
        found = _BOUND.fullmatch(bound)
        if found is None:
            raise InputError(
                f'a bound is one of <=, >=, <, > and a number, such as "<= 40", got {plain(bound, most=60)!r}'
            )
        if not math.isfinite(float(found[2])):
            raise InputError(f"a bound is a finite number, got {plain(found[2], most=60)}: nothing is beyond it")
        measure = measure_named(name)
        percent = MEASURES[measure].unit == "%"
        if found[3] and not percent:
            raise InputError(f"{measure} is no percentage: write {found[1]} {found[2]}")
        if percent and MEASURES[measure].bounds == (0.0, 1.0) and not 0.0 <= float(found[2]) <= 100.0:
            raise InputError(f"{measure} lies in 0% to 100%, got the bound {found[2]}%: it would never say anything")
        return cls(measure, found[1], float(found[2]) / (100.0 if percent else 1.0), fails, text)

    def passes(self, value: float) -> bool:
        """Whether a value will do."""
        return bool(_OPERATORS[self.comparison](value, self.bound)) != self.fails


@dataclass(frozen=True)
class CheckedRow:
    """What came of one check.

    Attributes:
        name: of the measure, or of what was compared.
        asked: what was asked.
        found: what is the case, in words.
        passed: whether that will do.
    """

    name: str
    asked: str
    found: str
    passed: bool


@dataclass(frozen=True)
class Checked:
    """What came of all checks; true if all passed."""

    rows: tuple[CheckedRow, ...]

    def __bool__(self) -> bool:
        return all(row.passed for row in self.rows)

    @property
    def failed(self) -> tuple[CheckedRow, ...]:
        """The rows that did not pass."""
        return tuple(row for row in self.rows if not row.passed)

    def __add__(self, other: "Checked") -> "Checked":
        return Checked(self.rows + other.rows)

    def __str__(self) -> str:
        return "\n".join(
            visible(f"{'passed' if row.passed else 'FAILED'}: {row.name}: {row.found} ({row.asked})")
            for row in self.rows
        )

    __repr__ = __str__


def checked(card: Mapping[str, Any], checks: Sequence[Check]) -> Checked:
    """Hold a scorecard to bounds; a figure that could not be had fails, with the reason."""
    rows, part = [], f". {numbers.unfinished(card)}" if numbers.unfinished(card) else ""
    for check in checks:
        figure, title = numbers.figure_of(card, check.measure), numbers.title_of(check.measure, [card])
        asked = f"fails if {check.text}" if check.fails else f"must be {check.text}"
        if figure["value"] is None:
            rows.append(CheckedRow(title, asked, f"not given: {figure['reason']}", False))
            continue
        interval = f" ({numbers.written_interval(check.measure, figure['interval'])})" if figure["interval"] else ""
        told = f"{numbers.written(check.measure, figure['value'])}{interval}{part}"
        rows.append(CheckedRow(title, asked, told, check.passes(figure["value"])))
    return Checked(tuple(rows))


def refuse_differing(first: str, second: str, apart: Sequence[Differing]) -> None:
    """Raise :class:`InputError` with the settings in which two runs differ, if there are some."""
    if apart:
        pairs = [(one.what, *numbers.told_apart(one.first, one.second, 40)) for one in apart]
        told = ", ".join(f"{what} ({one} and {other})" for what, one, other in pairs)
        unknown = [one for one in apart if NOT_KNOWN in (one.first, one.second)]
        how = "they differ in" if not unknown else "they differ, or may differ, in"
        raise InputError(f"{second} can't be compared with {first}: {how} {plain(told, most=2000)}")


def not_worse(compared: Comparison, margin: float | None = None) -> Checked:
    """Hold the second run of a comparison to the first.

    Args:
        compared: the two runs.
        margin: how much worse a measure may be, in its own unit (0.01 is one percentage point): fails unless the paired
            interval rules out more than that. None fails only what is decided to be worse.

    Raises:
        InputError: the runs can't be compared, or with ``margin`` not pairwise.
    """
    refuse_differing(compared.first, compared.second, compared.differing)
    if margin is not None and not compared.paired:
        raise InputError(f"{compared.second} can't be held to {compared.first}: {compared.reason}")
    rows = []
    for row in compared.rows:
        sign = 1.0 if MEASURES[row.name].better == "lower" else -1.0
        told = f"{numbers.written(row.name, row.first)} to {numbers.written(row.name, row.second)}"
        if row.interval is not None:
            low, high = (_signed(row.name, bound) for bound in row.interval)
            told += f", difference {_signed(row.name, row.difference)} ({low} to {high})"
        if margin is None:
            rows.append(
                CheckedRow(
                    row.title,
                    f"not decided to be worse than {compared.first}",
                    f"{told}: {row.verdict}",
                    row.verdict != "worse",
                )
            )
            continue
        asked = f"at most {_signed(row.name, margin).lstrip('+')} worse than {compared.first}"
        if row.interval is None:  # resampling says nothing true about it: the difference itself has to do
            rows.append(CheckedRow(row.title, asked, f"{told}, no interval", sign * row.difference <= margin))
            continue
        worst = max(sign * bound for bound in row.interval)
        rows.append(CheckedRow(row.title, asked, told, worst <= margin))
    return Checked(tuple(rows))


def _signed(name: str, value: float) -> str:
    return f"{100 * value:+.2f} points" if MEASURES[name].unit == "%" else f"{value:+.4f}"
