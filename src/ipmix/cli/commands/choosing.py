"""What several commands have in common: a method by its name, preset and options."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipmix.cli.words import Assignment, once

if TYPE_CHECKING:
    from ipmix.methods.protocol import Method


@dataclass(frozen=True)
class MethodWords:
    """The augmentation."""

    method: str = "ipmix"
    """The method by its name, or module:Name of one's own; none for flips and crops alone."""

    preset: str | None = None
    """The method's settings by name, such as paper-cifar or code-imagenet."""

    method_option: tuple[Assignment, ...] = ()
    """One of the method's settings, such as k=4 or overflow=wrap."""

    def config(self) -> Any:
        """As experiments have it: :class:`ipmix.experiment.config.MethodConfig`."""
        from ipmix.experiment.config import MethodConfig

        return MethodConfig(self.method, self.preset, values_of(self.method_option))

    def chosen(self) -> "Method | None":
        """The method, or None for "none"."""
        from ipmix.methods.choosing import chosen_method

        return chosen_method(self.method, self.preset, values_of(self.method_option))


def values_of(options: Iterable[Assignment]) -> dict[str, Any]:
    """Options as the command line has them -> their values.

    They are JSON (``4``, ``[4, 8]``, ``"wrap"``); a word without quotes is text.
    """
    values: dict[str, Any] = {}
    for key, text in once(options, "--method-option").items():
        try:
            values[key] = json.loads(text)
        except (ValueError, RecursionError):
            values[key] = text
    return values
