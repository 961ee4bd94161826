"""What an evaluation will give, known before its first prediction: which measures, and under which settings.

The measures are found as those of the scorecard are, from outcomes that are made up: what has no figure with them has
none with the true ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipmix.core.errors import InputError
from ipmix.evaluation import arguments as given
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.conditions import CLEAN, Condition
from ipmix.evaluation.figures import Arguments, Intervals, figure
from ipmix.evaluation.outcomes import Outcomes, RunOutcomes
from ipmix.evaluation.plan import EvaluationPlan, attacked_places
from ipmix.measures.table import measure_named

ENOUGH = 400
"""Made-up images: no measure asks for more."""

TOP = 5
"""Classes that top-5 measures look at."""


@dataclass(frozen=True)
class Foreseen:
    """What is known before an evaluation.

    Attributes:
        card: as much of the scorecard as says under which settings it is made.
        absent: measure -> why it will have no figure.
        measures: those that will have one, unless the model gives no valid answers.
    """

    card: Mapping[str, Any]
    absent: Mapping[str, str]
    measures: frozenset[str]


def foreseen(
    run: Mapping[str, Any],
    plan: EvaluationPlan,
    made: Mapping[str, Any],
    *,
    images: int,
    classes: int,
    anomalies: bool = False,
    baseline: Baseline | None = None,
) -> Foreseen:
    """What an evaluation will give.

    Args:
        run: its description.
        plan: what it does.
        made: how it is made, with ``side`` and ``normalisation``.
        images: how many there are.
        classes: how many compete.
        anomalies: whether images of nothing the model knows are given.
        baseline: another run to divide by.
    """
    clean = (run.get("data") or {}).get("clean", True)
    found = _made_up(plan, images, classes, clean)
    levels = found.by_corruption()
    arguments = given.of_clean(found.clean) | given.of_corruptions(levels, found.clean, run, made)
    arguments |= given.of_attacks(found.conditions) | given.of_sequences(found, plan.difficulty)
    if baseline is not None:
        arguments |= given.against_baseline(baseline, levels, found.clean, found.frames, plan.difficulty)
    if anomalies and clean:
        arguments |= given.of_anomalies(found.clean, found.clean)
    figures = {name: _figure(name, each) for name, each in arguments.items()}
    count = {name: attack and len(attacked_places(attack, np.arange(images), images))
             for name, attack in (("attack_error", plan.attack), ("auto_attack_error", plan.auto_attack))}  # fmt: skip
    card = {
        "run": run,
        "pictures": images,
        "among": given.among(run, classes),
        "made": made,
        "frost": run.get("frost", "not known") if "frost" in levels else None,
        "measures": {name: {"pictures": number} for name, number in count.items() if number},
        "corruptions": {name: dict.fromkeys(map(str, by), 0.0) for name, by in levels.items()},
        "flips": {name: [0.0] for name in found.frames},
    }
    absent = {name: str(each["reason"]) for name, each in figures.items() if each["value"] is None}
    return Foreseen(card, absent, frozenset(figures) - frozenset(absent))


def _figure(name: str, each: Arguments) -> Mapping[str, Any]:
    return figure(measure_named(name), each, Intervals(0, 0))


def _made_up(plan: EvaluationPlan, images: int, classes: int, clean: bool) -> RunOutcomes:
    """Outcomes under each condition of the plan, half of them wrong."""
    count = min(images, ENOUGH)
    wrong = np.arange(count) % 2 == 1
    whole = Outcomes(
        correct=[~wrong], correct_top5=[~wrong] if classes > TOP else [], confidence=[np.linspace(0.3, 0.9, count)],
        loss=[np.ones(count)], brier=[np.ones(count)], logit_score=[np.linspace(0.0, 1.0, count)], classes=classes,
    )  # fmt: skip
    conditions = {CLEAN: whole} if clean else {}
    for name in plan.corruptions:
        conditions |= {Condition("corruption", name, severity): whole for severity in plan.severities}
    for kind, attack in (("attack", plan.attack), ("auto_attack", plan.auto_attack)):
        if attack is not None and clean:
            some = Outcomes(correct=[~wrong], before=[~wrong], classes=classes)
            conditions[Condition("attack" if kind == "attack" else "auto_attack")] = some
    frames = np.arange(2 * count).reshape(count, 2) % 3
    return RunOutcomes(
        conditions,
        frames=dict.fromkeys(plan.perturbations, frames),
        top5=dict.fromkeys(plan.perturbations, np.ones(count)) if classes >= TOP else {},
        indices=np.arange(count),
        labels=np.zeros(count, np.int64),
        scores="logits",
        held_out=InputError("not measured yet"),
    )
