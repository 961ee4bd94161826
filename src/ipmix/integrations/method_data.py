"""A method as JSON data, for libraries that save their transforms or layers, and back."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from ipmix.core.errors import InputError
from ipmix.methods import METHODS
from ipmix.methods.choosing import chosen_method
from ipmix.methods.protocol import Method


def method_as_data(given: Method | str) -> str | dict[str, Any]:
    """A method's name as it was given, or of one of the library's that was made, its name and options.

    Raises:
        InputError: a method of one's own that was given as an object.
    """
    if isinstance(given, str):
        return given
    method: Any = given
    options = {}
    known = METHODS.get(method.name) is type(method)
    try:
        if known and dataclasses.is_dataclass(method):
            fields = {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}
            options = json.loads(json.dumps(fields))  # its tuples as lists, which files hold
        if type(method) is METHODS["vanilla"] or (known and chosen_method(method.name, None, options) == method):
            return {"name": method.name, "options": options}
    except TypeError:
        pass  # an option that is no data
    raise InputError(
        f"what is saved names its method, and {method.name} as it was made has no name: give it as a text, such as "
        "'ipmix-k3-t3', or 'module:Name' of your own"
    )


def method_of_data(data: Any) -> Any:
    """What :func:`method_as_data` gave as a method, or its name; anything else as it is."""
    if isinstance(data, Mapping) and set(data) == {"name", "options"}:
        return chosen_method(data["name"], None, data["options"])
    return data
