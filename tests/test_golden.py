"""What the library makes is what it made: every output's hash is in ``golden.json``, under a version.

A change on purpose raises ``VERSION`` in ``golden.py``, is written with ``python tests/golden.py --write``, and is
named in CHANGELOG.md.
"""

import json
from typing import Any

import numpy as np
import pytest

import golden
import ipmix


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(golden.FILE.read_text())
    return content


def differences(kept: dict[str, str], made: dict[str, str]) -> list[str]:
    """The names whose hashes differ, or that stand on one side only."""
    return sorted(name for name in kept.keys() | made.keys() if kept.get(name) != made.get(name))


@pytest.mark.slow
@pytest.mark.parametrize("part", golden.PARTS)
def test_outputs_are_those_of_this_version(part: str, kept: dict[str, Any]) -> None:
    assert kept["version"] == golden.VERSION, "golden.json is of another version: write it anew"
    assert differences(kept[part], dict(golden.PARTS[part]())) == [], "raise VERSION if this was meant"


def test_the_comparison_can_fail(kept: dict[str, Any]) -> None:
    corrupted = kept["corrupted"]
    name = next(iter(corrupted))
    assert differences(corrupted, {**corrupted, name: "0" * 16}) == [name]
    assert differences(corrupted, {k: v for k, v in corrupted.items() if k != name}) == [name]
    images = golden.sample_images(2, 32, 32, 3)
    one = golden.content_hash(ipmix.corrupt(images, "fog", 3, seed=5))
    assert one == corrupted["fog 3 32 original"]
    assert golden.content_hash(ipmix.corrupt(images, "fog", 3, seed=6)) != one
    assert golden.content_hash(images) != golden.content_hash(images.astype(np.uint16))


def test_every_method_corruption_and_kind_is_there(kept: dict[str, Any]) -> None:
    methods = {label.split()[0].split(":")[0] for label in kept["augmented"]}
    assert methods == set(ipmix.METHODS)
    assert {name.split()[0] for name in kept["corrupted"]} == set(ipmix.corruptions.ALL_CORRUPTIONS)
    assert {name.split()[0] for name in kept["perturbed"]} == set(ipmix.corruptions.PERTURBATIONS)
