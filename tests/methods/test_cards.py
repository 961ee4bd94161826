"""Every method has a card in docs/methods that names its options with their defaults, its presets and its source."""

import dataclasses
import re
from importlib import import_module
from pathlib import Path

import pytest

from ipmix.methods import METHODS

DOCS = Path(__file__).parents[2] / "docs" / "methods"

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the documents are not here (an installed package)")


def card(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def missing(name: str, text: str) -> list[str]:
    """What of a method its card does not name."""
    kind = METHODS[name]
    method = kind()
    found = [f"option {f.name}" for f in dataclasses.fields(method) if f"`{f.name}`" not in text]
    presets = getattr(import_module(kind.__module__), "PRESETS", {})
    found += [f"preset {preset}" for preset in presets if f"`{preset}`" not in text]
    for field in dataclasses.fields(method):
        default = getattr(method, field.name)
        shown = re.search(rf"^\| `{field.name}` \| `(.*?)` \|", text, flags=re.MULTILINE)
        if isinstance(default, int | float | str | None) and (not shown or shown[1] != repr(default).replace("'", '"')):
            found.append(f"default of {field.name}")
    return found


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_card(name: str) -> None:
    text = card(name)
    assert missing(name, text) == []
    assert "arxiv.org" in text or name == "vanilla"
    assert "## Pitfalls" in text


@pytest.mark.parametrize("name", METHODS)
def test_the_table_of_methods_names_them_all(name: str) -> None:
    assert f"({name}.md)" in (DOCS / "README.md").read_text()


def test_an_incomplete_card_is_noticed() -> None:
    text = card("mixup")
    assert missing("mixup", text.replace("`alpha`", "")) == ["option alpha", "default of alpha"]
    assert missing("mixup", text.replace("| `1.0` |", "| `2.0` |")) == ["default of alpha"]
    assert missing("mixup", text.replace("`imagenet`", "")) == ["preset imagenet"]
