"""Every function says what it takes and gives, but for compiled ones: Numba works out their types by itself."""

import ast
from pathlib import Path

import pytest

import ipmix

SOURCE = Path(ipmix.__file__).parent

COMPILING = {"compiled", "compiled_disjoint", "inlined", "embedded", "helper", "disjoint_helper", "separate"}
"""The decorators of ``ipmix.core.compiling``."""


def bare_functions(text: str) -> list[str]:
    """The functions of a source text that lack an annotation and are not compiled, with their lines."""
    found: list[str] = []

    def walk(node: ast.AST, in_class: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = {ast.unparse(decorator) for decorator in child.decorator_list}
                if not COMPILING & decorators and not _is_annotated(
                    child, in_class and "staticmethod" not in decorators
                ):
                    found.append(f"line {child.lineno}: {child.name}")
            walk(child, isinstance(child, ast.ClassDef))

    walk(ast.parse(text), False)
    return found


def _is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef, is_method: bool) -> bool:
    given = function.args
    taken = [*given.posonlyargs, *given.args][1 if is_method else 0 :] + given.kwonlyargs
    taken += [argument for argument in (given.vararg, given.kwarg) if argument]
    return function.returns is not None and all(argument.annotation for argument in taken)


def test_only_compiled_functions_lack_annotations() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        assert bare_functions(path.read_text()) == [], path


def test_compiled_functions_are_among_what_is_looked_at() -> None:
    assert COMPILING <= set(vars(__import__("ipmix.core.compiling", fromlist=["compiling"])))
    bare = sum(
        text.count("\n@" + name + "\n") for text in map(Path.read_text, SOURCE.rglob("*.py")) for name in COMPILING
    )
    assert bare > 300


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def f(a): pass", "f"),
        ("def f(a: int): pass", "f"),
        ("def f(a, b: int) -> int: pass", "f"),
        ("def f(*a) -> int: pass", "f"),
        ("def f(*, a) -> int: pass", "f"),
        ("async def f() : pass", "f"),
        ("class C:\n    def f(self): pass", "f"),
        ("class C:\n    @staticmethod\n    def f(a) -> int: pass", "f"),
        ("def f() -> int:\n    def g(a): pass", "g"),
        ("@cache\ndef f(a): pass", "f"),
        ("@compiled\ndef f(a):\n    def g(b): pass", "g"),
    ],
)
def test_a_function_without_annotations_is_found(text: str, name: str) -> None:
    (found,) = bare_functions(text)
    assert found.endswith(f": {name}")


def test_compiled_and_annotated_functions_pass() -> None:
    assert bare_functions("@compiled\ndef f(a): pass\n@helper\ndef g(a, b): pass") == []
    assert bare_functions("class C:\n    def f(self, a: int, *b: int, c: int = 1, **d: int) -> None: pass") == []
    assert bare_functions("f = lambda a: a") == []
