"""Programs of benchmarks read only the arguments that they declare: most of them run too long to be tried here."""

import ast
from pathlib import Path

import pytest

PROGRAMS = sorted(
    path for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py") if "ArgumentParser(" in path.read_text()
)


def undeclared(source: str) -> set[str]:
    """What is read of ``arguments`` and was not added to a parser."""
    used: set[str] = set()
    declared: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "arguments":
            used.add(node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "add_argument":
                words = [word.value for word in node.args if isinstance(word, ast.Constant)]
                declared |= {str(word).lstrip("-").replace("-", "_") for word in words}
                declared |= {str(k.value.value) for k in node.keywords if k.arg == "dest"}  # type: ignore[attr-defined]
            elif node.func.attr == "set_defaults":
                declared |= {str(keyword.arg) for keyword in node.keywords}
    return used - declared


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_what_is_read_is_declared(path: Path) -> None:
    assert undeclared(path.read_text()) == set()


def test_a_name_that_was_forgotten_is_seen() -> None:
    source = 'parser.add_argument("--images")\nprint(arguments.images, arguments.mixing)'
    assert undeclared(source) == {"mixing"}
    assert PROGRAMS
