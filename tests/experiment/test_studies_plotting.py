"""Plots of a study's table: what they show, where names stand, and what is refused."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="draws the plots")

from ipmix.core.errors import InputError
from ipmix.experiment.studies.comparing import Comparison, Figures
from ipmix.experiment.studies.plotting import _panels, _plane, check_plot, plot
from ipmix.experiment.studies.study import open_study

PLANE = ("clean_error", "mean_corruption_error")


def table(*points: tuple[list[float], list[float]], name: str = "table1") -> Comparison:
    """A comparison of the study's first cells, each with figures by seed for both measures of the plane."""
    study = open_study(name)
    figures: dict[str, Any] = {
        cell: {key: Figures({}) for key in study.config.measures} for cell in study.cells("laptop")
    }
    for cell, (x, y) in zip(figures, points, strict=False):
        figures[cell] |= {PLANE[0]: Figures(dict(enumerate(x))), PLANE[1]: Figures(dict(enumerate(y)))}
    return Comparison(study, "laptop", (0, 1), figures, (), ())


MADE = table(([12.0, 13.0], [20.0, 22.0]), ([14.0], [25.0]))


def boxes(comparison: Comparison, *, paper: bool = False) -> dict[str, Any]:
    """Where names stand in the plane, in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure, _ = _plane(comparison, *PLANE, paper)
    renderer = FigureCanvasAgg(figure).get_renderer()
    return {
        f"{text.get_text()} {i}": text.get_window_extent(renderer)
        for i, text in enumerate(figure.axes[0].texts)
        if text.get_text()
    }


def said(path: Path) -> str:
    """What an SVG says in its metadata."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", path.read_text(), re.S)
    assert found
    return " ".join(found[1].split())


def test_a_panel_for_each_measure(tmp_path: Path) -> None:
    plot(MADE, tmp_path / "table.svg")
    text = (tmp_path / "table.svg").read_text()
    assert "<svg" in text
    words = said(tmp_path / "table.svg")
    assert words.startswith("table1, scale laptop; k = 2, t = 2: clean_error 12.5 ± 0.7 (seeds 0, 1); ")
    assert "k = 2, t = 2 (paper): clean_error 19.5; k = 3, t = 2: clean_error 14.0 (seed 0); " in words
    assert "k = 4, t = 2 (paper): clean_error 19.3" in words
    assert "k = 4, t = 2: " not in words


def test_what_is_left_out_of_a_plane_is_said(tmp_path: Path) -> None:
    halves = table(([12.0, 13.0], [20.0]), ([14.0], []), ([], [25.0]), name="headline")
    plot(halves, tmp_path / "plane.svg", PLANE)
    words = said(tmp_path / "plane.svg")
    assert "plain: clean_error 12.0 (seed 0), mean_corruption_error 20.0 (seed 0)" in words, "of the same seeds"
    assert "mixup" not in words.lower()
    figure, _ = _plane(halves, *PLANE, True)
    assert "left out, with one of the two figures alone: MixUp, CutOut" in figure.axes[0].get_title("left")
    with pytest.raises(InputError, match="no row has figures of both clean_error and mean_corruption_error"):
        plot(table(([12.0], []), ([], [20.0])), tmp_path / "none.svg", PLANE)


def test_rows_without_figures_are_left_out_of_panels() -> None:
    figure, _ = _panels(table(([12.0], [20.0]), name="headline"), False)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["plain"]
    assert len(figure.axes) == 2
    assert "scale laptop, seeds 0, 1" in figure.get_suptitle()


def test_the_papers_figures_are_left_out(tmp_path: Path) -> None:
    for plane in ((), PLANE):
        plot(MADE, tmp_path / "table.svg", plane, paper=False, force=True)
        text = said(tmp_path / "table.svg")
        assert "k = 2, t = 2: clean_error 12.5" in text
        assert "(paper)" not in text


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plot(MADE, tmp_path / name, PLANE)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    plot(table(([12.0, 13.0], [20.0, 22.0]), ([14.1], [25.0])), tmp_path / "c.svg", PLANE)
    assert (tmp_path / "c.svg").read_bytes() != first


@pytest.mark.parametrize("ending", ["png", "pdf", "SVG"])
def test_other_kinds(ending: str, tmp_path: Path) -> None:
    plot(MADE, tmp_path / f"table.{ending}", PLANE)
    assert (tmp_path / f"table.{ending}").stat().st_size > 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_a_plane_has_a_name_at_each_point() -> None:
    assert {name.rsplit(" ", 1)[0] for name in boxes(MADE)} == {"k = 2, t = 2", "k = 3, t = 2"}
    assert len(boxes(MADE, paper=True)) == 2 + 6


@pytest.mark.parametrize(
    ("name", "plane", "message"),
    [
        ("table.doc", (), r"table\.doc \(--plot\): the ending .*\.png, \.svg, \.pdf, got '\.doc'"),
        ("table", (), r"table \(--plot\): the ending .*got none"),  # matplotlib would write table.png
        ("none/table.png", (), r"folder .*none does not exist"),
        ("there.svg", (), "exists already"),
        (
            "table.png",
            ("clean_error",),
            "the study has clean_error, mean_corruption_error; got clean_error",
        ),
        ("table.png", ("clean_error", "clean_error"), "two different measures"),
        ("table.png", ("clean_error", "mean_corruption_eror"), "did you mean mean_corruption_error"),
    ],
)
def test_what_is_refused(name: str, plane: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "there.svg").write_text("kept")
    for refusing in (
        lambda: check_plot(tmp_path / name, MADE.study.config.measures, plane),
        lambda: plot(MADE, tmp_path / name, plane),
    ):
        with pytest.raises(InputError, match=message):
            refusing()
    assert [path.name for path in tmp_path.iterdir()] == ["there.svg"]
    assert (tmp_path / "there.svg").read_text() == "kept"


def test_names_are_no_formulas_and_a_matplotlibrc_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xml.etree import ElementTree

    import matplotlib

    study = replace(MADE.study, config=replace(MADE.study.config, cells={
        "k2-t2": {"title": "$\\frac{ <b>&amp; \x1b[31m\nred"}, "k3-t2": {"title": "\u6df7\u5408 " + "x" * 500}
    }))  # fmt: skip
    table = replace(MADE, study=study, figures={cell: MADE.figures[cell] for cell in study.config.cells})
    for plane in ((), PLANE):
        plot(table, tmp_path / "one.svg", plane, force=True)
        with monkeypatch.context() as patched:
            patched.setitem(matplotlib.rcParams, "text.usetex", True)
            patched.setitem(matplotlib.rcParams, "font.size", 30)
            plot(table, tmp_path / "two.svg", plane, force=True)
        assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
        ElementTree.parse(tmp_path / "one.svg")
    assert matplotlib.rcParams["text.parse_math"], "the caller's settings are as they were"


def test_without_figures_there_is_no_plot(tmp_path: Path) -> None:
    for plane in ((), PLANE):
        with pytest.raises(InputError, match=r"no results to plot|nothing to plot"):
            plot(table(), tmp_path / "table.svg", plane)
    assert not list(tmp_path.iterdir())


def test_surroundings_that_it_cannot_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "abc")
    with pytest.raises(InputError, match=r"a\.pdf: matplotlib can't write it: .*abc"):
        plot(MADE, tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


def test_a_matplotlib_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from ipmix.core.errors import InputError\n"
        "from ipmix.experiment.studies.plotting import check_plot\n"
        "try: check_plot(Path(sys.argv[1]), ('clean_error',), ())\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.svg")], env={**os.environ, "MPLBACKEND": "nonsense"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("matplotlib can't be used here: "), done.stderr
    assert "nonsense" in done.stdout
