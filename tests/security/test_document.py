"""docs/security.md: each of its sentences is a test in this folder, and none is missing."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "security.md"


def sentences(text: str) -> list[tuple[str, str | None]]:
    """The bullets of a document, each with the test that it names."""
    bullets = [" ".join(found.split()) for found in re.findall(r"^- (.*?)(?=\n- |\n\n|\Z)", text, re.M | re.S)]
    return [(bullet, (re.findall(r"<sub>(\w+)</sub>", bullet) or [None])[0]) for bullet in bullets]


def named_beside(this: Path) -> list[str]:
    """The names of all tests in the other files of this folder."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in this.parent.glob("test_*.py") if path != this]
    found = [node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in found if name.startswith("test_")]


def test_each_sentence_has_its_test() -> None:
    promised = DOCUMENT.read_text(encoding="utf-8").split("## What is not promised")[0]
    named = [test for _, test in sentences(promised)]
    assert len(named) > 20
    assert None not in named
    assert sorted(named) == sorted(named_beside(Path(__file__)))
    assert len(named) == len(set(named)), "one test for each sentence"


def test_a_sentence_without_a_test_is_found() -> None:
    assert sentences("- One\n  line. <sub>test_a</sub>\n- Two.\n\nText\n") == [
        ("One line. <sub>test_a</sub>", "test_a"),
        ("Two.", None),
    ]
