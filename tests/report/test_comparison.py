import json

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures.comparing import PerImage
from ipmix.report.comparison import Scored, compare, compare_runs, differing

PLAN = {
    "corruptions": ["fog"], "severities": [1, 3], "form": "original", "perturbations": [], "difficulty": 1, "seed": 0,
    "attack": {"norm": "linf", "epsilon": 0.01, "steps": 5, "step_size": 0.002, "restarts": 1, "centre": "clean"},
}  # fmt: skip
COUNT = 60


def run(name, wrong, attacked=None, *, labels=None, **changes):
    """A run on 60 images of which those in ``wrong`` are answered wrongly."""
    wrong = np.asarray(wrong, float)
    attacked = wrong[:20] if attacked is None else np.asarray(attacked, float)
    entry = {"interval": None, "reason": None}
    card = {
        "run": {"name": name, "data": {"name": "d", "sha256": "abc", "pictures": COUNT, "classes": ["a", "b"]},
                "plan": PLAN, "form": {"size": 224, "crop": 0.875, "mean": [0.5], "std": [0.2]}},
        "pictures": COUNT,
        "among": {"classes": 2, "outputs": 2, "all": True},
        "measures": {
            "clean_error": {"value": wrong.mean(), "pictures": COUNT, **entry},
            "attack_error": {"value": attacked.mean(), "pictures": len(attacked), **entry},
        },
        "corruptions": {"fog": {"1": 0.5, "3": 0.5}},
        "flips": {},
    }  # fmt: skip
    for place, value in changes.items():
        *way, last = place.split("__")
        inner = card
        for key in way:
            inner[key] = dict(inner[key])
            inner = inner[key]
        inner[last] = value
    arguments = {"clean_error": (wrong,), "attack_error": (attacked,)}
    labels = np.zeros(COUNT, np.int64) if labels is None else labels
    return Scored(card, PerImage(arguments, np.arange(COUNT), labels))


WRONG = np.arange(COUNT) < 30


def test_a_paired_difference_is_decided_where_the_intervals_overlap():
    better = WRONG & (np.arange(COUNT) >= 12)  # 50 % and 30 %: the intervals are 37-63 and 19-43
    found = compare(run("a", WRONG), run("b", better))
    assert found.paired
    assert found.family == 2
    row = found.row("clean_error")
    assert row.difference == pytest.approx(-0.2)
    assert row.interval[0] < -0.2 < row.interval[1] < 0
    assert row.verdict == "better"
    assert compare(run("a", better), run("b", WRONG)).row("clean_error").verdict == "worse"
    assert compare(run("a", WRONG), run("b", WRONG)).row("clean_error").verdict == "undecided"
    assert found.row("attack_error").images == 20
    json.dumps(found.to_dict(), allow_nan=False)


def test_several_comparisons_are_corrected_together():
    """One measure of one run is certain by itself (p about 0.02), and is not among eight."""
    second = WRONG.copy()
    second[:8] = False
    second[59] = True
    alone = compare(run("a", WRONG), run("b", second), names=["clean_error"])
    assert alone.row("clean_error").verdict == "better"
    many = compare_runs([run("a", WRONG), run("b", second), *(run(f"c{i}", WRONG) for i in range(4))])
    row = many[0].row("clean_error")
    assert many[0].family == 10
    assert row.p == alone.row("clean_error").p
    assert row.p_corrected > 0.05
    assert row.verdict == "undecided"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"run__data__sha256": "other"}, "data"),
        ({"pictures": 50}, "images"),
        ({"corruptions": {"fog": {"1": 0.5, "3": 0.5}, "snow": {"1": 0.5, "3": 0.5}}}, "corruptions"),
        ({"corruptions": {"fog": {"1": 0.5}}}, "severities"),
        ({"run__form__size": 256}, "size"),
        ({"run__form__crop": 1.0}, "crop"),
        ({"run__form__mean": [0.0]}, "mean"),
        ({"run__form__std": [1.0]}, "std"),
        ({"run__plan__attack__steps": 20}, "attack"),
        ({"measures__attack_error__pictures": 10}, "attack"),
        ({"frost": "procedural"}, "frost"),
        ({"run__plan__seed": 1}, "seed"),
        ({"run__plan__form": "corrected"}, "form of corruptions"),
        ({"among": {"classes": 2, "outputs": 1000, "all": False}}, "classes"),
    ],
)
def test_runs_in_other_settings_get_no_verdict_but_what_differs(changes, what):
    one, other = run("a", WRONG), run("b", ~WRONG, **changes)
    found = compare(one, other)
    assert [d.what for d in found.differing] == [what]
    assert found.rows == ()
    assert compare(one, other, despite=[what]).rows != ()


def test_what_a_run_has_not_measured_is_not_said_to_be_unknown():
    found = compare(run("a", WRONG), run("b", WRONG, corruptions={}))
    assert [d.what for d in found.differing] == ["corruptions"]
    frost = {"fog": {"1": 0.5, "3": 0.5}, "frost": {"1": 0.5, "3": 0.5}}
    found = compare(run("a", WRONG), run("b", WRONG, corruptions=frost, frost="published"))
    assert [(d.what, d.first) for d in found.differing] == [("corruptions", "fog"), ("frost", "none")]


def test_the_same_settings_differ_in_nothing():
    assert differing(run("a", WRONG).card, run("b", WRONG).card) == []


def test_other_labels_are_other_images():
    found = compare(run("a", WRONG), run("b", WRONG, labels=np.arange(COUNT)))
    assert [d.what for d in found.differing] == ["labels"]


def test_a_scorecard_alone_can_t_be_paired_and_says_so():
    better = WRONG & (np.arange(COUNT) >= 12)
    one, other = run("a", WRONG), run("b", better)
    found = compare(Scored(one.card), other)
    assert not found.paired
    assert "a scorecard alone doesn't say" in found.reason
    row = found.row("clean_error")
    assert (row.interval, row.p, row.verdict) == (None, None, "undecided")
    one.card["measures"]["clean_error"]["interval"] = [0.45, 0.55]
    other.card["measures"]["clean_error"]["interval"] = [0.25, 0.35]
    assert compare(Scored(one.card), Scored(other.card)).row("clean_error").verdict == "better"


def test_a_comparison_reads_as_a_table():
    better = WRONG & (np.arange(COUNT) >= 12)
    text = str(compare(run("a", WRONG), run("b", better)))
    header, _, clean, _, *_ = text.splitlines()
    assert header.split() == ["a", "->", "b", "difference", "verdict", "images"]
    assert clean.startswith("Clean error")
    assert clean.split()[-2:] == ["better", "60"]
    assert "corrected for that (Holm), so that" in text
    assert text.endswith("a difference whose interval leaves out 0 may still be too close to call.")
    apart = compare(run("a", WRONG), run("b", better, pictures=50))
    assert str(apart).splitlines()[0].split() == ["differs", "a", "b"]
    assert "No verdict" in str(apart)
    assert repr(apart) == str(apart)


def test_what_can_t_be_compared():
    with pytest.raises(InputError, match="unknown measure 'mce'"):
        compare(run("a", WRONG), run("b", WRONG), names=["mce"])
    with pytest.raises(InputError, match="at least 2 runs"):
        compare_runs([run("a", WRONG)])
