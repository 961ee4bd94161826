"""Names beside points: they cover nothing, and whose each is can be told."""

import itertools
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="measures and draws text")

from hypothesis import given, settings
from hypothesis import strategies as st

from ipmix.experiment.studies import labels
from ipmix.experiment.studies.labels import Box, Label, _nearest, _overlaps, place_labels


def placed(points: list[tuple[float, float]], *, bar: float = 0.3, name: str = "a method") -> tuple[Any, Any, Any]:
    """Axes from 0 to 10 with these points and names, what measures text, and the texts that are names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.2))
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    renderer = FigureCanvasAgg(figure).get_renderer()
    place_labels(axes, renderer, [Label(f"{name} {i}", x, y, bar, bar, "black") for i, (x, y) in enumerate(points)])
    return axes, renderer, [text for text in axes.texts if text.get_text()]


@settings(deadline=None, max_examples=8)
@given(st.lists(st.tuples(st.floats(1, 9), st.floats(1, 9)), min_size=1, max_size=14))
def test_names_cover_no_name_no_point_and_stay_inside(points: list[tuple[float, float]]) -> None:
    axes, renderer, texts = placed(points)
    frame = axes.get_window_extent(renderer)
    found = [text.get_window_extent(renderer) for text in texts]
    assert len(found) == len(points)
    for one, other in itertools.combinations(found, 2):
        assert not one.overlaps(other)
    for box, point in itertools.product(found, axes.transData.transform(points)):
        assert not box.contains(*point)
    for box in found:
        assert frame.x0 < box.x0
        assert box.x1 < frame.x1
        assert frame.y0 < box.y0
        assert box.y1 < frame.y1


def test_a_name_that_covers_another_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [(5.0, 5.0), (5.1, 5.1)]
    _, renderer, texts = placed(crowd)
    assert not texts[0].get_window_extent(renderer).overlaps(texts[1].get_window_extent(renderer))
    monkeypatch.setattr(labels, "GAPS", (7,))
    monkeypatch.setattr(labels, "WAYS", (0,))
    _, renderer, texts = placed(crowd)
    assert texts[0].get_window_extent(renderer).overlaps(texts[1].get_window_extent(renderer))


def test_a_line_leads_where_it_could_be_anothers() -> None:
    lone, _, _ = placed([(2.0, 2.0), (8.0, 8.0)])
    assert len(lone.texts) == 2, "names alone"
    row, renderer, texts = placed([(4.0 + 0.12 * i, 5.0) for i in range(12)], bar=0.0)
    lines = [text for text in row.texts if not text.get_text()]
    assert len(lines) >= 8
    boxes = [Box(*text.get_window_extent(renderer).extents) for text in texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_what_cannot_be_free_is_written_all_the_same() -> None:
    _, _, texts = placed([(5.0, 5.0)] * 40)
    assert len(texts) == 40
    _, _, wide = placed([(5.0, 5.0)], name="x" * 300)
    assert len(wide) == 1


def test_distances_of_boxes() -> None:
    one = Box(0, 0, 2, 2)
    others = np.array([[5.0, 6.0, 7.0, 8.0], [4.0, 0.0, 6.0, 2.0], [1.0, 1.0, 3.0, 3.0], [2.0, 0.0, 3.0, 1.0]])
    assert [_nearest(one, others[i : i + 1]) for i in range(4)] == [5.0, 2.0, 0.0, 0.0]
    assert _nearest(one, others[:0]) == float("inf")
    assert _overlaps([one], others).tolist() == [[False, False, True, False]], "touching is not covering"
    assert [one.overlaps(Box(*other)) for other in others] == [False, False, True, False]
    assert one.nearest(3, 1) == (2, 1)
