import copy
import dataclasses

import pytest

from ipmix.measures.corruption import ALEXNET
from ipmix.report import render_page
from ipmix.report.comparison import NOT_KNOWN, Compared, Comparison, Differing, Scored, compare_runs, explained
from ipmix.report.numbers import written
from ipmix.report.page import _against
from ipmix.report.summary import against_the_first, in_a_sentence


def figure(value, count, interval=None):
    return {"value": value, "interval": interval, "pictures": count, "reason": None if value is not None else "few"}


def card(errors=None, bounds=None, reliability=None, **measures):
    return {
        "run": {"name": "m"}, "pictures": 2000, "measures": measures, "corruptions": errors or {},
        "corruption_intervals": bounds or {}, "reliability": reliability,
    }  # fmt: skip


EVERY = {name: dict.fromkeys("12345", 0.5) for name in ALEXNET}
ERRORS = {**EVERY, "glass_blur": dict.fromkeys("12345", 0.81), "brightness": dict.fromkeys("12345", 0.27)}


def around(errors, half):
    return {name: {at: [max(0, e - half), min(1, e + half)] for at, e in by.items()} for name, by in errors.items()}


CONFIDENT = {"edges": [0.0, 0.9, 1.0], "count": [1000, 1000], "confidence": [0.7, 0.94], "accuracy": [0.6, 0.92]}


def test_a_whole_scorecard():
    found = in_a_sentence(
        card(
            ERRORS, around(ERRORS, 0.02), CONFIDENT,
            clean_error=figure(0.24, 2000, [0.22, 0.26]), mean_corruption_error=figure(0.637, 2000, [0.62, 0.65]),
            attack_error=figure(0.954, 500, [0.93, 0.97]),
        )
    )  # fmt: skip
    assert found == (
        "Wrong on 24.0% of 2,000 clean images, 63.7% of corrupted ones (mCE: 15 corruptions at 5 severities) and 95.4% "
        "of 500 images under attack; most under glass blur (81.0%), least under brightness (27.0%); its confidence on "
        "clean images is on average 6.0 points too high."
    )


def test_confidence_is_judged_only_beyond_chance():
    timid = {**CONFIDENT, "confidence": [0.5, 0.94], "accuracy": [0.6, 0.92]}
    told = card(None, None, timid, clean_error=figure(0.24, 2000, [0.22, 0.26]))
    assert in_a_sentence(told).endswith("on average 4.0 points too low.")
    unsure = card(None, None, timid, clean_error=figure(0.24, 2000, [0.18, 0.30]))
    assert "confidence" not in in_a_sentence(unsure)
    assert "confidence" not in in_a_sentence(card(None, None, None, clean_error=figure(0.24, 2000, [0.22, 0.26])))


def test_corruptions_are_ranked_only_beyond_chance():
    clean = {"clean_error": figure(0.2, 2000, [0.18, 0.22])}
    assert "most under" in in_a_sentence(card(ERRORS, around(ERRORS, 0.02), **clean))
    assert "most under" not in in_a_sentence(card(ERRORS, around(ERRORS, 0.3), **clean))
    assert "most under" not in in_a_sentence(card(ERRORS, None, **clean)), "no intervals, no rank"
    assert "most under" not in in_a_sentence(card(EVERY, around(EVERY, 0.02), **clean)), "all alike"
    single = {"fog": {"3": 0.4}}
    assert "most under" not in in_a_sentence(card(single, around(single, 0.02), **clean))
    uneven = {"fog": {"1": 0.1}, "snow": {"5": 0.9}}
    assert "most under" not in in_a_sentence(card(uneven, around(uneven, 0.01), **clean)), "other severities"


def test_a_selection_is_no_mce():
    chosen = {"fog": {"3": 0.4}, "snow": {"3": 0.5}}
    found = in_a_sentence(card(chosen, chosen_corruption_error=figure(0.45, 2000, [0.43, 0.47])))
    assert found == "Wrong on 45.0% of corrupted images (2 corruptions at severity 3)."
    assert "mCE" not in found
    uneven = {"fog": {"3": 0.4}, "snow": {"1": 0.5}}
    found = in_a_sentence(card(uneven, chosen_corruption_error=figure(0.45, 2000, [0.43, 0.47])))
    assert found == "Wrong on 45.0% of corrupted images (2 corruptions at several severities)."


def test_few_images_are_counted_and_what_they_leave_open_is_told():
    found = in_a_sentence(card(clean_error=figure(1 / 3, 3, [0.01, 0.91])))
    assert found == (
        "Wrong on 1 of 3 clean images. So few images leave much open: on clean images, anything from 1.0% to 91.0% "
        "wrong fits."
    )
    found = in_a_sentence(card(clean_error=figure(0.25, 2000, [0.23, 0.27]), attack_error=figure(1.0, 10, [0.69, 1.0])))
    assert found.startswith("Wrong on 25.0% of 2,000 clean images and all 10 images under attack.")
    assert "under attack, anything from 69.0% to 100.0% wrong fits" in found


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (0.0, "none of the 10,000"),
        (1e-4, "0.01% of 10,000"),
        (4e-5, "under 0.01% of 10,000"),
        (0.004, "0.40% of 10,000"),
        (0.996, "99.6% of 10,000"),
        (0.9996, "over 99.9% of 10,000"),
        (1.0, "all 10,000"),
    ],
)
def test_a_perfect_model_and_one_that_is_nearly(error, said):
    told = card(clean_error=figure(error, 10000, [max(0.0, error - 0.001), min(1.0, error + 0.001)]))
    assert in_a_sentence(told) == f"Wrong on {said} clean images."


def test_what_was_not_measured_is_not_mentioned():
    assert in_a_sentence(card()) == ""
    assert in_a_sentence(card(clean_error=figure(None, 0))) == ""
    assert in_a_sentence(card(auto_attack_error=figure(0.7, 1000, [0.68, 0.72]))) == (
        "Wrong on 70.0% of 1,000 images under attack."
    )


def compared(second, **verdicts):
    rows = tuple(
        Compared(name, name.replace("_", " ").capitalize(), 0.5, 0.4, -0.1, (-0.2, 0.0), 100, 0.01, 0.01, verdict)
        for name, verdict in verdicts.items()
    )
    return Comparison("plain", second, (), rows, True, len(rows), None)


def test_two_runs():
    both = compared("IPMix", clean_error="better", attack_error="worse", mean_flip_probability="undecided")
    assert against_the_first([both]) == (
        "Against plain, IPMix is better in clean error; is worse in attack error; too close to call: mean flip "
        "probability."
    )
    level = compared("IPMix", clean_error="undecided")
    assert against_the_first([level]) == (
        "Between plain and IPMix nothing is decided: all measures are too close to call."
    )
    assert against_the_first([]) == ""


def test_several_runs_are_counted():
    three = [compared(name, clean_error=verdict) for name, verdict in zip("abc", ("better", "worse", "undecided"))]
    assert against_the_first(three) == (
        "Of 3 runs against plain: clean error better in 1 and worse in 1. All else is too close to call."
    )
    assert against_the_first(three[2:] * 2) == "Of 2 runs, none is decided to be better or worse than plain."


def test_runs_in_other_settings_get_no_verdict():
    apart = Comparison("plain", "other", (Differing("size", "32", "64"),), (), False, 0, None)
    ways = "the runs were made in different ways, so that their figures don't compare."
    assert against_the_first([apart]) == f"No verdict on other: {ways}"
    assert explained(apart) == f"No verdict: {ways}"
    found = against_the_first([apart, compared("b", clean_error="better")])
    assert found.startswith("Against plain, b is better in clean error. No verdict on other")
    assert f"No verdict on 2 of the 2 runs after the first: {ways}" in against_the_first([apart, apart])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([("data", "abc", NOT_KNOWN)], "how they were made is not known of both runs, so that whether"),
        ([("data", "abc", NOT_KNOWN), ("size", "32", "64")], "in different ways, as far as that is known, so that"),
    ],
)
def test_what_is_not_known_is_not_said_to_differ(settings, said):
    """In the summary, below the table and on the page alike."""
    apart = Comparison("plain", "other", tuple(Differing(*each) for each in settings), (), False, 0, None)
    assert said in against_the_first([apart])
    assert said in explained(apart)
    assert said in str(apart)


def test_one_rounding_in_sentence_and_table(cards):
    """What the sentence says of a measure stands in the table in the same digits."""
    page = render_page(cards[:1], title="T")
    sentence = in_a_sentence(cards[0])
    for name in ("chosen_corruption_error", "attack_error", "clean_error"):
        value = written(name, cards[0]["measures"][name]["value"])
        assert value in sentence
        assert page.count(value) > 1


def test_the_page_begins_with_it(cards):
    page = render_page(cards[:1], title="T")
    place = page.index(in_a_sentence(cards[0]))
    assert page.index("<h1>") < place < page.index("At a glance") < page.index("Research detail")
    page = render_page(cards, title="T")
    assert against_the_first(compare_runs([Scored(card) for card in cards])) in page
    assert in_a_sentence(cards[1]) in page


@pytest.mark.parametrize("count", [3, 5])
def test_many_comparisons_are_one_table(cards, count):
    page = render_page([cards[place % 2] for place in range(count)], title="T")
    assert page.count('class="verdict"') == (2 if count == 3 else 0)
    assert page.count("measures against") == (1 if count == 5 else 0)
    assert page.count("▼ better") > 0


def test_the_table_of_comparisons_says_whether_they_are_paired(cards):
    runs = [cards[place % 2] for place in range(5)]
    page = render_page(runs, title="T")
    assert "paired differences" not in page
    assert page.count("Not paired: a scorecard alone") == 1
    found = compare_runs([Scored(card) for card in runs])
    paired = [dataclasses.replace(each, paired=True) for each in found]
    assert _against(found)["kind"] == "differences"
    assert _against(paired)["kind"] == "paired differences"
    mixed = _against([paired[0], *found[1:]])
    assert mixed["kind"] == "differences"
    assert "paired 95% intervals" in mixed["explained"]
    assert "Not paired" in mixed["explained"]


def test_settings_of_several_runs_are_said_once(cards):
    from ipmix.report.exports import rendered

    one, other = copy.deepcopy(cards[0]), copy.deepcopy(cards[1])
    for each, digest in ((one, "ab" * 32), (other, "cd" * 32)):
        each["run"]["model"] = {"name": "net", "parameters": 1000, "sha256": digest}
    page = rendered([one, other], "html")
    assert page.count("net, 1,000 parameters") == 1
    assert "plain: sha256 abababababababab…\nIPMix: sha256 cdcdcdcdcdcdcdcd…" in page
