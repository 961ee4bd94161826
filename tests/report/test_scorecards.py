import copy
import json

import pytest

from ipmix.core.errors import InputError
from ipmix.measures import proportions
from ipmix.report import render_page
from ipmix.report.scorecards import EARLIER, SCHEMA, check_card, upgraded

NEW = ("frost", "made", "hints", "corruption_intervals", "severities", "temperature", "conformal", "top5")


def earlier(card):
    """The card as the first version had it."""
    old = copy.deepcopy({key: value for key, value in card.items() if key not in NEW})
    old["schema"] = EARLIER
    for key in ("low", "high"):
        del old["reliability"][key]
    for figure in old["measures"].values():
        figure.pop("floor", None)
    old["measures"]["mean_corruption_error"] = old["measures"].pop("chosen_corruption_error")
    old["measures"]["attack_error"] |= {"value": 1.0, "interval": [1.0, 1.0], "pictures": 20}
    old["measures"]["normalised_mean_corruption_error"] = dict(old["measures"]["clean_error"])
    return json.loads(json.dumps(old))


def test_cards_of_both_versions_are_scorecards(cards):
    check_card(json.loads(json.dumps(cards[0])), "here")
    check_card(earlier(cards[0]), "here")
    with pytest.raises(InputError, match="here is not a scorecard"):
        check_card({**cards[0], "schema": "ipmix scorecard 3"}, "here")


def test_an_earlier_card_is_brought_to_this_version(cards):
    old = earlier(cards[0])
    card = upgraded(old)
    check_card(json.loads(json.dumps(card)), "here")
    assert card["schema"] == SCHEMA
    assert "mean_corruption_error" not in card["measures"]
    assert card["measures"]["chosen_corruption_error"] == cards[0]["measures"]["chosen_corruption_error"]
    assert card["measures"]["attack_error"]["interval"] == pytest.approx((0.8316, 1.0), abs=1e-4)
    assert card["measures"]["normalised_mean_corruption_error"]["value"] is None
    assert card["measures"]["clean_error"] == cards[0]["measures"]["clean_error"]
    assert card["corruption_intervals"] == cards[0]["corruption_intervals"]
    assert card["reliability"] == cards[0]["reliability"]
    assert "Clean error" in render_page([card], title="Old")
    assert old["schema"] == EARLIER, "what was read is not changed"


def test_a_mean_that_is_a_point_gets_the_interval_of_its_images(cards):
    old = earlier(cards[0])
    old["measures"]["mean_corruption_error"] |= {"value": 0.0, "interval": [0.0, 0.0]}
    old["measures"]["brier_score"] |= {"value": 0.0, "interval": [0.0, 0.0]}
    measures = upgraded(old)["measures"]
    assert measures["chosen_corruption_error"]["interval"] == pytest.approx(proportions.interval(0, 150))
    assert measures["brier_score"]["interval"] is None


def test_a_mean_over_chosen_perturbations_loses_the_benchmark_s_name(cards):
    for old in (earlier(cards[0]), copy.deepcopy(cards[0])):
        old["measures"]["mean_flip_probability"] = old["measures"].pop("chosen_flip_probability")
        measures = upgraded(old)["measures"]
        assert "mean_flip_probability" not in measures
        assert measures["chosen_flip_probability"] == cards[0]["measures"]["chosen_flip_probability"]


def test_the_calibration_error_as_published_goes_where_no_bin_was_counted(cards):
    old = copy.deepcopy(cards[0])
    figure = {"value": 0.0, "interval": None, "pictures": 150, "reason": None}
    old["measures"]["rms_calibration_error_published"] = figure
    found = upgraded(old)["measures"]["rms_calibration_error_published"]
    assert found["value"] is None
    assert "not given below 200 images, got 150" in found["reason"]
    old["measures"]["rms_calibration_error_published"] = {**figure, "value": 0.1, "pictures": 200}
    assert upgraded(old)["measures"]["rms_calibration_error_published"]["value"] == 0.1


def test_a_card_of_this_version_stays_as_it_is(cards):
    assert upgraded(cards[0]) == cards[0]
