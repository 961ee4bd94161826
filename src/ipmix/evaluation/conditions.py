"""What was done to the images before the model saw them: one value for each condition, and its name on the disk.

=========================  =========================================================================
NAME                       what is kept under it
=========================  =========================================================================
``clean``                  logits of the images as they are
``corruption/NAME/1``      logits of the images under a corruption, at a severity of 1 to 5
``attack``                 logits of the images that PGD found
``auto_attack``            logits of the images that AutoAttack found
``frames/NAME``            the predicted class of each frame of a perturbation sequence
``top5/NAME``              the mean top-5 distance of each perturbation sequence
=========================  =========================================================================
"""

from dataclasses import dataclass
from typing import Literal, get_args

from ipmix.core.checking import check_known
from ipmix.core.errors import InputError
from ipmix.core.extensions import is_own
from ipmix.corruptions.severities import ALL_CORRUPTIONS, PERTURBATIONS

Kind = Literal["clean", "corruption", "attack", "auto_attack", "frames", "top5"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES = range(1, 6)
_SEVERITIES = {str(severity): severity for severity in SEVERITIES}
ATTACKS: tuple[Kind, ...] = ("attack", "auto_attack")
SEQUENCES: tuple[Kind, ...] = ("frames", "top5")
"""Kinds that are about a perturbation's sequences: the others hold logits."""


@dataclass(frozen=True)
class Condition:
    """A condition: what was done to the images.

    Attributes:
        kind: one of :data:`KINDS`.
        name: of the corruption or perturbation; "" for the kinds that have none.
        severity: 1 to 5 for a corruption; None for all else.

    Raises:
        InputError: an unknown kind, corruption or perturbation, or a severity outside 1 to 5.
    """

    kind: Kind
    name: str = ""
    severity: int | None = None

    def __post_init__(self) -> None:
        check_known("condition", self.kind, KINDS)
        if self.kind == "corruption":
            if not is_own(self.name):  # a name alone: predictions that name somebody's function don't import it
                check_known("corruption", self.name, ALL_CORRUPTIONS)
            if self.severity not in SEVERITIES:
                raise InputError(f"a severity is 1 to 5, got {self.severity}")
        elif self.kind in SEQUENCES:
            check_known("perturbation", self.name, PERTURBATIONS)
        elif self.name:
            raise InputError(f"the condition {self.kind!r} has no name of its own, got {self.name!r}")
        if self.kind != "corruption" and self.severity is not None:
            raise InputError(f"only a corruption has a severity, got {self.severity} for {self.kind!r}")

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """The condition of this name.

        Raises:
            InputError: no condition is called that; the message names the part that is wrong.
        """
        kind, *rest = text.split("/")
        expected = {"corruption": "corruption/NAME/SEVERITY", "frames": "frames/NAME", "top5": "top5/NAME"}
        written = expected.get(kind, kind)
        if kind in KINDS and len(rest) != written.count("/"):
            raise InputError(f"{text!r} names no condition: expected {written}")
        try:
            if kind != "corruption":
                return cls(kind, *rest)  # type: ignore[arg-type]
            name, severity = rest
            # A word that is no severity goes on as it is, to be refused by name.
            return cls("corruption", name, _SEVERITIES.get(severity, severity))  # type: ignore[arg-type]
        except InputError as error:
            raise InputError(f"{text!r} names no condition: {error}") from None

    @property
    def key(self) -> str:
        """The condition's name in files of predictions, and in scorecards."""
        return "/".join(str(word) for word in (self.kind, self.name, self.severity) if word not in ("", None))

    @property
    def holds_logits(self) -> bool:
        """Whether predictions under it are logits [images, classes]; those on sequences are not."""
        return self.kind not in SEQUENCES

    @property
    def is_attack(self) -> bool:
        """Whether it may cover some of the images only."""
        return self.kind in ATTACKS


CLEAN = Condition("clean")
