"""JSON as every file has it: what JSON has no form for becomes null, and what others wrote is read with care."""

import json
import math
import os
from pathlib import Path
from typing import Any

from ipmix.core.errors import InputError, first_line, plain


def json_text(value: Any, **options: Any) -> str:
    """``value`` as JSON (``options`` are those of :func:`json.dumps`); NaN and infinite numbers become null.

    Python would write NaN, which is no JSON: most other readers refuse such a file.

    >>> json_text({"loss": float("nan")})
    '{"loss": null}'
    """
    return json.dumps(_with_null(value), allow_nan=False, **options)


def _with_null(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _with_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(item) for item in value]
    return value


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What :func:`json.loads` takes as ``object_pairs_hook``: a key that stands twice is no JSON to go by."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in found if names.count(key) > 1)
        raise ValueError(
            f"the key {plain(repr(twice), most=60)} stands twice, and which of the two is meant can't be told"
        )
    return found


def _refused(word: str) -> float:
    raise ValueError(f"it holds {word}, which is no JSON; figures that can't be had are null")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused(plain(digits, most=40))


def parse_json(text: str | bytes, source: str | os.PathLike[str]) -> Any:
    """What ``text`` holds; :class:`InputError` naming ``source`` for no JSON, or JSON that can't be read.

    Keys that stand twice, NaN and infinite numbers (also 1e999) are no JSON to go by.
    """
    try:
        return json.loads(text, object_pairs_hook=each_key_once, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise InputError(f"{source} is nested too deeply to be read as JSON") from None
    except (ValueError, TypeError) as error:  # no JSON, no UTF-8, a number of 5,000 digits; no text at all
        raise InputError(f"{source} is not readable JSON ({first_line(error)})") from None


def read_json_object(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The object (a dict) in a JSON file.

    Raises:
        InputError: no such file, or it holds something else.
    """
    try:
        content = parse_json(Path(path).read_bytes(), path)
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror or error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} should hold a JSON object, got {type(content).__name__}")
    return content
