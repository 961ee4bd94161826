"""What several commands have in common: a method by its name, preset and options."""

import json
from collections.abc import Mapping
from typing import Any

from ipmix.methods.choosing import chosen_method
from ipmix.methods.protocol import Method


def method_named(name: str, preset: str | None, options: Mapping[str, str]) -> Method | None:
    """The method of this name with its options, or None for "none".

    Options are JSON (``4``, ``[4, 8]``, ``"wrap"``); a word without quotes is text.
    """
    return chosen_method(name, preset, values_of(options))


def values_of(options: Mapping[str, str]) -> dict[str, Any]:
    """Options as the command line has them -> their values."""
    values: dict[str, Any] = {}
    for key, text in options.items():
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    return values
