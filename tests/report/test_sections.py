import copy
import io
import json

import pytest

from ipmix.evaluation.card import Scorecard
from ipmix.measures.corruption import ALEXNET
from ipmix.report import exports, gates, render_page, sections, tables
from ipmix.report.comparison import Scored, compare_runs
from ipmix.report.facts import facts_of, facts_of_making
from ipmix.report.numbers import images_of, title_of, written_change, written_floor


def test_a_choice_of_corruptions_is_called_by_what_it_is_over(cards):
    assert title_of("chosen_corruption_error", cards) == "Mean error over 2 corruptions, severities 1, 2, 3, 4, 5"
    one = copy.deepcopy(cards[0])
    one["corruptions"] = {"fog": {"3": 0.5}}
    assert title_of("chosen_corruption_error", [one]) == "Mean error over 1 corruption, severity 3"
    assert title_of("chosen_corruption_error", [one, cards[0]]) == "Mean error over chosen corruptions"
    one["corruptions"] = {"fog": {"3": 0.5}, "snow": {"1": 0.5}}
    assert title_of("chosen_corruption_error", [one]) == "Mean error over 2 corruptions, severities that differ"
    for text in (render_page([cards[0]], title="T"), tables.markdown([cards[0]])):
        assert "Mean error over 2 corruptions" in text
        assert "Corruption error (mCE)" not in text


def test_a_choice_of_perturbations_is_called_by_what_it_is_over(cards, tmp_path):
    """In table, page, CSV, model card, comparison and checks: mFP goes over the ten perturbations of -P alone."""
    name, title = "chosen_flip_probability", "Mean flip probability over 1 perturbation"
    assert title_of(name, cards) == title
    other = copy.deepcopy(cards[0])
    other["flips"] |= {"scale": [0.5]}
    other["run"]["plan"] = {"difficulty": 2}
    assert title_of(name, [other]) == "Mean flip probability over 2 perturbations, difficulty 2"
    assert title_of(name, [other, cards[0]]) == "Mean flip probability over chosen perturbations"
    told = [render_page([cards[0]], title="T"), tables.markdown([cards[0]]), exports.model_card(cards[0])]
    told.append(str(Scorecard(cards[0])) + repr(Scorecard(cards[0])))
    told.append(str(gates.checked(cards[0], [gates.Check.required(name, "<= 1")])))
    told.append(json.dumps([each.to_dict() for each in compare_runs([Scored(card) for card in cards])]))
    for text in told:
        assert title in text
        assert "mFP)" not in text
    assert ",chosen_flip_probability," in tables.to_csv(cards)
    assert "mean_flip_probability" not in tables.to_csv(cards)


def test_every_row_has_its_own_number_of_images(cards):
    few = copy.deepcopy(cards[0])
    few["measures"]["attack_error"]["pictures"] = 20
    rows = {row[0]: row[-1] for row in tables.comparison([few])[1]}
    assert rows["Adversarial error"] == "20"
    assert rows["Clean error"] == "150"
    assert images_of("attack_error", [few, cards[1]]) == "20 / 150"
    assert "wrong answers before or after a gradient attack (PGD); 20 images" in render_page([few], title="T")


def test_figures_below_their_floor_are_marked_everywhere(cards):
    card = copy.deepcopy(cards[0])
    figure = card["measures"]["rms_calibration_error"]
    figure |= {"value": 0.05, "floor": {"mean": 0.06, "high": 0.09, "cleared": False}}
    assert written_floor("rms_calibration_error", figure) == "noise floor 6.0%, up to 9.0%"
    assert "~5.0%" in tables.markdown([card])
    out = io.StringIO()
    tables.print_comparison([card], out=out)
    assert "no more than chance gives a perfectly calibrated model" in out.getvalue()
    assert "~5.0%" in render_page([card], title="T")
    figure["floor"]["cleared"] = True
    assert "~5.0%" not in tables.markdown([card])


@pytest.mark.parametrize(("frost", "told"), [("procedural", "grown by a procedure"), ("not known", "is not known")])
def test_frost_that_does_not_compare_is_told_everywhere(cards, frost, told):
    card = copy.deepcopy(cards[0]) | {"frost": frost}
    out = io.StringIO()
    tables.print_comparison([card], out=out)
    for text in (out.getvalue(), tables.markdown([card]), render_page([card], title="T")):
        assert told in text
    assert told in dict(facts_of(card))["frost"] or frost == "not known"
    card["frost"] = "published"
    assert told not in render_page([card], title="T")


def test_published_figures_stand_only_beside_what_compares(cards):
    assert sections.against_published([{**cards[0], "measures": {}}]) is None
    assert sections.against_published(cards)["published"] == []
    card = copy.deepcopy(cards[0])
    card["measures"]["mean_corruption_error"] = card["measures"].pop("chosen_corruption_error")
    card["measures"]["normalised_mean_corruption_error"] = dict(card["measures"]["mean_corruption_error"])
    card["corruptions"] = {name: dict.fromkeys("12345", 0.5) for name in ALEXNET}
    found = sections.against_published([card])
    assert found["published"] == ["AlexNet", "ResNet-50"]
    rows = {row["title"]: row["published"] for row in found["rows"]}
    assert rows["mCE against AlexNet"] == ["100.0%", "76.7%"]
    assert "ResNet-50, published" in render_page([card], title="T")


def test_only_the_kinds_of_figures_that_stand_there_are_announced(cards):
    told = sections.against_published(cards)["told"]
    assert told == "Errors under corruption: as they are; flips over perturbation sequences."
    card = copy.deepcopy(cards[0])
    figure = card["measures"]["chosen_corruption_error"]
    card["measures"]["chosen_top5_distance"] = figure
    assert "; flips and top-5 distances over" in sections.against_published([card])["told"]
    for name in ("chosen_flip_probability", "chosen_top5_distance"):
        del card["measures"][name]
    assert sections.against_published([card])["told"] == "Errors under corruption: as they are."
    card["measures"]["relative_mean_corruption_error"] = figure
    card["measures"]["baseline_chosen_corruption_error"] = figure
    assert sections.against_published([card])["told"] == (
        "Errors under corruption: as they are, against the baseline and minus the error on clean images."
    )


def test_what_chance_alone_may_explain_is_told_once_a_card_with_its_figures(cards):
    def below(card, mean, high):
        figure = copy.deepcopy(card)
        figure["measures"]["rms_calibration_error"] |= {
            "value": 0.01, "floor": {"mean": mean, "high": high, "cleared": False}
        }  # fmt: skip
        return figure

    said = "even a perfectly calibrated model scores this much"
    two = render_page([below(cards[0], 0.0097, 0.023), below(cards[1], 0.011, 0.027)], title="T")
    assert two.count(said) == 1
    assert "(plain: 0.97% on average, up to 2.3%; IPMix: 1.1% on average, up to 2.7%)" in two
    assert "(0.97% on average, up to 2.3%)" in render_page([below(cards[0], 0.0097, 0.023)], title="T")
    many = render_page([below(cards[0], 0.01 + 0.001 * n, 0.02 + 0.001 * n) for n in range(4)], title="T")
    assert "(1.0–1.3% on average, up to 2.0–2.3%)" in many
    for card in cards:
        card["measures"]["rms_calibration_error"]["floor"]["cleared"] = True
    assert said not in render_page(cards, title="T")


def test_scaling_and_sets_are_on_the_page(cards):
    page = render_page(cards, title="T")
    assert "temperature scaling" in page
    assert "split-conformal prediction" in page
    conditions = [row["condition"] for row in sections.conformal(cards, ["a", "b"])[0]["rows"]]
    assert conditions == ["clean", *(f"severity {s}" for s in range(1, 6))]
    without = [{**card, "temperature": {"reason": "few"}, "conformal": {"reason": "few"}} for card in cards]
    assert "temperature scaling" not in render_page(without, title="T")


def test_runs_that_do_not_compare_get_a_table_and_no_verdict(cards):
    other = copy.deepcopy(cards[1])
    other["run"]["form"] = {"size": 224}
    comparisons = compare_runs([Scored(cards[0]), Scored(other)])
    page = render_page([cards[0], other], title="T", comparisons=comparisons)
    assert "▼ better" not in page
    assert "what differs" in page
    assert 'bar-value best"' not in page
    out = io.StringIO()
    tables.print_comparison([cards[0], other], out=out)
    assert "No verdict" in out.getvalue()
    assert [line.split() for line in out.getvalue().splitlines() if line.startswith("size")] == [
        ["size", "not", "known", "224"]
    ]


def test_only_what_is_decided_is_bold(cards):
    assert 'bar-value best"' in render_page(cards, title="T")
    assert 'bar-value best"' not in render_page([cards[0], cards[0]], title="T")


def test_changes_are_written_with_their_sign():
    assert written_change("clean_error", -0.039, (-0.074, -0.006)) == "-3.9 (-7.4 to -0.6)"
    assert written_change("brier_score", 0.01, None) == "+0.010"
    assert written_change("clean_error", 0.0, (-0.01, 0.01)) == "0.0 (-1.0 to +1.0)"


def test_how_it_was_made_is_complete(cards):
    card = copy.deepcopy(cards[0])
    card["run"] |= {
        "data": {"name": "d", "sha256": "ab" * 32, "pictures": 150, "classes": ["a"]},
        "form": {"size": 224, "crop": 0.875, "mean": [0.5], "std": [0.25]},
    }
    card["frost"] = "published"
    card["made"] = {
        "versions": {"torch": "9.9"}, "device": "cpu", "precision": "float32", "normalisation": None, "side": 224,
        "command": "ipmix evaluate m d",
    }  # fmt: skip
    facts = dict(facts_of(card))
    assert facts["data's hash"] == "sha256 abababababababab…"
    assert facts["form of the images"] == "size 224, crop 0.875, mean 0.5, std 0.25"
    assert facts["frost"] == "the published photographs"
    assert (facts["device"], facts["precision"], facts["command"]) == ("cpu", "float32", "ipmix evaluate m d")
    assert facts["torch"] == "9.9"
    other = copy.deepcopy(cards[1]) | {"made": card["made"] | {"device": "cuda"}}
    assert facts_of_making([card, other]) == [
        ("device", "plain: cpu\nIPMix: cuda"), ("precision", "float32"), ("command", "ipmix evaluate m d")
    ]  # fmt: skip
    assert facts_of_making(cards) == []
    del card["run"]["form"]
    facts = dict(facts_of(card))
    assert facts["size"] == "224 pixels"
    assert facts["normalisation"].startswith("none known")


def test_curves_cells_and_bars_carry_intervals(cards):
    page = render_page([cards[0]], title="T")
    assert page.count('class="line range"') == 6, "clean and five severities"
    filled = sum(count > 0 for count in cards[0]["reliability"]["count"])
    assert page.count('class="interval"') == filled
    low, high = cards[0]["corruption_intervals"]["fog"]["1"]
    error = cards[0]["corruptions"]["fog"]["1"]
    assert f"{100 * error:.1f}% ({100 * low:.1f}–{100 * high:.1f}), 150 images" in page
