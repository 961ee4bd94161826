"""Another run's errors and flip rates, to divide by: AlexNet's place in the published mCE and mFR, for any model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.core.errors import InputError
from ipmix.report.numbers import unfinished


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with.

    Attributes:
        name: of the run that is the baseline.
        errors: corruption -> severity ("1" to "5") -> error, a fraction.
        flips: perturbation -> flip rate, a fraction.
        clean: error on clean images, a fraction; None if it isn't known.
        unfinished: that its evaluation did not come to its end, in words; else empty.
    """

    name: str
    errors: Mapping[str, Mapping[str, float]]
    flips: Mapping[str, float]
    clean: float | None = None
    unfinished: str = ""

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> "Baseline":
        """The baseline that a scorecard makes."""
        return cls(
            name=str(card["run"].get("name") or "baseline"),
            errors=card["corruptions"],
            flips={name: float(np.mean(rates)) for name, rates in card["flips"].items()},
            clean=(card["measures"].get("clean_error") or {}).get("value"),
            unfinished=unfinished(card),
        )

    def corruption_errors(self, wanted: Mapping[str, list[int]]) -> list[float]:
        """The mean error of each corruption over the severities wanted of it.

        Raises:
            InputError: the baseline lacks one, or has no error there to divide by.
        """
        found = []
        for name, severities in wanted.items():
            known = self.errors.get(name, {})
            if missing := [str(s) for s in severities if str(s) not in known]:
                raise InputError(f"the baseline {self.name} has no {name} at severity {', '.join(missing)}")
            found.append(self._divisor(float(np.mean([known[str(s)] for s in severities])), f"error under {name}"))
        return found

    def corruption_rises(self, wanted: Mapping[str, list[int]]) -> list[float]:
        """How far each corruption's mean error lies above the clean error; errors as :meth:`corruption_errors`."""
        if self.clean is None:
            raise InputError(f"the baseline {self.name} has no clean error to count from")
        rises = [error - self.clean for error in self.corruption_errors(wanted)]
        return [self._divisor(rise, f"rise of the error under {name}") for name, rise in zip(wanted, rises)]

    def flip_rates(self, wanted: list[str]) -> list[float]:
        """The flip rate of each perturbation; errors as :meth:`corruption_errors`."""
        if missing := [name for name in wanted if name not in self.flips]:
            raise InputError(f"the baseline {self.name} has no flip rate of {', '.join(missing)}")
        return [self._divisor(self.flips[name], f"flip rate of {name}") for name in wanted]

    def _divisor(self, value: float, what: str) -> float:
        if not value > 0.0:
            raise InputError(f"the baseline {self.name} has {value:.4g} for {what}: nothing can be divided by it")
        return value
