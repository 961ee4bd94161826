"""Files are JSON whatever the numbers, and JSON of strangers ends in one clear line."""

import ast
import json
import math
from pathlib import Path
from typing import Any

import pytest

import ipmix
from ipmix.core.errors import InputError
from ipmix.core.json_text import json_text, parse_json, read_json_object


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def test_what_json_has_no_form_for_becomes_null() -> None:
    value = {"a": math.nan, "b": [math.inf, (-math.inf, 1.5)], "c": {"d": math.nan}, "e": "NaN", "f": 3}
    assert strict(json_text(value)) == {"a": None, "b": [None, [None, 1.5]], "c": {"d": None}, "e": "NaN", "f": 3}
    with pytest.raises(ValueError, match="NaN"):
        strict(json.dumps(value))


def test_the_rest_is_as_json_dumps_writes_it() -> None:
    value = {"b": [1, 2.5, None, True, "ä"], "a": {}}
    for options in ({}, {"indent": 2}, {"sort_keys": True}, {"separators": (",", ":")}):
        assert json_text(value, **options) == json.dumps(value, **options)


def test_every_json_that_is_written_goes_through_it() -> None:
    """Only texts that are no files may be made by json.dumps itself."""
    allowed = {
        "core/json_text.py": 1,
        "training/run_record.py": 1,  # a detour to what JSON can hold
        "mixing_set/making.py": 1,  # compared, not written
        "models/weights.py": 2,  # messages
        "explore/tabs.py": 2,  # shown
        "integrations/method_data.py": 1,  # a detour to what JSON can hold
    }
    found: dict[str, int] = {}
    root = Path(ipmix.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("dumps", "dump") and ast.unparse(node.value) == "json":
                name = path.relative_to(root).as_posix()
                found[name] = found.get(name, 0) + 1
    assert {name: count for name, count in found.items() if count > allowed.get(name, 0)} == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "is nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
        (b"{", "is not readable JSON"),
        (b"", "is not readable JSON"),
        (b"\xff\xfe\x00", "is not readable JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not readable JSON"),
        (b'{"a": 1, "a": 1}', "is not readable JSON .the key 'a' stands twice"),
        (b'{"a": NaN}', "is not readable JSON .it holds NaN"),
        (b'{"a": [-1e999]}', "is not readable JSON .it holds -1e999"),
        (b"3", "should hold a JSON object, got int"),
        (b"[]", "should hold a JSON object, got list"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_json_of_strangers(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"facts\.json {message}") as caught:
        read_json_object(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(b'{"a": 1}')
    assert read_json_object(path) == {"a": 1}
    with pytest.raises(InputError, match=r"can't be read \(No such file"):
        read_json_object(tmp_path / "none.json")


def test_what_is_no_text() -> None:
    value: Any = 3
    with pytest.raises(InputError, match=r"state.pt: experiment is not readable JSON"):
        parse_json(value, "state.pt: experiment")
