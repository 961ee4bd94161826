"""A result's file is checked whole where it is read: what lacks a key, or contradicts itself, makes no figure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.experiment.test_studies_results import job_of, write

from ipmix.core.errors import InputError
from ipmix.experiment.studies.result_files import key_of, read_result
from ipmix.experiment.studies.results import Results, refuse_other

COMMITTED = sorted((Path(__file__).parents[2] / "results" / "studies").rglob("*-seed*.json"))
GONE = object()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole result, with an interval."""
    path = write(job_of("table10", "ipmix"), tmp_path, clean_error=0.1)
    content = json.loads(path.read_text())
    content["passes"]["clean"]["measures"] |= {
        "clean_error": {"value": 0.1, "interval": [0.08, 0.12], "pictures": 1000, "reason": None},
        "coverage_at_1_percent": {"value": 0.5, "interval": [0.1, 0.4], "pictures": 1000, "reason": None},
        "somebodys:measure": {"value": -7.5},
        "attack_error": {"value": None, "interval": None, "pictures": 0, "reason": "no attack"},
    }
    content["passes"]["clean"] |= {"corruptions": {"fog": {"1": 0.5}}, "flips": {"tilt": [0.25]}}
    content["passes"]["clock"] = {"settings": {}, "measures": {"epoch_seconds": {"value": 107.5}}}
    path.write_text(json.dumps(content))
    return path


def changed(path: Path, place: str, value: Any) -> None:
    """Write the file with another value, or without it, at a place such as passes/clean."""
    content = json.loads(path.read_text())
    *outer, last = place.split("/")
    inner = content
    for key in outer:
        inner = inner[key]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(content))


def test_a_whole_result_is_read(path: Path) -> None:
    found = read_result(path)
    assert found is not None
    assert found["passes"]["clean"]["measures"]["clean_error"]["value"] == 0.1
    path.write_text('{"schema": "another"}')
    assert read_result(path) is None


@pytest.mark.skipif(not COMMITTED, reason="the results are not here")
def test_results_that_were_written_before_are_read() -> None:
    assert len(COMMITTED) >= 18
    for path in COMMITTED:
        assert read_result(path) is not None


CLEAN = "passes/clean/measures/clean_error"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        # What is not there.
        *((key, GONE, f"lacks {key}") for key in (
            "study", "cell", "scale", "seed", "key", "settings", "passes", "hours",
        )),
        ("passes/clean/settings", GONE, "lacks passes.clean.settings"),
        ("passes/clean/measures", GONE, "lacks passes.clean.measures"),
        (f"{CLEAN}/value", GONE, "lacks passes.clean.measures.clean_error.value"),
        # What is something else.
        *((key, 5, f"{key} must be a text, got 5") for key in ("study", "cell", "scale", "key")),
        *((key, [1], f"{key.replace('/', '.')} must be an object") for key in (
            "settings", "settings/training", "passes", "passes/clean", "passes/clean/settings", "passes/clean/measures",
            CLEAN, "hours",
        )),
        *(("seed", seed, "seed must be a whole number of at least 0") for seed in ("0", 0.0, True, None, -1, 2**63)),
        *((f"{CLEAN}/value", value, "clean_error.value must be a finite number") for value in ("x", True, [], 10**400)),
        ("hours/training", "x", "hours.training must be a finite number, got 'x'"),
        ("hours/training", -1, "hours.training must be from 0 to 1,000,000, got -1"),
        ("hours/training", 1e9, "hours.training must be from 0 to 1,000,000, got 1000000000.0"),
        (f"{CLEAN}/pictures", -3, "clean_error.pictures must be a whole number"),
        (f"{CLEAN}/interval", 0.1, "clean_error.interval must be a list"),
        (f"{CLEAN}/interval", [0.1], "clean_error.interval must be two numbers"),
        (f"{CLEAN}/interval", ["a", "b"], "clean_error.interval must be a finite number"),
        ("passes/clean/corruptions", [], "passes.clean.corruptions: it must be an object"),
        ("passes/clean/flips/tilt", [2.0], "passes.clean.flips: tilt[0] must be in 0 .. 1"),
        # What can't be.
        (f"{CLEAN}/value", 7.5, "clean_error.value must be from 0 to 1, got 7.5"),
        (f"{CLEAN}/value", -0.1, "clean_error.value must be from 0 to 1, got -0.1"),
        ("passes/clean/corruptions/fog/1", 1.5, "passes.clean.corruptions: fog.1 must be in 0 .. 1"),
        ("passes/clock/measures/epoch_seconds/value", -1.0, "epoch_seconds.value must be at least 0, got -1.0"),
        # What contradicts itself.
        (f"{CLEAN}/value", 0.2, "clean_error.value is 0.2, and its interval [0.08, 0.12]"),
        (f"{CLEAN}/value", None, "clean_error.value is null, and its interval [0.08, 0.12]"),
        (f"{CLEAN}/interval", [0.12, 0.08], "clean_error.interval must be two numbers, low, then high"),
        ("settings/training/epochs", 12, "key is '"),
        ("key", "0123456789abcdef", "key is '0123456789abcdef', and the hash of its settings"),
        ("seed", 1, "seed is 1, which is not what the file's name says; it should be called ipmix-seed1.json"),
        ("cell", "plain", "cell is 'plain', which is not what the file's name says"),
        ("settings/training/seed", 1, "seed is 0, and settings.training.seed 1"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused_by_file_and_key(path: Path, place: str, value: Any, told: str) -> None:
    changed(path, place, value)
    job, out = job_of("table10", "ipmix"), path.parents[2]
    readers: list[Callable[[], Any]] = [lambda: Results([out]), lambda: refuse_other(job, out)]
    for reader in readers:
        with pytest.raises(InputError) as refused:
            reader()
        assert str(refused.value).startswith(str(path))
        assert told in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_file_is_what_its_name_says(path: Path) -> None:
    other = path.rename(path.with_name("ipmix-seed3.json"))
    with pytest.raises(InputError, match="seed is 0, which is not what the file's name says"):
        read_result(other)


def test_settings_deeper_than_settings_are(path: Path) -> None:
    text = json.dumps(json.loads(path.read_text()))
    path.write_text(text.replace('"settings": {', '"settings": {"b": ' + "[" * 600 + "]" * 600 + ", ", 1))
    with pytest.raises(InputError, match=r"ipmix-seed0\.json: (settings is nested|key is)"):
        read_result(path)


def test_a_key_is_the_settings_hash() -> None:
    job = job_of("table10", "ipmix")
    assert job.key == key_of(job.settings)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1})


def test_what_is_no_result_is_not_replaced(path: Path) -> None:
    path.write_text('{"schema": "another"}')
    with pytest.raises(InputError, match=r"is no result of a study: .*--force"):
        refuse_other(job_of("table10", "ipmix"), path.parents[2])
