import json

import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation import results
from ipmix.report import exports
from ipmix.report.scorecards import check_card


def test_scorecards_follow_the_schema(cards, tmp_path, made_card):
    for card in [*cards, made_card(tmp_path / "few", "few", count=20)]:
        check_card(json.loads(json.dumps(card)), "card.json")
        older = {key: value for key, value in card.items() if key not in ("among", "scores")}
        check_card(json.loads(json.dumps(older)), "card.json")


def changed(card, path, value):
    """The card as JSON, with another value at a path of keys; without the last key for ``...``."""
    card = json.loads(json.dumps(card))
    *way, last = path
    inner = card
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return card


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["pictures"], 0, "pictures must be at least 1, got 0"),
        (["pictures"], "many", "pictures must be a whole number, got 'many'"),
        (["pictures"], True, "pictures must be a whole number"),
        (["more"], 1, "more is no key of a scorecard"),
        (["run"], ..., "it lacks run"),
        (["measures"], ..., "it lacks measures"),
        (["measures"], [], "measures must be an object"),
        (["without_answer"], ..., "it lacks without_answer"),
        (["bootstrap"], ..., "it lacks bootstrap"),
        (["bootstrap", "level"], ..., "bootstrap lacks level"),
        (["flips"], ..., "it lacks flips"),
        (["flips", "tilt"], [], "flips.tilt must be a list of 1 or more entries"),
        (["flips", "tilt"], ["a"], r"flips.tilt\[0\] must be a number"),
        (["corruptions"], ..., "it lacks corruptions"),
        (["corruptions", "fog"], {}, "corruptions.fog is empty"),
        (["corruptions", "fog", "x"], 0.5, "corruptions.fog.x is no key"),
        (["measures", "clean_error", "value"], "low", "measures.clean_error.value must be a number or null"),
        (["measures", "clean_error", "value"], 10**400, "measures.clean_error.value must be a finite number"),
        (["measures", "clean_error", "interval"], [0.1], "measures.clean_error.interval must be a list of 2 to 2"),
        (["measures"], {}, "measures holds no figure that is known, such as clean_error"),
        (["measures", "clean_error", "value"], -1, r"measures.clean_error.value must be from 0 to 1, got -1"),
        (["measures", "clean_error", "value"], 1.5, r"measures.clean_error.value must be from 0 to 1, got 1.5"),
        (["measures", "brier_score", "value"], -0.1, r"measures.brier_score.value must be from 0 to 2, got -0.1"),
        (["measures", "clean_error", "value"], float("nan"), "it holds NaN, which is no JSON"),
        (["measures", "clean_error", "interval"], [0.2, 0.1], "measures.clean_error.interval must be low, then high"),
        (["reliability", "evil"], [1], "reliability.evil is no key"),
        (["reliability", "edges"], [0.0], "lists of lengths that don't go together"),
        (["risk_coverage", "risk"], "x", "risk_coverage.risk must be a list"),
        (["risk_coverage", "risk"], [0.1], "as many entries in coverage as in risk"),
        (["run", "plan"], 3, "run.plan must be an object"),
        (["run", "name"], 3, "run.name must be a text or null"),
        (["run", "form"], {"size": "x"}, "run.form.size must be a whole number or null, got 'x'"),
        (["run", "form"], {"mean": [None]}, r"run.form.mean\[0\] must be a number"),
        (["made", "then"], [{}], r"made.then\[0\] lacks device, precision"),
        (["temperature"], {"temperature": 1.0}, "temperature lacks fitted_on, pictures, before, after"),
        (["temperature", "after"], {}, "temperature.before and temperature.after must be about the same measures"),
        (["conformal", "level"], ..., "conformal lacks level"),
        (["worst"], [{"index": 0}], r"worst\[0\] lacks label, predicted, confidence"),
    ],
)
def test_a_scorecard_that_is_none_is_refused_by_file_and_key(cards, tmp_path, path, value, message):
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(changed(cards[0], path, value)))
    with pytest.raises(InputError, match=f"theirs.json.*{message}"):
        results.read_cards(file)
    file.write_text(json.dumps({"runs": {"first": cards[0], "second": changed(cards[0], path, value)}}))
    where = "" if value != value else ", run 'second'"  # NaN is no JSON, in whichever run it stands
    with pytest.raises(InputError, match=f"theirs.json{where}.*{message}"):
        results.read_cards(file)


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_figures_that_are_no_numbers_are_refused(cards, tmp_path, figure):
    text = json.dumps(changed(cards[0], ["measures", "clean_error", "value"], "HERE")).replace('"HERE"', figure)
    (tmp_path / "theirs.json").write_text(text)
    with pytest.raises(InputError, match=r"theirs.json.*(no JSON|finite)"):
        results.read_cards(tmp_path / "theirs.json")


def test_json_that_is_too_deep_or_of_another_form_is_refused(cards, tmp_path):
    file = tmp_path / "theirs.json"
    for text, message in (
        ("[" * 100_000, "not JSON|too deep"),
        (json.dumps(changed(cards[0], ["run", "data"], {**DATA, "deep": nested(30)})), "nested deeper"),
        (json.dumps({"runs": [cards[0]]}), "runs must be an object"),
        (json.dumps({"runs": {}}), "runs must be an object"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(InputError, match=f"theirs.json.*({message})"):
            results.read_cards(file)


DATA = {"name": "d", "pictures": 1, "classes": ["a"]}


def nested(depth):
    return [nested(depth - 1)] if depth else []


def test_both_kinds_of_result_are_read(cards, tmp_path):
    (tmp_path / "scorecard.json").write_text(json.dumps(cards[0]))
    assert results.read_cards(tmp_path) == [json.loads(json.dumps(cards[0]))]
    (tmp_path / "results.json").write_text(json.dumps({"runs": {"plain": cards[0], "IPMix": cards[1]}}))
    assert len(results.read_cards(tmp_path / "results.json")) == 2


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"schema": "other"}', '{"runs": {"a": 3}}'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "scorecard.json").write_text(content)
    with pytest.raises(InputError, match=r"scorecard\.json"):
        results.read_cards(tmp_path)


def test_a_model_card_s_head_is_yaml_that_nothing_breaks_out_of(cards):
    yaml = pytest.importorskip("yaml")
    nasty = 'evil"\n---\n# <script>'
    text = exports.model_card({**cards[0], "run": {"name": nasty}})
    head = yaml.safe_load(text.split("---\n")[1])
    index = head["model-index"][0]
    assert index["name"] == nasty
    metrics = {m["type"]: m["value"] for m in index["results"][0]["metrics"]}
    assert metrics["clean_error"] == pytest.approx(cards[0]["measures"]["clean_error"]["value"], abs=1e-6)
    assert "<script>" not in text.split("---\n", 2)[2]
    with pytest.raises(InputError, match="one model"):
        exports.rendered(cards, "model-card")


def test_a_scorecard_with_a_key_twice_is_refused(cards, tmp_path):
    file = tmp_path / "theirs.json"
    text = json.dumps(cards[0])
    file.write_text(text.replace('"pictures": 150', '"pictures": 151, "pictures": 150', 1))
    with pytest.raises(InputError, match=r"theirs.json is not JSON \(the key 'pictures' stands twice"):
        results.read_cards(file)
