"""What to measure (corruptions, perturbation sequences, attacks), what that costs, and how a run is described."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ipmix.core.bounds import ATTACK_STEPS_MOST, REACH_MOST
from ipmix.core.checking import check_choice, shown
from ipmix.core.errors import InputError
from ipmix.core.ranges import INT64, SEED, Range, check_range, numbers
from ipmix.corruptions import CORRUPTIONS, frost_comparable
from ipmix.corruptions.own import check_perturbation, known_corruption
from ipmix.data.sources import ImageSource
from ipmix.evaluation.class_outputs import ClassOutputs
from ipmix.evaluation.shaping import about
from ipmix.models.hashing import weights_hash

CHUNK = 256
"""Images in a chunk: what memory holds at a time, and what an interruption can cost."""


@dataclass(frozen=True)
class AttackConfig:
    """Settings of the PGD attack (see :func:`ipmix.attacks.pgd.pgd`); the defaults are the paper's."""

    epsilon: float = 2 / 255
    steps: int = 20
    step_size: float = 0.5 / 255
    centre: Literal["clean", "noisy"] = "clean"
    norm: Literal["linf", "l2"] = "linf"
    restarts: int = 1
    images: int | None = None
    """Attack only so many of the images, evenly spread; None for all."""

    def __post_init__(self) -> None:
        _check_attack(self, "attack", restarts=_ROUNDS, steps=_ROUNDS, step_size=numbers(0, REACH_MOST, above=True))
        check_choice("attack.centre", self.centre, ("clean", "noisy"))

    @property
    def falls_short(self) -> str:
        """That the steps together don't reach as far as ``epsilon``, in a sentence; empty where they do."""
        way = self.steps * self.step_size
        if way >= self.epsilon * (1 - 1e-9):
            return ""
        return (
            f"The attack's {self.steps} steps of {self.step_size:.4g} go {way:.4g} together, less than its epsilon of "
            f"{self.epsilon:.4g}: more or longer steps (--steps, --step-size) are needed to reach so far"
        )


@dataclass(frozen=True)
class AutoAttackConfig:
    """Settings of the standard AutoAttack (see :func:`ipmix.attacks.auto_attack.auto_attack`)."""

    epsilon: float = 2 / 255
    norm: Literal["linf", "l2"] = "linf"
    images: int | None = None
    """Attack only so many of the images, evenly spread; None for all."""

    def __post_init__(self) -> None:
        _check_attack(self, "autoattack")


_ROUNDS = Range(1, ATTACK_STEPS_MOST)


def _check_attack(attack: "AttackConfig | AutoAttackConfig", what: str, **more: Range) -> None:
    ranges = {"epsilon": numbers(0, REACH_MOST), "images": Range(1, INT64[1]), **more}
    for name, limits in ranges.items():
        if (value := getattr(attack, name)) is not None:
            check_range(f"{what}.{name}", value, limits)
    check_choice(f"{what}.norm", attack.norm, ("linf", "l2"))
    if attack.norm == "linf" and attack.epsilon > 1:
        told = f"{attack.epsilon:g}"
        meant = f"; {told}/255 is meant by --epsilon {told}/255" if attack.epsilon <= 255 else ""
        raise InputError(f"{what}.epsilon is at most 1 with norm linf, as images lie in 0 to 1, got {told}{meant}")


@dataclass(frozen=True)
class EvaluationPlan:
    """What to do to each image."""

    corruptions: tuple[str, ...] = CORRUPTIONS
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    form: Literal["original", "corrected"] = "original"
    attack: AttackConfig | None = AttackConfig()
    perturbations: tuple[str, ...] = ()
    difficulty: int = 1
    seed: int = 0
    auto_attack: AutoAttackConfig | None = None

    def __post_init__(self) -> None:
        for key in ("corruptions", "perturbations"):
            object.__setattr__(self, key, _names(key, getattr(self, key)))
        if isinstance(self.severities, str) or not isinstance(self.severities, Iterable):
            raise InputError(
                f"severities are a list of numbers of 1 to 5, such as (1, 3), got {shown(self.severities)}"
            )
        object.__setattr__(self, "severities", tuple(self.severities))
        for key, kind in (("attack", AttackConfig), ("auto_attack", AutoAttackConfig)):
            if not isinstance(getattr(self, key), kind | None):
                raise InputError(f"{key} is {kind.__name__}(...), or None for none, got {shown(getattr(self, key))}")
        # One's own in full: predictions under it are read where the package that gave it a name isn't installed.
        object.__setattr__(self, "corruptions", tuple(map(known_corruption, self.corruptions)))
        for name in self.perturbations:
            check_perturbation(name)
        for severity in self.severities:
            if isinstance(severity, bool) or not isinstance(severity, int | np.integer) or severity not in range(1, 6):
                raise InputError(f"a severity is 1 to 5, got {shown(severity)}")
        check_range("difficulty", self.difficulty, Range(1, 3))
        check_range("seed", self.seed, SEED)
        check_choice("form", self.form, ("original", "corrected"))
        if self.corruptions and not self.severities:
            raise InputError("severities is empty; give at least one of 1 to 5")


def _names(key: str, given: Any) -> tuple[str, ...]:
    """A list of names; one alone is a list of one, None an empty one."""
    if given is None:
        return ()
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable):
        raise InputError(f"{key} are a list of names, one name, or None for none, got {shown(given)}")
    return tuple(given)


class OnTheDisk(Protocol):
    """Corrupted images that lie on the disk, as far as a run's description needs them."""

    @property
    def has_clean(self) -> bool: ...
    @property
    def frost(self) -> str: ...
    def fingerprint(self, plan: EvaluationPlan) -> str: ...


def describe(
    model: nn.Module,
    source: ImageSource,
    plan: EvaluationPlan,
    *,
    name: str,
    class_outputs: ClassOutputs | None = None,
    ready: OnTheDisk | None = None,
) -> dict[str, Any]:
    """What makes a run the same run: model, data and plan, as JSON."""
    settings = asdict(plan)
    settings["corruptions"], settings["severities"] = list(plan.corruptions), list(plan.severities)
    settings["perturbations"] = list(plan.perturbations)
    if plan.auto_attack is None:
        del settings["auto_attack"]  # runs that were begun before there was one go on
    return {
        "name": name,
        "model": {
            "name": str(getattr(model, "name", type(model).__name__)),
            "parameters": sum(p.numel() for p in model.parameters()),
            "sha256": weights_hash(model),
        },
        "data": {
            "name": source.name,
            "pictures": len(source.labels),
            "classes": list(source.classes),
            "sha256": source.fingerprint(),
            **({} if ready is None else {"ready_made": ready.fingerprint(plan), "clean": ready.has_clean}),
        },
        "plan": settings,
        "columns": None if class_outputs is None else [c if isinstance(c, int) else list(c) for c in class_outputs],
        "part": CHUNK,
        # Frost of the photographs and frost that was grown are two kinds of images.
        **({"frost": _frost() if ready is None else ready.frost} if "frost" in plan.corruptions else {}),
        **about(model, source, class_outputs),
    }


def _frost() -> str:
    return "published" if frost_comparable() else "procedural"


def passes(plan: EvaluationPlan, count: int, starts: Sequence[int]) -> int:
    """Forward passes of images that the chunks beginning at ``starts`` need; a gradient step counts as 3."""
    images = sum(min(CHUNK, count - start) for start in starts)
    total = images * (1 + len(plan.corruptions) * len(plan.severities))
    total += images * sum(map(frame_count_of, plan.perturbations))
    every = (
        np.concatenate([np.arange(start, min(start + CHUNK, count)) for start in starts]) if starts else np.arange(0)
    )
    for attack in (plan.attack, plan.auto_attack):
        if attack is not None:
            total += len(attacked_places(attack, every, count)) * attack_cost(attack)
    return total


def needed_bytes(plan: EvaluationPlan, source: ImageSource, starts: Sequence[int]) -> int:
    """What the chunks beginning at ``starts`` will take on the disk."""
    count, logits = len(source.labels), 4 * len(source.classes)
    images = sum(min(CHUNK, count - start) for start in starts)
    attacks = sum(attack is not None for attack in (plan.attack, plan.auto_attack))
    each = 16 + 8 * attacks + logits * (1 + len(plan.corruptions) * len(plan.severities) + attacks)
    each += sum(8 * frame_count_of(name) + 4 for name in plan.perturbations)
    # Each array in a file has a header of its own.
    arrays = 3 + len(plan.corruptions) * len(plan.severities) + 2 * attacks + 2 * len(plan.perturbations)
    return images * each + 256 * arrays * len(starts)


def attacked_places(
    attack: AttackConfig | AutoAttackConfig, indices: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Which of ``indices`` are attacked, of ``count`` in all: not the first, as folders are sorted by class."""
    if attack.images is None or attack.images >= count:
        return np.arange(len(indices))
    chosen = np.linspace(0, count - 1, attack.images).round().astype(np.int64)
    return np.flatnonzero(np.isin(indices, chosen))


def attack_cost(attack: AttackConfig | AutoAttackConfig) -> int:
    if isinstance(attack, AutoAttackConfig):
        return 3 * 100 + 1  # the first of four attacks: on a model that it defeats, the others have nothing to do
    return 3 * attack.steps * attack.restarts + 1


def frame_count_of(perturbation: str) -> int:
    """About how many frames a perturbation sequence has: for the progress shown and for memory, not for results."""
    return 41 if perturbation == "translate" else 31
