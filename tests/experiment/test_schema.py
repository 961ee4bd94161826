"""The schema of experiment files says what the reader of experiment files takes."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from ipmix.core.errors import InputError
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.config_file import made, read
from ipmix.experiment.schema import field_texts, schema
from ipmix.training.config import TrainingConfig

FOLDER = Path(__file__).parents[2] / "experiments"
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


def problems(value: Any, wanted: dict[str, Any], key: str = "") -> list[str]:
    """What a validator of JSON schemas says, as far as this schema goes."""
    if "enum" in wanted:
        return [] if value in wanted["enum"] else [f"{key} is none of {wanted['enum']}"]
    allowed = [wanted["type"]] if isinstance(wanted["type"], str) else wanted["type"]
    if value is None and "null" in allowed:
        return []
    if not any(name != "null" and isinstance(value, TYPES[name]) for name in allowed) or (
        isinstance(value, bool) and "boolean" not in allowed
    ):
        return [f"{key} is no {allowed}"]
    if isinstance(value, list):
        return [line for item in value for line in problems(item, wanted["items"], key)]
    if not isinstance(value, dict) or "properties" not in wanted:
        return []
    found = [f"{key} lacks {name}" for name in wanted["required"] if name not in value]
    for name, item in value.items():
        if name in wanted["properties"]:
            found += problems(item, wanted["properties"][name], f"{key}.{name}")
        elif not wanted["additionalProperties"]:
            found.append(f"{key} has no {name}")
    return found


def test_the_file_beside_the_experiments_is_the_schema() -> None:
    """If not: python -m ipmix.experiment.schema > experiments/schema.json"""
    assert json.loads((FOLDER / "schema.json").read_text()) == json.loads(json.dumps(schema()))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_file_fits_the_schema(path: Path) -> None:
    assert problems(yaml.safe_load(path.read_text()), schema()) == []
    read(ExperimentConfig, path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"data": {"source": "x"}, "trainning": {}},
        {"data": {"source": 3}},
        {"data": {"source": "x"}, "training": {"epochs": 1.5}},
        {"data": {"source": "x"}, "training": {"jsd": 1}},
        {"data": {"source": "x"}, "training": {"schedule": "linear"}},
        {"data": {"source": "x"}, "training": {"epochs": True}},
        {"data": {"source": "x"}, "training": {"preset": "fastest"}},
        {"data": {"source": "x"}, "training": {"epochs": None}},
        {"data": {"source": "x"}, "evaluation": {"severities": ["one"]}},
        {"data": {"source": "x"}, "evaluation": {"corruptions": "test"}},
        {"data": {"source": "x"}, "method": {"options": [1]}},
    ],
)
def test_what_the_reader_refuses_by_name_or_type_does_not_fit(content: dict[str, Any]) -> None:
    assert problems(content, schema())
    with pytest.raises(InputError):
        made(ExperimentConfig, content, "a.yaml")


def test_a_training_preset_fits() -> None:
    content = {"data": {"source": "x"}, "training": {"preset": "fast-cifar", "epochs": 4}}
    assert problems(content, schema()) == []
    assert made(ExperimentConfig, content, "a.yaml").training == TrainingConfig.preset("fast-cifar", epochs=4)


def test_every_setting_has_its_text() -> None:
    texts = field_texts(TrainingConfig)
    assert set(texts) == {field.name for field in fields(TrainingConfig)}
    assert texts["min_lr"] == "Where the cosine ends."
    described = schema()["properties"]["training"]["properties"]
    assert described["min_lr"] == {
        "type": ["number", "string"],
        "description": "Where the cosine ends.",
        "default": 1e-6,
    }
    for part in schema()["properties"].values():
        assert all(entry.get("description") for entry in part["properties"].values())
