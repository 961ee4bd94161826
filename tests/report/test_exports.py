import json
from importlib.resources import files

import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation import results
from ipmix.report import exports


def checked(value, schema, place="scorecard"):
    """A small part of JSON Schema, enough for the scorecard's: type, required, const, enum, bounds, items."""
    kinds = {"object": dict, "array": list, "string": str, "null": type(None), "number": (int, float), "integer": int}
    wanted = schema.get("type")
    if wanted is not None:
        allowed = wanted if isinstance(wanted, list) else [wanted]
        assert any(isinstance(value, kinds[kind]) for kind in allowed), f"{place}: {value!r} is no {wanted}"
    if "const" in schema:
        assert value == schema["const"], place
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert value >= schema.get("minimum", value), place
        assert value <= schema.get("maximum", value), place
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), place
        for i, item in enumerate(value):
            checked(item, schema.get("items", {}), f"{place}[{i}]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), place
        named = schema.get("properties", {})
        rest = schema.get("additionalProperties", {})
        for key, item in value.items():
            if key not in named:
                assert rest is not False, f"{place} has {key!r}"
                assert key in schema.get("propertyNames", {}).get("enum", [key]), f"{place} has {key!r}"
            checked(item, named.get(key, rest if isinstance(rest, dict) else {}), f"{place}.{key}")


def test_scorecards_follow_the_schema(cards, tmp_path, made_card):
    schema = json.loads(files("ipmix.report").joinpath("scorecard.schema.json").read_text(encoding="utf-8"))
    for card in [*cards, made_card(tmp_path / "few", "few", count=20)]:
        checked(json.loads(json.dumps(card)), schema)
    for broken in ({**cards[0], "pictures": 0}, {**cards[0], "more": 1}, {"schema": "ipmix scorecard 1"}):
        with pytest.raises(AssertionError):
            checked(broken, schema)


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
