"""The scorecard as a Python object: to look at, to take apart, to compare, to hold to a bound."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipmix.core.checking import described, shown
from ipmix.core.errors import InputError, visible
from ipmix.core.files import leads_nowhere, refuse_zero_byte, write_text
from ipmix.core.json_text import json_text
from ipmix.evaluation.per_image import FILE, write_per_image
from ipmix.evaluation.results import read_runs
from ipmix.measures.comparing import PerImage
from ipmix.measures.table import HEADLINE, measure_named
from ipmix.report.comparison import Comparison, Scored, compare
from ipmix.report.gates import Check, Checked, checked
from ipmix.report.numbers import (
    figure_of,
    measure_names,
    run_names,
    title_of,
    unanswered,
    unfinished,
    written,
    written_interval,
)
from ipmix.report.page import render_page
from ipmix.report.tables import comparison, notes, plain, to_csv, unfinished_runs

if TYPE_CHECKING:
    import pandas

FRAME_HEIGHT = 760
"""Pixels that the page takes in a notebook."""


class Scorecard:
    """What an evaluation found.

    Attributes:
        card: the scorecard as JSON data, as in ``scorecard.json``.
        per_image: the outcomes image by image; None where they were not kept.
        page: the report, one HTML page.
    """

    def __init__(self, card: Mapping[str, Any], per_image: PerImage | None = None, page: str | None = None) -> None:
        self.card, self.per_image = dict(card), per_image
        self.page = page or render_page([self.card], title=f"How safe is {self.card['run'].get('name')}?")

    @classmethod
    def of_folder(cls, folder: str | Path, card: Mapping[str, Any] | None = None) -> "Scorecard":
        """What ``ipmix evaluate`` wrote to a folder.

        Args:
            folder: with ``scorecard.json``.
            card: the scorecard, where it is at hand.

        Raises:
            InputError: there is none, or several.
        """
        if not isinstance(folder, str | Path) or not str(folder).strip():
            raise InputError(f"of_folder needs a folder's name, got {shown(folder)}")
        runs = read_runs(folder)
        if len(runs) != 1:
            raise InputError(f"{folder} holds {len(runs)} results; expected one scorecard.json")
        page = Path(folder) / "report.html"
        text = page.read_text(encoding="utf-8") if page.is_file() else None
        return cls(runs[0].card if card is None else card, runs[0].per_image, text)

    @property
    def measures(self) -> dict[str, float | None]:
        """Each measure's value: fractions (0.25 is 25 %), None where it could not be had."""
        return {name: figure["value"] for name, figure in self.card["measures"].items()}

    def __getitem__(self, measure: str) -> float | None:
        """A measure's value by its name; InputError, with the nearest name, if there is none."""
        from ipmix.report.gates import measure_named

        if not isinstance(measure, str):
            raise InputError(f"a measure is named by a text such as 'clean_error', got {shown(measure)}")
        value: float | None = figure_of(self.card, measure_named(measure))["value"]
        return value

    def to_dict(self) -> dict[str, Any]:
        """The scorecard as JSON data."""
        return dict(self.card)

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each measure: title, value, low, high, unit, better, images, reason; needs pandas.

        The reason says why there is no value, that images count as wrong because the model gave no valid answer, or
        that the evaluation did not come to its end.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise InputError('to_pandas needs pandas, which is not installed: pip install "ipmix[pandas]"') from None
        rows, part = [], unfinished(self.card)
        for name in measure_names([self.card]):
            figure, measure = figure_of(self.card, name), measure_named(name)
            low, high = figure["interval"] or (None, None)
            told = figure["reason"] or unanswered(name, self.card) or part or None
            rows.append(
                {
                    "measure": name, "title": title_of(name, [self.card]), "value": figure["value"],
                    "low": low, "high": high, "unit": measure.unit, "better": measure.better,
                    "images": figure["pictures"], "reason": told,
                }
            )  # fmt: skip
        return pandas.DataFrame(rows).set_index("measure")

    def compare(self, other: "Scorecard") -> Comparison:
        """How the other run does against this one: paired differences, or the settings that differ."""
        if not isinstance(other, Scorecard):
            raise InputError(f"a scorecard is compared with another Scorecard, got {described(other)}")
        return compare(Scored(self.card, self.per_image), Scored(other.card, other.per_image), names=HEADLINE)

    def check(self, bounds: Mapping[str, str]) -> Checked:
        """Hold measures to bounds.

        Args:
            bounds: measure -> what must hold, such as ``{"mCE": "<= 40", "clean_error": "<= 25"}``: one of ``<=``,
                ``>=``, ``<``, ``>`` and a finite number. A measure is named by its key (those of :attr:`measures`), by
                its title in tables, in any case, or for short (:data:`ipmix.report.gates.ALIASES`). The number is in
                the table's unit: percent for all that stands there with %, so that ``"<= 40"`` and ``"<= 40%"`` are
                the same and 0.4 is less than half a percent; Brier score, log loss and top-5 distance as they are.

        Returns:
            The rows; true if all hold: ``assert card.check({"mCE": "<= 40"})`` says which doesn't.

        Raises:
            InputError: a measure or a bound that can't be read; of a measure, with the nearest name and all there are.
        """
        if not isinstance(bounds, Mapping) or not bounds:
            raise InputError(f'bounds are such as {{"mCE": "<= 40"}}, at least one, got {described(bounds)}')
        for name, bound in bounds.items():
            if not (isinstance(name, str) and isinstance(bound, str)):
                raise InputError(
                    'a bound is a text such as "<= 40" (percent, where the measure is), '
                    f"got {shown(name)}: {shown(bound)}"
                )
        return checked(self.card, [Check.required(name, bound) for name, bound in bounds.items()])

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write ``scorecard.json``, ``scorecard.csv``, ``report.html`` and, for comparisons, ``outcomes.npz``.

        Args:
            folder: made if it isn't there.
            force: replace another scorecard in it.

        Raises:
            InputError: the folder can't be made, or holds another scorecard.
        """
        if not isinstance(folder, str | Path) or not str(folder).strip():
            raise InputError(f"save needs a folder's name, got {shown(folder)}")
        refuse_zero_byte(folder)
        target = Path(folder)
        if target.exists() and not target.is_dir():
            raise InputError(f"{target} is a file; expected a folder to save the scorecard in")
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = leads_nowhere(target) or error.strerror
            raise InputError(f"{target} can't be made ({reason}): choose another folder") from None
        file, text = target / "scorecard.json", json_text(self.card, indent=1) + "\n"
        if file.exists() and not force and file.read_bytes() != text.encode():
            raise InputError(f"{target} holds another scorecard: choose another folder, or pass force=True")
        if self.per_image is not None:
            write_per_image(target / FILE, self.per_image)
        write_text(file, text)
        write_text(target / "scorecard.csv", to_csv([self.card]))
        write_text(target / "report.html", self.page)
        return target

    def __repr__(self) -> str:
        lines = [f"Scorecard of {run_names([self.card])[0]}, {self.card['pictures']} images"]
        lines += unfinished_runs([self.card])
        for name in (name for name in HEADLINE if name in self.card["measures"]):
            figure = figure_of(self.card, name)
            interval = f" ({written_interval(name, figure['interval'])})" if figure["interval"] else ""
            lines.append(f"  {title_of(name, [self.card])}: {written(name, figure['value'])}{interval}")
        return "\n".join(lines)

    def __str__(self) -> str:
        header, rows = comparison([self.card])
        told = notes([self.card], measure_names([self.card]))
        first = "".join(f"{line}\n" for line in unfinished_runs([self.card]))
        return first + plain(header, rows) + "".join(f"{visible(note)}\n" for note in told)

    def _repr_html_(self) -> str:
        """The page in a frame of its own: its style can't reach the notebook's, nor the notebook's it."""
        title = html.escape(f"Scorecard of {self.card['run'].get('name')}", quote=True)
        return (
            f'<iframe title="{title}" srcdoc="{html.escape(self.page, quote=True)}" sandbox="allow-scripts" '
            f'style="width:100%;height:{FRAME_HEIGHT}px;border:1px solid #8884;border-radius:8px"></iframe>'
        )
