"""hatch_build.py: README.md as a package index shows it."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_an_address_no_relative_link_is_left(hook: ModuleType) -> None:
    assert any(not link.startswith("https://") for link in LINKS.findall(README)), "README has some"
    text = hook.for_an_index(README, None)
    assert LINKS.findall(text) == [link for link in LINKS.findall(README) if link.startswith("https://")]
    assert "(`docs/transforms.md`)" in text
    assert "<!--" not in text
    assert README.count("```") == text.count("```")


def test_with_an_address_links_lead_into_the_repository(hook: ModuleType) -> None:
    text = hook.for_an_index(README, "https://example.org/them/ipmix/")
    links = LINKS.findall(text)
    assert len(links) == len(LINKS.findall(README))
    assert all(link.startswith("https://") for link in links)
    assert "![A clean image, three chains of operations, and their sum](https://example.org/them/ipmix/raw/" in text
    assert "(https://example.org/them/ipmix/blob/main/docs/transforms.md)" in text


def test_code_is_left_alone(hook: ModuleType) -> None:
    text = "a [b](c.md) and [d.md](d.md)\n```python\nx[0](y)\n<!-- here -->\n```\n<!-- gone -->\n[e](https://f)\n"
    expected = "a b (`c.md`) and d.md\n```python\nx[0](y)\n<!-- here -->\n```\n[e](https://f)\n"
    assert hook.for_an_index(text, None) == expected


def test_the_package_is_built_with_it(hook: ModuleType) -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert content["project"]["dynamic"] == ["readme"]
    assert "readme" not in content["project"]
    assert "custom" in content["tool"]["hatch"]["metadata"]["hooks"]
    for address in content["project"].get("urls", {}).values():
        assert "example" not in address
    metadata = {"urls": content["project"].get("urls", {})}
    made = type("Made", (), {"root": str(ROOT), "update": hook.IndexReadme.update})()
    made.update(metadata)
    assert metadata["readme"]["content-type"] == "text/markdown"
    assert all(link.startswith("https://") for link in LINKS.findall(metadata["readme"]["text"]))
